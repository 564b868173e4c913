"""What several routes declare: who may call them, and where the gateway serves us."""

from typing import Annotated

from fastapi import Depends, Request

from libs.security import UserGuard

AdminOnly = Depends(UserGuard("admin"))


async def _public_prefix(request: Request) -> str:
    prefix: str = request.scope.get("root_path", "")
    return prefix.rstrip("/")


PublicPrefix = Annotated[str, Depends(_public_prefix)]
"""Such as `/catalog`: what a path needs in front so that it works through the gateway."""
