"""Two wants of one order, and the service that decides dies in between."""

from .tools import AWAY, Faults, under_way


async def test_a_payment_whose_service_dies_behind_its_commit_counts_as_its_order_ends(
    faults: Faults,
) -> None:
    """Two are told to nobody. One order is cancelled meanwhile; the other's time is over, and
    Payment is asked to take no payment any more."""
    market = faults.market
    (one, cancelled), (two, late) = await faults.place_order(), await faults.place_order()
    async with (
        faults.gate("INSERT ON payment.payments", at_commit=True) as gate,
        under_way(market.pay(one, cancelled)) as first,
        under_way(market.pay(two, late)) as second,
    ):
        assert await gate.hold(2) == "payment"
        async with under_way(faults.close(late)) as closing:
            await faults.wait_for_lock("payment.ledger_orders")
            assert (await market.cancel(one, cancelled)).status_code == 200
            await faults.kill("payment")
            await gate.open()
        answers = [await first, await second]
        assert {answer.status_code for answer in answers} <= AWAY
    assert closing.exception() or closing.result().status_code != 204
    await faults.up_again("payment")
    assert (await faults.close(late)).json()["code"] == "order_already_paid"
    await market.wait_for_order(late, "PAID")
    await market.wait_for_payment(cancelled, "REFUNDED")
    await faults.events.wait_for(cancelled["order_id"], "payment.refunded")
    assert await faults.events_of(cancelled, "payment.refunded") == 1
    await faults.all_is_well()


async def test_an_order_service_that_dies_half_way_through_cancelling_has_it_finished(
    faults: Faults,
) -> None:
    """A customer's cancellation that Shipping has agreed to, with a payment in between; and an
    expiry that Payment has agreed to, with a payment that comes too late."""
    market = faults.market
    (one, wanted), (two, late) = await faults.place_order(), await faults.place_order()
    async with (
        faults.gate('UPDATE ON "order".orders', when="NEW.status = 'CANCELLED'") as gate,
        under_way(market.cancel(one, wanted)) as cancelling,
    ):
        assert await gate.hold() == "order"
        assert (await market.pay(one, wanted)).status_code == 201
        assert (await faults.close(late)).status_code == 204
        assert (await market.pay(two, late)).json()["code"] == "order_cancelled"
        await faults.kill("order")
        await gate.open()
        await faults.age(late)
        assert (await cancelling).status_code in AWAY
    await faults.up_again("order")
    for ended in (wanted, late):
        await market.wait_for_order(ended, "CANCELLED")
    await market.wait_for_payment(wanted, "REFUNDED")
    await faults.all_is_well()


async def test_of_a_dispatch_and_a_cancellation_the_one_that_committed_counts(
    faults: Faults,
) -> None:
    """Shipping dies with a dispatch not committed, another one that is, and a cancellation that
    is, and the other side asks afterwards."""
    market = faults.market
    undone, sent, cancelled = [await faults.ready_order() for _ in range(3)]
    dispatched = "NEW.status = 'DISPATCHED' AND NEW.id = "
    table = "UPDATE ON shipping.shipments"
    stopped = f"NEW.status = 'CANCELLED' AND NEW.id = {cancelled[2]['id']}"
    async with (
        faults.gate(table, when=f"{dispatched}{undone[2]['id']}") as before,
        faults.gate(table, when=f"{dispatched}{sent[2]['id']}", at_commit=True) as behind,
        faults.gate(table, when=stopped, at_commit=True) as stopping,
        under_way(market.dispatch(undone[2])),
        under_way(market.dispatch(sent[2])),
        under_way(market.cancel(cancelled[0], cancelled[1])) as cancelling,
    ):
        for gate in (before, behind, stopping):
            assert await gate.hold() == "shipping"
        await faults.kill("shipping")
        for gate in (before, behind, stopping):
            await gate.open()
        assert (await cancelling).status_code in AWAY
    await faults.up_again("shipping")
    assert (await market.cancel(undone[0], undone[1])).status_code == 200
    assert (await market.cancel(sent[0], sent[1])).status_code == 409
    assert (await market.dispatch(cancelled[2])).status_code == 409
    await market.wait_for_order(sent[1], "SHIPPED")
    for _, order, _ in (undone, cancelled):
        await market.wait_for_order(order, "CANCELLED")
        await market.wait_for_payment(order, "REFUNDED")
    await faults.all_is_well()
