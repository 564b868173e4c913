"""A topic that is deleted and made again, under the hands of a service."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.support.kafka import Publisher
from tests.support.waiting import eventually

from .alone import Alone
from .samples import cancelled


async def test_events_of_a_topic_that_is_made_again_are_taken_and_those_it_had_are_back(
    alone: Alone,
) -> None:
    ours = uuid4().hex.encode()
    await alone.query(
        "DELETE FROM payment.outbox WHERE type NOT LIKE 'old%'"
    )  # few go again sooner
    await _taken(alone, await _publish(alone, 40))
    await alone.commit_an_event(ours)
    await eventually(lambda: alone.has(ours))
    await _make_again(alone.broker.address, "order.events", "payment.events")
    await _taken(alone, await _publish(alone, 3))

    async def back() -> bool:
        await alone.wake()  # this idle relay looks seldom
        return await alone.has(ours)

    await eventually(back)


async def test_the_event_that_shows_a_loss_comes_behind_the_lost_ones(alone: Alone) -> None:
    """A consumer that goes on at its place of before takes what is behind it, and no other."""
    ours = uuid4().hex.encode()
    await alone.commit_an_event(ours)
    await eventually(lambda: alone.has(ours))
    await _make_again(alone.broker.address, "payment.events")
    await alone.commit_an_event(ours)

    async def in_order() -> bool:
        await alone.wake()
        places = 'SELECT "offset", published_at FROM payment.outbox WHERE key = %s ORDER BY id'
        found = await alone.query(places, ours)
        offsets = [offset for offset, published_at in found if published_at]
        return len(offsets) == 2 and offsets == sorted(offsets)

    await eventually(in_order, within=20, what="both events, in their order")


async def _publish(alone: Alone, number: int) -> list[UUID]:
    async with Publisher(alone.broker.address) as publish:
        return [await publish.event(cancelled(order_id)) for order_id in range(number)]


async def _taken(alone: Alone, ids: Sequence[UUID]) -> None:
    claimed = "SELECT 1 FROM payment.inbox WHERE event_id = ANY(%s)"

    async def all_of_them() -> bool:
        return len(await alone.query(claimed, list(ids))) == len(ids)

    await eventually(all_of_them, what="all events taken")


async def _make_again(bootstrap: str, *topics: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(list(topics))
        await admin.create_topics([NewTopic(topic, 4, 1) for topic in topics])
    finally:
        await admin.close()
