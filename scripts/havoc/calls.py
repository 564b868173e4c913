"""Calls through the gateway, and what became of them."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

LIMIT = 20.0
NO_ANSWER = 0
_MEMBERS = {"type", "title", "status", "detail", "code"}
_EXAMPLES = 20
_BY_GATEWAY = {502, 503, 504}
_NO_ROUTES = "404 page not found\n"
"""What Traefik says to everything until it has read its routes, a moment after it listens."""


@dataclass(frozen=True)
class Answer:
    """`kind` is ok, clean (a problem document as it should be), unclean, gateway (it made the
    error itself) or none; status 0 is no answer at all."""

    status: int
    kind: str
    body: Any = None
    retry_after: float = 0.0

    @property
    def ok(self) -> bool:
        return self.kind == "ok"

    @property
    def final(self) -> bool:
        """Asking again would change nothing."""
        refused = self.kind != "gateway" and 400 <= self.status < 500
        return self.ok or (refused and self.code != "idempotency_key_in_use")

    @property
    def code(self) -> str:
        return str(self.body.get("code", "")) if isinstance(self.body, dict) else ""


@dataclass
class Tally:
    """All answers by status and kind; of the unclean ones some in full.

    `unrepeatable` are requests left without an answer that a client may not simply send again.
    """

    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    unclean: list[str] = field(default_factory=list)
    unrepeatable: Counter[str] = field(default_factory=Counter)

    def add(self, call: str, answer: Answer, text: str, *, repeatable: bool) -> None:
        if answer.kind in ("none", "gateway") and not repeatable:
            self.unrepeatable[f"{call} {answer.status}"] += 1
        self.answers[answer.status, answer.kind] += 1
        if answer.kind == "unclean" and len(self.unclean) < _EXAMPLES:
            self.unclean.append(f"{call} answered {answer.status}: {text[:300]}")


class Caller:
    def __init__(self, base: str, tally: Tally) -> None:
        self.tally = tally
        self._http = httpx.AsyncClient(base_url=base, timeout=LIMIT, trust_env=False)

    async def ask(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str], limit: float
    ) -> Answer:
        """Gives up after `limit` seconds; the connection is then closed, as by a client that
        goes away."""
        try:
            async with asyncio.timeout(limit):
                response = await self._http.request(method, path, json=body, headers=headers)
        except (httpx.HTTPError, TimeoutError):
            answer, text = Answer(NO_ANSWER, "none"), ""
        else:
            answer, text = _read(response), response.text
        repeatable = method != "POST" or "Idempotency-Key" in headers
        self.tally.add(f"{method} {path}", answer, text, repeatable=repeatable)
        return answer

    async def put(
        self, path: str, content: bytes, headers: Mapping[str, str], limit: float
    ) -> bool:
        try:
            async with asyncio.timeout(limit):
                response = await self._http.put(path, content=content, headers=headers)
        except (httpx.HTTPError, TimeoutError):
            return False
        return response.is_success

    async def aclose(self) -> None:
        await self._http.aclose()


def _read(response: httpx.Response) -> Answer:
    try:
        body = response.json()
    except json.JSONDecodeError:
        body = None
    wait = response.headers.get("retry-after", "")
    return Answer(
        response.status_code,
        "ok" if response.is_success else _kind_of_refusal(response, body),
        body,
        float(wait) if wait.isdecimal() else 0.0,
    )


def _kind_of_refusal(response: httpx.Response, body: Any) -> str:
    """A 500 is no refusal but a fault of ours, however well it is put."""
    status = response.status_code
    kind = response.headers.get("content-type", "").partition(";")[0]
    if kind in ("", "text/plain") and (status in _BY_GATEWAY or response.text == _NO_ROUTES):
        return "gateway"
    is_problem = kind == "application/problem+json" and isinstance(body, dict)
    clean = is_problem and body.keys() >= _MEMBERS and body["status"] == status and status != 500
    waits = status != 503 or "retry-after" in response.headers
    return "clean" if clean and waits else "unclean"
