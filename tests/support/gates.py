"""Points at which a test can hold a service's transaction: triggers that wait for the test."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg

from .database import Query, make_query
from .waiting import eventually

_FUNCTION = """
CREATE OR REPLACE FUNCTION public.wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared(TG_ARGV[0]::bigint); RETURN NEW; END $$"""
_HELD = """
SELECT a.application_name, a.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.objid = %s AND l.classid = 0 AND NOT l.granted"""


@dataclass(frozen=True)
class Gate:
    """Closed until `open`; who comes to it waits in the middle of its transaction."""

    key: int
    query: Query
    connection: psycopg.AsyncConnection

    async def hold(self, number: int = 1) -> str:
        """Once so many wait: the name of the service that does."""

        async def held() -> str | None:
            waiting = await self.query(_HELD, self.key)
            return str(waiting[0][0]) if len(waiting) >= number else None

        return await eventually(held, what="somebody at the gate")

    async def undo(self) -> None:
        """Whatever waits here does not take place; for a statement that is its own transaction."""
        for _, pid in await self.query(_HELD, self.key):
            await self.query("SELECT pg_terminate_backend(%s)", pid)

    async def open(self) -> None:
        await self.connection.execute("SELECT pg_advisory_unlock_all()")


@asynccontextmanager
async def gate(
    dsn: str, change: str, *, when: str = "true", at_commit: bool = False
) -> AsyncIterator[Gate]:
    """`change` is like "UPDATE ON payment.payments", `when` a condition on its NEW and OLD row.

    Holds the statement before it has changed the row; `at_commit`: the COMMIT, which the service
    has sent already and which takes place when the gate opens, whether the service lives or not.
    """
    key, query = random.randrange(1, 2**31), make_query(dsn)
    name, table = f"gate_{key}", change.rpartition(" ")[2]
    timing = ("CONSTRAINT", "AFTER", "DEFERRABLE INITIALLY DEFERRED") if at_commit else (
        "", "BEFORE", "",
    )  # fmt: skip
    await query(_FUNCTION)
    connection = await psycopg.AsyncConnection.connect(dsn.replace("+psycopg", ""), autocommit=True)
    async with connection:
        await connection.execute("SELECT pg_advisory_lock(%s)", (key,))
        await query(
            f"CREATE {timing[0]} TRIGGER {name} {timing[1]} {change} {timing[2]} FOR EACH ROW"
            f" WHEN ({when}) EXECUTE FUNCTION public.wait_at_gate('{key}')"
        )
        try:
            yield Gate(key, query, connection)
        finally:
            await connection.execute("SELECT pg_advisory_unlock_all()")
            await query(f"DROP TRIGGER {name} ON {table}")
