"""Services are killed between two steps, new copies start, and everything ends right."""

from uuid import uuid4

from tests.audit.tools import drop_mail
from tests.support.waiting import eventually

from .tools import AWAY, Faults, under_way


async def test_killed_between_the_reservation_and_its_order_nothing_is_sold_or_lost(
    faults: Faults,
) -> None:
    """One buyer tries again and gets the goods; the other does not, and they are given back."""
    market, product = faults.market, await faults.market.make_product(stock=5)
    buyer, other = await market.new_customer(), await market.new_customer()
    for customer in (buyer, other):
        await market.add_to_cart(customer, product, 2)
    async with (
        faults.gate('INSERT ON "order".order_items') as gate,
        under_way(market.checkout(buyer)) as first,
        under_way(market.checkout(other)),
    ):
        assert await gate.hold(2) == "order"
        assert await market.stock(product) == (5, 4)
        await faults.kill("order")
        await gate.open()
        assert (await first).status_code in AWAY
    await faults.up_again("order")
    assert (await buyer.get("/order/v1/orders")).json()["total"] == 0
    assert (await market.checkout(buyer)).status_code == 201
    await market.wait_for_stock(product, 5, 2)
    await faults.all_is_well()


async def test_killed_between_a_commit_and_its_publishing_no_event_and_no_answer_is_lost(
    faults: Faults,
) -> None:
    """A checkout in Order and a payment in Payment; both buyers ask again with their keys."""
    market, key = faults.market, {"Idempotency-Key": uuid4().hex}
    payer, unpaid = await faults.place_order()
    buyer = await market.new_customer()
    await market.add_to_cart(buyer, faults.product)
    async with (
        faults.gate("INSERT ON payment.payments", at_commit=True) as payment,
        faults.gate('INSERT ON "order".orders', at_commit=True) as order,
        under_way(market.pay(payer, unpaid, headers=key)) as pays,
        under_way(market.checkout(buyer, **key)) as buys,
    ):
        assert [await payment.hold(), await order.hold()] == ["payment", "order"]
        await faults.kill("order", "payment")
        await payment.open()
        await order.open()
        assert {(await pays).status_code, (await buys).status_code} <= AWAY
    await faults.up_again("order", "payment")
    paid, bought = await market.pay(payer, unpaid, headers=key), await market.checkout(buyer, **key)
    assert (paid.status_code, bought.status_code) == (201, 201)
    assert (await market.pay(payer, unpaid)).status_code == 409
    await market.wait_for_order(unpaid, "PAID")
    await market.wait_for_shipment(bought.json(), "PENDING_PAYMENT")
    assert (await buyer.get("/order/v1/orders")).json()["total"] == 1
    assert await faults.events_of(unpaid, "payment.succeeded") == 1
    await faults.all_is_well()


async def test_killed_between_sending_and_its_mark_an_event_or_mail_comes_again_under_its_id(
    faults: Faults,
) -> None:
    published = "NEW.type = 'order.created' AND NEW.published_at IS NOT NULL"
    async with (
        faults.gate('UPDATE ON "order".outbox', when=published) as event,
        faults.gate("UPDATE ON notifications.mails", when="NEW.status = 'SENT'") as mail,
    ):
        _, order = await faults.place_order()
        assert [await event.hold(), await mail.hold()] == ["order-relay", "notifications"]
        assert await faults.messages_of(order, "order.created") == 1
        await faults.kill("order", "notifications")
        await event.undo()
        await mail.undo()
        message_id = f"<{await _end_lease(faults, order['order_id'])}@example.com>"
    await faults.up_again("order", "notifications")

    async def again() -> bool:
        return await faults.messages_of(order, "order.created") == 2

    await eventually(again, what="the event a second time")
    assert await faults.events_of(order, "order.created") == 1
    await faults.all_is_well(doubled_mails=1)
    ((doubled,),) = [breach.rows for breach in await faults.stand.audit()]
    assert doubled == f"{message_id} came 2 times"
    await drop_mail(faults.stand.stack["mailhog"], message_id)


async def _end_lease(faults: Faults, order_id: int) -> str:
    """The event of the order's one mail, whose holder is dead."""
    ended = "UPDATE notifications.mails SET leased_until = now() WHERE order_id = %s"
    ((event_id,),) = await faults.query(f"{ended} RETURNING event_id", order_id)
    return str(event_id)


async def test_consumers_killed_before_or_behind_the_commit_of_an_effect_have_it_once(
    faults: Faults,
) -> None:
    """One payment: Shipping has claimed its event, Notifications has committed all but its
    offset."""
    buyer, order = await faults.place_order()
    await faults.all_is_well()  # no offset of an event before is still to be committed
    mailed = "NEW.type = 'payment.succeeded'"
    async with (
        faults.gate("UPDATE ON shipping.shipments", when="NEW.paid_at IS NOT NULL") as shipment,
        faults.gate("INSERT ON notifications.mails", when=mailed, at_commit=True) as mail,
    ):
        assert (await faults.market.pay(buyer, order)).status_code == 201
        assert [await shipment.hold(), await mail.hold()] == ["shipping", "notifications"]
        await faults.kill("shipping", "notifications")
    await faults.up_again("shipping", "notifications")
    await faults.market.wait_for_shipment(order, "READY_TO_SHIP")
    await faults.all_is_well()
    assert not await _was_given_a_double(faults, "shipping")
    assert await _was_given_a_double(faults, "notifications")


async def _was_given_a_double(faults: Faults, service: str) -> bool:
    """Whether this copy got an event that had had its effect."""
    metrics = (await faults.market.api.get(f"{faults.url(service)}/metrics")).text
    return 'outcome="duplicate"' in metrics
