"""Idempotency keys: the same key and body get the first answer again, per user and route.

An answer is kept in the transaction of its effect, so there is never one without the other, and
only successes are kept. Two requests with one key at once: the second waits at `claim_key` for
the first's commit and then gets its answer.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Header
from pydantic import BaseModel
from sqlalchemy import BigInteger, DateTime, LargeBinary, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from .db import Database
from .errors import Conflict, Invalid, Problem
from .sql import fetch_one, run, table_name
from .unit_of_work import Transaction

RETENTION_SECONDS = 24 * 3600

ModelT = TypeVar("ModelT", bound=BaseModel)


class IdempotencyMixin:
    """A service declares `class IdempotencyKey(IdempotencyMixin, Base)`."""

    __tablename__ = "idempotency_keys"

    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    route: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    request_hash: Mapped[bytes] = mapped_column(LargeBinary)
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), index=True
    )


class KeyReused(Invalid):
    code = "idempotency_key_reused"


class KeyTaken(Conflict):
    code = "idempotency_key_in_use"


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A request that may come again: who sent it, where to, its key, and a hash of its body."""

    user_id: int
    route: str
    key: str
    request_hash: bytes

    @classmethod
    def of(
        cls, key: str | None, *, user_id: int, route: str, body: BaseModel | None = None
    ) -> "RequestKey | None":
        """None when the client sent no key."""
        if key is None:
            return None
        content = body.model_dump(mode="json") if body else None
        canonical = json.dumps(content, sort_keys=True)
        return cls(user_id, route, key, hashlib.sha256(canonical.encode()).digest())


async def answer_once(
    database: Database,
    table: type[IdempotencyMixin],
    request: RequestKey | None,
    act: Callable[[], Awaitable[ModelT]],
    model: type[ModelT],
) -> ModelT:
    """The answer that this request got before, else that of `act`.

    `act` calls `claim_key` first and `keep_answer` last in the transaction of its effect. Its
    refusal counts only when no other request with this key has succeeded meanwhile.
    """
    if request is None:
        return await act()
    if before := await _find_answer(database, table, request):
        return model.model_validate(before)
    try:
        return await act()
    except Problem:
        if before := await _find_answer(database, table, request):
            return model.model_validate(before)
        raise


async def _find_answer(
    database: Database, table: type[IdempotencyMixin], request: RequestKey
) -> dict[str, Any] | None:
    find = f"""SELECT request_hash, answer FROM {table_name(table)}
        WHERE user_id = %(user_id)s AND route = %(route)s AND key = %(key)s"""  # noqa: S608
    async with database.autocommit() as reader:
        row = await fetch_one(reader, find, asdict(request))
    if row is None:
        return None
    if row["request_hash"] != request.request_hash:
        raise KeyReused("This Idempotency-Key was used before with another body; send a new key.")
    answer: dict[str, Any] | None = row["answer"]
    return answer


async def claim_key(
    transaction: Transaction, table: type[IdempotencyMixin], request: RequestKey | None
) -> None:
    """Claim the key for this transaction; waits for another that is claiming it.

    Raises KeyTaken when another request has used it, which `answer_once` turns into the answer
    of that request.
    """
    if request is None:
        return
    claim = f"""INSERT INTO {table_name(table)} (user_id, route, key, request_hash)
        VALUES (%(user_id)s, %(route)s, %(key)s, %(request_hash)s)
        ON CONFLICT DO NOTHING"""  # noqa: S608
    if not (await run(transaction, claim, asdict(request))).rowcount:
        raise KeyTaken("A request with this Idempotency-Key is being worked on; try again.")


async def keep_answer(
    transaction: Transaction,
    table: type[IdempotencyMixin],
    request: RequestKey | None,
    answer: BaseModel,
) -> None:
    """Keep the answer with the key that this transaction has claimed."""
    if request is None:
        return
    keep = f"""UPDATE {table_name(table)} SET answer = %(answer)s::jsonb
        WHERE user_id = %(user_id)s AND route = %(route)s AND key = %(key)s"""  # noqa: S608
    await run(transaction, keep, {**asdict(request), "answer": answer.model_dump_json()})


async def _idempotency_key(
    idempotency_key: Annotated[
        str | None, Header(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")
    ] = None,
) -> str | None:
    return idempotency_key


KeyHeader = Annotated[str | None, Depends(_idempotency_key)]
"""The `Idempotency-Key` header, if sent."""
