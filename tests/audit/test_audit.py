"""The audit can fail: one thing is spoiled at a time, and each is found and named."""

import smtplib
from dataclasses import dataclass
from email.message import EmailMessage
from uuid import uuid4

import pytest

from tests.support.waiting import eventually

from .tools import Breach, Stand, drop_mail


@dataclass(frozen=True)
class Damage:
    """SQL that spoils one thing, SQL that mends it, and what the audit must say.

    `{name}` is the id of the order of that name, `{product}` the product's.
    """

    spoil: str
    mend: str
    rule: str
    row: str


DAMAGES = {
    "a stock row": Damage(
        "UPDATE catalog.inventory SET in_stock = in_stock + 1 WHERE product_id = {product}",
        "UPDATE catalog.inventory SET in_stock = in_stock - 1 WHERE product_id = {product}",
        "in stock = restocked - sold",
        "product {product}: 997 in stock, but 1000 restocked - 4 sold",
    ),
    "a reserved count": Damage(
        "UPDATE catalog.inventory SET reserved = reserved + 1 WHERE product_id = {product}",
        "UPDATE catalog.inventory SET reserved = reserved - 1 WHERE product_id = {product}",
        "reserved = sum of open reservations",
        "product {product}: 3 reserved, but 2 held by reservations",
    ),
    "goods of a reservation": Damage(
        "UPDATE catalog.reservation_items SET unit_price_cents = 1 WHERE reservation_id ="
        ' (SELECT reservation_id FROM "order".orders WHERE id = {created})',
        "UPDATE catalog.reservation_items SET unit_price_cents = 1250 WHERE reservation_id ="
        ' (SELECT reservation_id FROM "order".orders WHERE id = {created})',
        "an order's goods are held, sold or free as it says",
        "order {created}: reservation ",
    ),
    "goods of a cancelled order": Damage(
        "UPDATE catalog.reservations SET status = 'HELD' WHERE order_id = {cancelled}",
        "UPDATE catalog.reservations SET status = 'RELEASED' WHERE order_id = {cancelled}",
        "no cancelled order holds goods",
        "order {cancelled}: reservation ",
    ),
    "a total": Damage(
        'UPDATE "order".orders SET total_cents = 2499 WHERE id = {created}',
        'UPDATE "order".orders SET total_cents = 2500 WHERE id = {created}',
        "an order's total is the sum of its items",
        "order {created}: total 2499, items 2500",
    ),
    "a payment doubled": Damage(
        "DROP INDEX payment.uq_payments_one_success; INSERT INTO payment.payments (order_id,"
        " user_id, email, status, amount_cents, currency) SELECT order_id, user_id, email, status,"
        " amount_cents, currency FROM payment.payments WHERE order_id = {paid}",
        "DELETE FROM payment.payments WHERE id = (SELECT max(id) FROM payment.payments);"
        " CREATE UNIQUE INDEX uq_payments_one_success ON payment.payments (order_id)"
        " WHERE status <> 'FAILED'",
        "every paid order has one payment of its total",
        "order {paid} is PAID: 2 succeeded payments, 2 of its total 2500 USD",
    ),
    "an amount": Damage(
        "UPDATE payment.payments SET amount_cents = 2499 WHERE order_id = {shipped}",
        "UPDATE payment.payments SET amount_cents = 2500 WHERE order_id = {shipped}",
        "every paid order has one payment of its total",
        "order {shipped} is SHIPPED: 1 succeeded payments, 0 of its total 2500 USD",
    ),
    "a payment of no order": Damage(
        "UPDATE payment.payments SET order_id = 1000000 WHERE order_id = {created}",
        "UPDATE payment.payments SET order_id = {created} WHERE order_id = 1000000",
        "every payment belongs to an order of its payer",
        "there is no order 1000000",
    ),
    "a refund": Damage(
        "UPDATE payment.payments SET status = 'SUCCEEDED', refunded_at = NULL"
        " WHERE order_id = {refunded}",
        "UPDATE payment.payments SET status = 'REFUNDED', refunded_at = now()"
        " WHERE order_id = {refunded}",
        "every cancelled paid order has one refund",
        "order {refunded} is CANCELLED: 0 refunds, 1 payments not refunded",
    ),
    "a cancelled order's shipment": Damage(
        "UPDATE shipping.shipments SET status = 'PENDING_PAYMENT', cancelled_at = NULL"
        " WHERE order_id = {cancelled}",
        "UPDATE shipping.shipments SET status = 'CANCELLED', cancelled_at = now()"
        " WHERE order_id = {cancelled}",
        "no cancelled order has a live shipment",
        "order {cancelled} is CANCELLED: 1 live shipments",
    ),
    "a shipment's status": Damage(
        'UPDATE "order".orders SET status = \'PAID\' WHERE id = {shipped}',
        'UPDATE "order".orders SET status = \'SHIPPED\' WHERE id = {shipped}',
        "shipment and order agree",
        "order {shipped} is PAID, shipment ",
    ),
    "a cancellation in the ledger": Damage(
        "UPDATE payment.ledger_orders SET cancelled = false WHERE order_id = {cancelled}",
        "UPDATE payment.ledger_orders SET cancelled = true WHERE order_id = {cancelled}",
        "no cancelled order can be paid",
        "order {cancelled} is CANCELLED, but payment does not know",
    ),
    "an unsent mail": Damage(
        "UPDATE notifications.mails SET status = 'FAILED', failure = 'refused', sent_at = NULL"
        " WHERE order_id = {paid} AND type = 'order.created'",
        "UPDATE notifications.mails SET status = 'SENT', failure = NULL, sent_at = now()"
        " WHERE order_id = {paid} AND type = 'order.created'",
        "every mail is sent",
        "(order.created of order {paid}) is FAILED: refused",
    ),
    "an answer": Damage(
        "UPDATE payment.idempotency_keys SET answer = jsonb_set(answer, '{{id}}', '1000000')"
        " WHERE key = 'key-paid'",
        "UPDATE payment.idempotency_keys SET answer = jsonb_set(answer, '{{id}}', (SELECT"
        " to_jsonb(id) FROM payment.payments WHERE order_id = {paid})) WHERE key = 'key-paid'",
        "every idempotency key's answer names what is there",
        "payment key key-paid of user ",
    ),
    "a cancellation's answer": Damage(
        "UPDATE \"order\".idempotency_keys SET answer = jsonb_set(answer, '{{id}}', '{paid}')"
        " WHERE key = 'key-cancelled'",
        "UPDATE \"order\".idempotency_keys SET answer = jsonb_set(answer, '{{id}}', '{cancelled}')"
        " WHERE key = 'key-cancelled'",
        "every idempotency key's answer names what is there",
        "order key key-cancelled of user ",
    ),
    "an event that was never published": Damage(
        'INSERT INTO "order".outbox (event_id, type, topic, key, value, published_at)'
        " VALUES ('00000000-0000-4000-8000-000000000001', 'order.paid', 'order.events',"
        " '{created}', '{{}}', now())",
        'DELETE FROM "order".outbox WHERE event_id = \'00000000-0000-4000-8000-000000000001\'',
        "every published event is in its topic",
        "(order.paid, event 00000000-0000-4000-8000-000000000001) is not in order.events",
    ),
}  # fmt: skip

