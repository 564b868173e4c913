"""What an operator does with dead letters: lists, shows, replays and discards them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from libs.letter_format import LETTER_ID
from tests.support.market import Json

from .tools import POISONED, Stand


@asynccontextmanager
async def undeliverable(stand: Stand) -> AsyncIterator[Json]:
    """A paid order whose `order.paid` Catalog can't take while the block lasts; its letter."""
    buyer = await stand.market.new_customer()
    order = await stand.market.place_order(buyer, stand.product, 3)
    assert await stand.audit(wait=20) == []
    where = f'id = (SELECT reservation_id FROM "order".orders WHERE id = {order["order_id"]})'  # noqa: S608
    items = where.replace("id =", "reservation_id =", 1)
    async with (
        stand.without("catalog.reservation_items", items),
        stand.without("catalog.reservations", where),
    ):
        await stand.market.pay(buyer, order)
        (letter,) = await stand.wait_for_letters(1)
        yield {**letter, "order_id": order["order_id"]}


async def in_stock(stand: Stand) -> tuple[int, int]:
    return await stand.market.stock(stand.product)


async def test_a_replay_fails_again_while_the_reason_lasts_then_takes_effect_once(
    stand: Stand,
) -> None:
    before, _ = await in_stock(stand)
    async with undeliverable(stand) as letter:
        assert letter["consumer"] == "catalog"
        assert letter["type"] == "order.paid"
        assert letter["key"] == str(letter["order_id"])
        found = {breach.rule: breach.rows for breach in await stand.audit()}
        (named,) = found["nothing is in a dead-letter topic"]
        assert "order.paid for catalog: There is no reservation" in named

        failed = await stand.dlq("replay", letter["id"][:8])
        assert failed.returncode == 1
        assert "-> failed again: There is no reservation" in failed.stdout
        found = {breach.rule: breach.rows for breach in await stand.audit()}
        (named,) = found["every event has had its effect in each consumer"]
        assert f"order {letter['order_id']}: order.paid" in named
    (again,) = await stand.letters("--consumer", "catalog")
    assert again["id"] != letter["id"]

    planned = await stand.dlq("replay", "--all", "--dry-run")
    assert "-> would be sent to order.events for catalog" in planned.stdout
    assert len(await stand.letters()) == 1

    done = await stand.dlq("replay", "--type", "order.paid")
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("-> applied") == 1
    assert await stand.letters() == []
    assert (await in_stock(stand))[0] == before - 3
    assert await stand.audit(wait=20) == []


async def test_a_replay_that_was_killed_before_its_mark_is_no_second_effect(stand: Stand) -> None:
    async with undeliverable(stand) as letter:
        pass
    assert (await stand.dlq("replay", letter["id"])).returncode == 0
    sold = await in_stock(stand)
    await put_letter(stand, letter["value"], order_id=letter["order_id"], consumer="catalog")
    planned = await stand.dlq("replay", "--all", "--dry-run")
    assert "-> already had its effect" in planned.stdout
    done = await stand.dlq("replay", "--all")
    assert done.returncode == 0
    assert "-> already had its effect" in done.stdout
    assert await in_stock(stand) == sold
    assert await stand.letters() == []
    assert await stand.audit(wait=20) == []


async def put_letter(stand: Stand, value: str, *, order_id: int, consumer: str) -> str:
    letter_id = str(uuid4())
    headers = {LETTER_ID: letter_id, "reason": "a test", "consumer": consumer}
    await stand.publish.raw(
        "order.events.dlq",
        value.encode(),
        key=str(order_id).encode(),
        headers=[(name, text.encode()) for name, text in headers.items()],
    )
    return letter_id


async def test_a_poison_message_is_shown_and_discarded_and_no_breach_any_more(
    stand: Stand,
) -> None:
    await stand.publish.raw("order.events", b"not JSON \x1b[31m", key=b"poison")
    letters = await stand.wait_for_letters(len(POISONED))
    assert {letter["consumer"] for letter in letters} == POISONED
    shown = await stand.dlq("show", letters[0]["id"])
    assert "not JSON" in shown.stdout
    assert "\x1b" not in shown.stdout
    planned = await stand.dlq("replay", "--reason", "NOT json", "--dry-run")
    assert planned.stdout.count("-> would fail again: not JSON") == len(POISONED)
    assert "nothing is published that was not committed" in {b.rule for b in await stand.audit()}

    one = await stand.dlq("discard", letters[0]["id"])
    assert "1 dead letter" in one.stdout
    assert len(await stand.letters("--topic", "order.events", "--since", "10m")) == 3
    assert await stand.letters("--until", "10m") == []
    assert (await stand.dlq("discard", "--all")).returncode == 0
    assert await stand.letters() == []
    assert await stand.audit(wait=20) == []


async def test_a_message_without_a_key_or_a_value_can_be_replayed_and_discarded(
    stand: Stand,
) -> None:
    await stand.publish.raw("order.events", b"no key")
    await stand.publish.nothing("order.events")
    assert len(await stand.wait_for_letters(2 * len(POISONED))) == 2 * len(POISONED)
    done = await stand.dlq("replay", "--consumer", "payment")
    assert done.stdout.count("-> failed again: ") == 2
    assert (await stand.dlq("discard", "--all")).returncode == 0
    assert await stand.audit(wait=20) == []


@pytest.mark.parametrize("action", ["replay", "discard"])
async def test_nothing_happens_to_letters_that_were_not_chosen(stand: Stand, action: str) -> None:
    done = await stand.dlq(action)
    assert done.returncode == 1
    assert "--all" in done.stderr
    unknown = await stand.dlq(action, "ffff")
    assert unknown.returncode == 1
    assert "no open dead letter ffff" in unknown.stderr


async def test_an_old_fact_undoes_nothing(stand: Stand) -> None:
    """`order.created` reaches Catalog and Shipping after `order.cancelled`."""
    order_id = stand.orders["cancelled"]
    key = str(order_id).encode()
    row = 'SELECT event_id, value FROM "order".outbox WHERE type = %s AND key = %s'
    ((event_id, value),) = await stand.query(row, "order.created", key)
    state = (
        "SELECT s.status, s.address_line1, r.status, r.order_id FROM shipping.shipments s"
        " JOIN catalog.reservations r USING (order_id) WHERE order_id = %s"
    )
    before = await stand.query(state, order_id), await in_stock(stand)
    for consumer in ("catalog", "shipping"):
        await stand.query(f"DELETE FROM {consumer}.inbox WHERE event_id = %s", event_id)  # noqa: S608
        await put_letter(stand, bytes(value).decode(), order_id=order_id, consumer=consumer)
    done = await stand.dlq("replay", "--type", "order.created")
    assert done.stdout.count("-> applied") == 2, done.stdout
    assert (await stand.query(state, order_id), await in_stock(stand)) == before
    assert await stand.audit(wait=20) == []


async def test_a_letter_that_a_group_never_answers_stays_on_the_list(stand: Stand) -> None:
    value = json.dumps({"id": str(uuid4()), "type": "order.paid"})
    letter_id = await put_letter(stand, value, order_id=1, consumer="nobody")
    done = await stand.dlq("replay", letter_id)
    assert done.returncode == 1
    assert "nobody is no consumer group" in done.stdout
    assert [letter["id"] for letter in await stand.letters()] == [letter_id]
    assert (await stand.dlq("discard", letter_id)).returncode == 0
