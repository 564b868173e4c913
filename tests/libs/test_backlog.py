"""A service with much to publish and much to forget."""

from uuid import uuid4

import psutil

from tests.support.kafka import EventLog
from tests.support.waiting import eventually

from .alone import POLL, Alone

WAITING, ORDERS = 100_000, 500
"""The relay takes 500 at a time, however many wait."""
MEGABYTE = 2**20

_WAITING_ROWS = """
INSERT INTO payment.outbox (event_id, type, topic, key, value)
SELECT gen_random_uuid(), 'payment.succeeded', 'payment.events', ('backlog ' || mod(n, %s))::bytea,
       (n || repeat(' ', 300))::bytea FROM generate_series(1, %s) AS n"""
_LOOKED = "%published_at IS NULL AND refused IS NULL ORDER BY id%"
"""What the relay asks last before it waits for events."""
_LEFT = """
SELECT (SELECT array_agg(type ORDER BY type) FROM payment.outbox WHERE type LIKE 'old%%'),
       (SELECT count(*) FROM payment.inbox WHERE received_at < now() - interval '1 day'),
       (SELECT array_agg(DISTINCT route) FROM payment.idempotency_keys)"""


async def test_a_full_outbox_drains_in_order_and_in_little_memory(alone: Alone) -> None:
    assert alone.copy.process
    memory = psutil.Process(alone.copy.process.pid).memory_info
    used = [memory().rss]
    await alone.query(_WAITING_ROWS, ORDERS, WAITING)
    await alone.wake()

    async def drained() -> bool:
        used.append(memory().rss)
        waiting = "SELECT 1 FROM payment.outbox WHERE published_at IS NULL AND refused IS NULL"
        return not await alone.query(f"{waiting} LIMIT 1")

    await eventually(drained, within=60, what="an outbox that is drained")
    assert max(used) - used[0] < 32 * MEGABYTE
    by_order: dict[bytes, list[int]] = {}
    async with EventLog(alone.broker.address) as log:
        for record in await log.read(within=30):
            if record.key and record.key.startswith(b"backlog"):
                by_order.setdefault(record.key, []).append(int(record.value or 0))
    assert sorted(n for numbers in by_order.values() for n in numbers) == [*range(1, WAITING + 1)]
    assert all(numbers == sorted(numbers) for numbers in by_order.values())


async def test_what_is_older_than_its_retention_goes_and_nothing_else(alone: Alone) -> None:
    """Published events after 7 days, claimed ids after 14, idempotency keys after one."""
    kept = (["old: never published", "old: young enough"], 2, ["young enough"])

    async def only_those() -> bool:
        return await alone.query(_LEFT) == [kept]

    await eventually(only_those, what="tables without what is old")


async def test_a_relay_whose_session_ended_listens_again_and_does_not_wait_for_its_poll(
    alone: Alone,
) -> None:
    """As after a restart of the database: the next events are not later than those before."""
    relay = "SELECT pid FROM pg_stat_activity WHERE application_name = 'payment-relay' AND"
    own = f"{relay} datname = current_database() AND query LIKE %s"
    ((before,),) = await alone.query(own, "%")
    await alone.query("SELECT pg_terminate_backend(%s)", before)

    async def waits_again() -> bool:
        return bool(await alone.query(f"{own} AND pid <> %s AND state = 'idle'", _LOOKED, before))

    await eventually(waits_again, what="a relay that waits for events")
    key = uuid4().hex.encode()
    await alone.commit_an_event(key)
    published = "SELECT 1 FROM payment.outbox WHERE key = %s AND published_at IS NOT NULL"
    await eventually(lambda: alone.query(published, key), within=POLL / 6, what="its next event")
    assert await alone.has(key)