GONE = {
    "a shipment": (
        ("shipping.shipments", "order_id = {paid}"),
        ("every paid order has one live shipment", "order {paid} is PAID: 0 live shipments"),
    ),
    "a mail": (
        ("notifications.mails", "order_id = {shipped} AND type = 'shipping.dispatched'"),
        (
            "a mail for every change that has one",
            "order {shipped}: 0 shipping.dispatched mails for 1 changes",
        ),
    ),
    "a payment's event": (
        ("payment.outbox", "key = '{paid}' AND type = 'payment.succeeded'"),
        (
            "a payment event for every payment",
            "order {paid}: 0 payment.succeeded events for 1 changes",
        ),
    ),
    "the outbox row of a message": (
        ('"order".outbox', "key = '{paid}' AND type = 'order.paid'"),
        ("nothing is published that was not committed", "is in no outbox"),
    ),
    "an effect": (
        (
            "shipping.inbox",
            "event_id = (SELECT event_id FROM payment.outbox"
            " WHERE key = '{paid}' AND type = 'payment.succeeded')",
        ),
        ("every event has had its effect in each consumer", "order {paid}: payment.succeeded"),
    ),
}


def names(stand: Stand) -> dict[str, int]:
    return {**stand.orders, "product": stand.product["id"]}


def assert_named(found: list[Breach], rule: str, row: str) -> None:
    by_rule = {breach.rule: breach.rows for breach in found}
    assert rule in by_rule, f"not found: {found}"
    assert any(row in named for named in by_rule[rule]), by_rule[rule]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
async def test_it_finds_and_names_what_was_spoiled(stand: Stand, damage: Damage) -> None:
    ids = names(stand)
    await stand.query(damage.spoil.format(**ids))
    try:
        found = await stand.audit()
    finally:
        await stand.query(damage.mend.format(**ids))
    assert_named(found, damage.rule, damage.row.format(**ids))


