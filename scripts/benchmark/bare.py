"""An empty FastAPI endpoint: the least that a request to a service can cost."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/bare")
async def bare() -> dict[str, bool]:
    return {"ok": True}
