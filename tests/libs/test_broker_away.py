"""A service of the test's own with a broker of its own, which is away or has forgotten all."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import ConsumerRecord

from libs.config import DatabaseSettings
from libs.kafka import ask_for_topics, close_client, make_producer
from tests.support.database import Query, make_query
from tests.support.databases import alembic, create_database, migrated_database
from tests.support.health import assert_ended_by_itself
from tests.support.kafka import EventLog, Publisher
from tests.support.market import Market
from tests.support.people import Customer
from tests.support.processes import ServiceProcess
from tests.support.waiting import eventually

from .own_broker import OwnBroker, health_of
from .samples import cancelled

Json = dict[str, Any]
RECOVERY = 5


@pytest.fixture
async def own_env(stack: Json, query: Query) -> Json:
    """A database of its own, migrated for Payment."""
    dsn = await migrated_database(stack, query, "payment")
    return {**stack["env"], "POSTGRES_DSN": dsn}


@pytest.fixture
async def broker() -> AsyncIterator[OwnBroker]:
    async with OwnBroker() as broker:
        yield broker


async def _pay(
    copy: ServiceProcess, market: Market, buyer: Customer, product: Json, *, failures: int = 0
) -> int:
    order = await market.place_order(buyer, product)
    for how in (*["fail"] * failures, "succeed"):
        answer = await market.pay(buyer, order, how=how, at=copy.url)
        assert answer.status_code == 201, answer.text
    order_id: int = order["order_id"]
    return order_id


async def _published(broker: OwnBroker, *order_ids: int) -> None:
    async with EventLog(broker.address) as log:
        for order_id in order_ids:

            async def there(order_id: int = order_id) -> bool:
                return bool(await log.of_order(order_id, "payment.succeeded"))

            await eventually(there, within=RECOVERY, what="the event of a payment")


async def _takes_events(broker: OwnBroker, env: Json) -> None:
    query = make_query(env["POSTGRES_DSN"])
    async with Publisher(broker.address) as publish:
        event_id: UUID = await publish.event(cancelled(10**9))

    async def taken() -> bool:
        return bool(await query("SELECT 1 FROM payment.inbox WHERE event_id = %s", event_id))

    await eventually(taken, within=RECOVERY, what="an event taken")


async def test_a_broker_away_at_the_start_and_later_costs_no_request_and_no_event(
    market: Market, product: Json, own_env: Json, broker: OwnBroker
) -> None:
    buyer = await market.new_customer()
    async with ServiceProcess("payment", own_env, KAFKA_BOOTSTRAP=broker.address) as copy:

        async def says_that_the_broker_is_away() -> bool:
            health = await health_of(market.api, copy)
            assert health["status"] == "ok"
            return bool(health["checks"]["broker"] != "ok")

        await eventually(says_that_the_broker_is_away)
        first = await _pay(copy, market, buyer, product)
        await broker.up()
        await _published(broker, first)
        await _takes_events(broker, own_env)
        await broker.kill()
        await eventually(says_that_the_broker_is_away)
        second = await _pay(copy, market, buyer, product)
        await broker.up()
        await _published(broker, first, second)
        await _takes_events(broker, own_env)


async def test_a_relay_whose_broker_freezes_is_not_cut_off_at_the_end(
    market: Market,
    product: Json,
    own_env: Json,
    broker: OwnBroker,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await broker.up()
    limits = {"KAFKA_BOOTSTRAP": broker.address, "SHUTDOWN_TIMEOUT": "4"}
    async with ServiceProcess("payment", own_env, **limits) as copy:
        order_id = await _pay(copy, market, await market.new_customer(), product)
        await _published(broker, order_id)
        broker.freeze()

        async def waits() -> bool:
            relay = (await health_of(market.api, copy))["loops"]["relay"]
            return bool(relay["last_progress_seconds"] > 2)

        await eventually(waits, what="a relay that waits for the broker")
    assert_ended_by_itself(capsys.readouterr().err)


async def test_an_idle_relay_notices_that_the_broker_forgot(
    market: Market, product: Json, own_env: Json, broker: OwnBroker
) -> None:
    """Letters too, in a topic that another service has written to in the meantime."""
    await broker.up()
    async with ServiceProcess("payment", own_env, KAFKA_BOOTSTRAP=broker.address) as copy:
        order_id = await _pay(copy, market, await market.new_customer(), product)
        await _published(broker, order_id)
        key = uuid4().hex.encode()
        async with Publisher(broker.address) as publish:
            await publish.raw("order.events", b"poison", key=key)
        await _letter(broker, key)
        await eventually(lambda: _noticed_its_own(own_env))
        await broker.kill()
        await broker.up()
        async with Publisher(broker.address) as publish:
            for _ in range(3):
                await publish.raw(
                    "order.events.dlq", b"poison", key=key, headers=[("consumer", b"another")]
                )
        await _published(broker, order_id)
        await _letter(broker, key)


@pytest.mark.parametrize("others", [1, 3])
async def test_a_broker_that_forgot_and_holds_other_messages_by_now_is_told_all(
    market: Market, product: Json, own_env: Json, broker: OwnBroker, others: int
) -> None:
    """Ours, whose marks were lost: fewer than were forgotten, or as many and more."""
    await broker.up()
    env = {**own_env, "KAFKA_BOOTSTRAP": broker.address}
    async with ServiceProcess("payment", env) as copy:
        buyer = await market.new_customer()
        order_id = await _pay(copy, market, buyer, product, failures=1)
        await _published(broker, order_id)
    await broker.kill()
    await broker.up()
    async with Publisher(broker.address) as publish:
        for _ in range(others):
            await publish.raw("payment.events", b"{}", key=str(order_id).encode())
    async with ServiceProcess("payment", env):
        await _published(broker, order_id)
        async with EventLog(broker.address) as log:
            assert await log.of_order(order_id, "payment.failed")


async def test_a_broker_that_came_back_without_its_topics_keeps_what_it_is_sent_first(
    broker: OwnBroker,
) -> None:
    await broker.up()
    settings = DatabaseSettings(kafka_bootstrap=broker.address, kafka_enable_idempotence=False)
    producer = make_producer(settings, "test")
    await producer.start()
    try:
        await producer.send_and_wait("order.events", b"{}", key=b"1")
        await broker.kill()
        await broker.up()
        await ask_for_topics(producer)
        for number in (b"1", b"2", b"3"):
            await producer.send_and_wait("order.events", number, key=b"1")
        async with EventLog(broker.address) as log:
            assert [record.value for record in await log.read()] == [b"1", b"2", b"3"]
    finally:
        await close_client(producer)


async def _noticed_its_own(env: Json) -> bool:
    rows = await make_query(env["POSTGRES_DSN"])(
        "SELECT 1 FROM payment.outbox WHERE published_at IS NULL"
    )
    return not rows


async def _letter(broker: OwnBroker, key: bytes) -> None:
    async with EventLog(broker.address) as log:

        async def there() -> bool:
            return any(_is_ours(record, key) for record in await log.read())

        await eventually(there, within=RECOVERY, what="a dead letter of Payment")


def _is_ours(record: ConsumerRecord, key: bytes) -> bool:
    consumer = dict(record.headers).get("consumer")
    return record.topic == "order.events.dlq" and record.key == key and consumer == b"payment"


async def test_events_of_before_the_migration_wait_and_are_counted(
    market: Market, stack: Json, query: Query, broker: OwnBroker
) -> None:
    dsn = await create_database(stack, query)
    await broker.up()
    async with Publisher(broker.address) as publish:
        for order_id in range(5):
            await publish.event(cancelled(order_id))
    env = {**stack["env"], "POSTGRES_DSN": dsn, "KAFKA_BOOTSTRAP": broker.address}
    async with ServiceProcess("payment", env) as copy:

        async def waits() -> bool:
            health = await health_of(market.api, copy)
            pending = "migrations pending" in health["checks"]["loop consumer"]
            return pending and bool(health["loops"]["consumer"]["lag"] == 5)

        await eventually(waits, what="a lag of 5")
        assert (await alembic(dsn, "payment", "upgrade", "head"))[0] == 0

        async def caught_up() -> bool:
            health = await health_of(market.api, copy)
            return (
                health["checks"]["loop consumer"] == "ok"
                and not (health["loops"]["consumer"]["lag"])
            )

        await eventually(caught_up, within=RECOVERY)
        assert len(await make_query(dsn)("SELECT 1 FROM payment.inbox")) == 5
