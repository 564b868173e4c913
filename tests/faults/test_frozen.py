"""A copy that is frozen for longer than anybody waits for it, and then goes on."""

from uuid import uuid4

import httpx

from tests.support.processes import ServiceProcess
from tests.support.waiting import eventually

from .tools import Faults

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
            buyer, order, shipment = await faults.ready_order()
            assert (await market.dispatch(shipment)).status_code == 200
            await market.wait_for_order(order, "SHIPPED")
            assert not await _leads(market.api, faults.url("shipping"))
            await faults.all_is_well()


async def _leads(api: httpx.AsyncClient, url: str) -> bool:
    health = (await api.get(f"{url}/health")).json()
    return bool(health["loops"]["relay"].get("role") == "leader")


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
