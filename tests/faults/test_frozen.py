"""A copy that is frozen for longer than anybody waits for it, and then goes on."""

from collections import Counter
from uuid import uuid4

import httpx

from tests.support.processes import ServiceProcess
from tests.support.waiting import eventually

from .tools import Faults

OF_SHIPPING = 8
"""Partitions of the two topics that it takes events from."""
_LEADERS_SESSION = """
SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND application_name = %s"""


async def test_a_copy_frozen_in_the_middle_of_a_batch_and_woken_after_its_session_doubles_nothing(
    faults: Faults,
) -> None:
    """Another copy is given its partitions, with the same batch, and its outbox."""
    market, orders = faults.market, [await faults.place_order() for _ in range(5)]
    async with faults.gate("UPDATE ON shipping.shipments", when="NEW.paid_at IS NOT NULL") as gate:
        for buyer, order in orders:
            assert (await market.pay(buyer, order)).status_code == 201
        assert await gate.hold() == "shipping"
        async with ServiceProcess("shipping", faults.stand.stack["env"]) as copy:
            with faults.frozen("shipping"):
                await faults.wait_for_lock("shipping.inbox")
                assert await faults.query(_LEADERS_SESSION, "shipping-relay")  # as Postgres would
                await eventually(lambda: _leads(market.api, copy.url), what="another leader")
                await gate.open()
            for _, order in orders:
                await market.wait_for_shipment(order, "READY_TO_SHIP")
            woken = faults.url("shipping")
            await eventually(
                lambda: _share(market.api, woken, copy.url), within=60, what="a group of both"
            )
            buyer, order, shipment = await faults.ready_order()
            assert (await market.dispatch(shipment)).status_code == 200
            await market.wait_for_order(order, "SHIPPED")
            await eventually(lambda: _stands_by(market.api, woken), what="a standby")
            await faults.all_is_well()


async def test_a_leader_that_stays_frozen_is_replaced_as_postgres_ends_its_idle_session(
    faults: Faults,
) -> None:
    """What is committed meanwhile waits for the next leader; the old one wakes as a standby."""
    market, url = faults.market, faults.url("payment")
    orders = [await faults.place_order() for _ in range(4)]
    before, waiting, after, woken = orders
    await eventually(lambda: _leads(market.api, url), what="the stack's own copy leads")
    assert (await market.pay(*before)).status_code == 201
    await market.wait_for_order(before[1], "PAID")
    await eventually(lambda: _all_published(faults), what="a leader with nothing in hand")
    async with ServiceProcess("payment", faults.stand.stack["env"]) as copy:
        with faults.frozen("payment"):
            assert (await market.pay(*waiting, at=copy.url)).status_code == 201
            assert not await _leads(market.api, copy.url)
            assert not await _all_published(faults)
            await eventually(lambda: _leads(market.api, copy.url), within=60, what="another leader")
            assert (await market.pay(*after, at=copy.url)).status_code == 201
            for _, order in (waiting, after):
                await faults.events.wait_for(order["order_id"], "payment.succeeded")
        await eventually(lambda: _stands_by(market.api, url), what="a standby")
        assert (await market.pay(*woken, at=url)).status_code == 201
        for _, order in orders:
            await market.wait_for_order(order, "PAID")
            assert await faults.messages_of(order, "payment.succeeded") == 1
            found = await faults.events.of_order(order["order_id"])
            assert set(Counter(event["id"] for event in found).values()) == {1}
        assert await _leads(market.api, copy.url)
        assert await _stands_by(market.api, url)
        await faults.all_is_well()


async def _all_published(faults: Faults) -> bool:
    return not await faults.query("SELECT 1 FROM payment.outbox WHERE published_at IS NULL")


async def _leads(api: httpx.AsyncClient, url: str) -> bool:
    return await _role(api, url) == "leader"


async def _stands_by(api: httpx.AsyncClient, url: str) -> bool:
    return await _role(api, url) == "standby"


async def _share(api: httpx.AsyncClient, *urls: str) -> bool:
    """Whether each has a part of the partitions: one that does not know that it has lost its
    part counts those of the others too."""
    answers = [(await api.get(f"{url}/health")).json() for url in urls]
    parts = [answer["loops"]["consumer"].get("partitions", 0) for answer in answers]
    return all(parts) and sum(parts) == OF_SHIPPING


async def _role(api: httpx.AsyncClient, url: str) -> str | None:
    health = (await api.get(f"{url}/health")).json()
    role: str | None = health["loops"]["relay"].get("role")
    return role


async def test_a_payment_while_order_is_frozen_is_a_503_in_time_and_no_payment(
    faults: Faults,
) -> None:
    market, key = faults.market, {"Idempotency-Key": uuid4().hex}
    buyer, order = await faults.place_order()
    with faults.frozen("order"):
        answer = await market.pay(buyer, order, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (503, "dependency_unavailable")
    assert answer.headers["retry-after"]
    assert (await buyer.get("/payment/v1/payments")).json() == []
    assert (await market.pay(buyer, order, headers=key)).status_code == 201
    await market.wait_for_order(order, "PAID")
    await faults.all_is_well()