@pytest.mark.parametrize(("lost", "expected"), GONE.values(), ids=GONE.keys())
async def test_it_finds_and_names_what_is_missing(
    stand: Stand, lost: tuple[str, str], expected: tuple[str, str]
) -> None:
    table, where = lost
    async with stand.without(table, where.format(**names(stand))):
        found = await stand.audit()
    rule, row = expected
    assert_named(found, rule, row.format(**names(stand)))


async def test_it_finds_an_event_that_waits(stand: Stand) -> None:
    order_id = stand.orders["paid"]
    with stand.frozen("order"):
        await stand.query(
            'UPDATE "order".outbox SET published_at = NULL WHERE key = %s', str(order_id).encode()
        )
        found = await stand.audit()
    assert_named(found, "outboxes are drained", "(order.created, event ")
    assert await stand.audit(wait=20) == []


async def test_it_finds_what_a_consumer_has_not_taken(stand: Stand) -> None:
    buyer = await stand.market.new_customer()
    with stand.frozen("notifications"):
        order = await stand.market.place_order(buyer, stand.product)
        order_id = order["order_id"]
        await wait_until_published(stand, order_id)
        found = await stand.audit()
    assert_named(found, "consumers have taken everything", "notifications is 1 messages behind")
    assert_named(
        found, "a mail for every change that has one", f"order {order_id}: 0 order.created"
    )
    assert await stand.audit(wait=20) == []


async def wait_until_published(stand: Stand, order_id: int) -> None:
    statement = 'SELECT 1 FROM "order".outbox WHERE key = %s AND published_at IS NOT NULL'

    async def published() -> bool:
        return bool(await stand.query(statement, str(order_id).encode()))

    await eventually(published, what="order.created published")


async def test_it_finds_a_reservation_that_nobody_ordered(stand: Stand) -> None:
    orphan = uuid4()
    with stand.frozen("catalog"):
        await stand.query(
            "INSERT INTO catalog.reservations (id, status, created_at)"
            " VALUES (%s, 'HELD', now() - interval '100 minutes')",
            orphan,
        )
        found = await stand.audit()
        await stand.query("DELETE FROM catalog.reservations WHERE id = %s", orphan)
    assert_named(
        found, "no reservation is left without an order", f"reservation {orphan}: HELD for 60"
    )


async def test_it_finds_a_mail_that_came_again_unless_so_many_copies_are_allowed(
    stand: Stand,
) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "shop@example.com", "ann@example.com"
    message["Message-ID"] = "<twice@example.com>"
    host, port = stand.stack["smtp"].split(":")
    with smtplib.SMTP(host, int(port)) as smtp:
        for _ in range(3):
            smtp.send_message(message)
    try:
        found = await stand.audit(doubled_mails=1)
        assert await stand.audit(doubled_mails=2) == []
    finally:
        await drop_mail(stand.stack["mailhog"], "<twice@example.com>")
    assert_named(found, "no mail came twice", "<twice@example.com> came 3 times")


async def test_it_finds_events_of_an_order_that_came_the_wrong_way_round(stand: Stand) -> None:
    """Two that swap their rows look as if the relay had sent the later one first."""
    key = str(stand.orders["refunded"]).encode()
    swap = """UPDATE "order".outbox o SET event_id = s.event_id FROM (
        SELECT CASE type WHEN 'order.paid' THEN 'order.cancelled' ELSE 'order.paid' END AS type,
               event_id FROM "order".outbox WHERE key = %s AND type <> 'order.created') s
        WHERE o.key = %s AND o.type = s.type"""
    await stand.query('ALTER TABLE "order".outbox DROP CONSTRAINT uq_outbox_event_id')
    await stand.query(swap, key, key)
    try:
        found = await stand.audit()
    finally:
        await stand.query(swap, key, key)
        await stand.query(
            'ALTER TABLE "order".outbox ADD CONSTRAINT uq_outbox_event_id UNIQUE (event_id)'
        )
    assert_named(found, "the events of an order come in their order", "(order.paid, event ")


async def test_mails_that_fill_py_has_made_up_need_not_be_in_the_mailbox(stand: Stand) -> None:
    paid = stand.orders["paid"]
    where = f"WHERE order_id = {paid} AND type = 'order.created'"
    ((event_id, recipient),) = await stand.query(
        f"SELECT event_id, recipient FROM notifications.mails {where}"  # noqa: S608
    )
    change = f"UPDATE notifications.mails SET event_id = %s, recipient = %s {where}"  # noqa: S608
    await stand.query(change, uuid4(), "fill-1@fill.example")
    try:
        assert await stand.audit() == []
    finally:
        await stand.query(change, event_id, recipient)


async def test_when_all_is_mended_every_rule_holds(stand: Stand) -> None:
    assert await stand.audit(wait=20) == []
