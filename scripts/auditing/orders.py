"""Rules of orders: paid once, shipped once, refunded once, and all services of one mind."""

from typing import LiteralString

from .outcome import SqlRule

_ORDERS: LiteralString = """
SELECT o.*, p.succeeded, p.refunded, p.fitting, s.live, s.shipments, l.cancelled AS closed,
       (SELECT sum(qty * unit_price_cents) FROM "order".order_items WHERE order_id = o.id) AS sum
FROM "order".orders o
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE status = 'SUCCEEDED') AS succeeded,
           count(*) FILTER (WHERE status = 'REFUNDED') AS refunded,
           count(*) FILTER (WHERE status <> 'FAILED' AND amount_cents = o.total_cents
                            AND currency = o.currency) AS fitting
    FROM payment.payments WHERE order_id = o.id
) p
CROSS JOIN LATERAL (
    SELECT count(*) AS shipments, count(*) FILTER (WHERE status <> 'CANCELLED') AS live
    FROM shipping.shipments WHERE order_id = o.id
) s
LEFT JOIN payment.ledger_orders l ON l.order_id = o.id"""

_PAID: LiteralString = "SELECT * FROM ({orders}) x WHERE status IN ('PAID', 'SHIPPED')"
_CANCELLED: LiteralString = "SELECT * FROM ({orders}) x WHERE status = 'CANCELLED'"
_REFUNDABLE: LiteralString = """
SELECT * FROM ({orders}) x
WHERE refunded > 0 OR status = 'CANCELLED' AND (paid_at IS NOT NULL OR succeeded > 0)"""
_PARTS = {"orders": _ORDERS}

_PAYMENTS: LiteralString = """
SELECT p.*, o.id AS found, o.user_id AS buyer, o.status AS order_status
FROM payment.payments p LEFT JOIN "order".orders o ON o.id = p.order_id"""

_SHIPMENTS: LiteralString = """
SELECT coalesce(o.id, s.order_id) AS id, o.id AS order_id, o.status, s.id AS shipment_id,
       s.status AS shipment, (o.address_line1, o.address_line2, o.city, o.country, o.postcode)
       IS NOT DISTINCT FROM (s.address_line1, s.address_line2, s.city, s.country, s.postcode)
       AS same_address
FROM "order".orders o FULL JOIN shipping.shipments s ON s.order_id = o.id"""

RULES = (
    SqlRule(
        name="an order's total is the sum of its items",
        rows=_ORDERS,
        numbers="count(*) AS orders, sum(total_cents) AS cents",
        broken="total_cents IS DISTINCT FROM sum",
        text="'order ', id, ': total ', total_cents, ', items ', coalesce(sum::text, 'none')",
    ),
    SqlRule(
        name="every paid order has one payment of its total",
        rows=_PAID,
        parts=_PARTS,
        numbers="count(*) AS paid_orders, sum(succeeded) AS payments",
        broken="succeeded <> 1 OR fitting <> 1",
        text="'order ', id, ' is ', status, ': ', succeeded, ' succeeded payments, ', fitting,"
        " ' of its total ', total_cents, ' ', currency",
    ),
    SqlRule(
        name="every payment belongs to an order of its payer",
        rows=_PAYMENTS,
        numbers="count(*) AS payments, count(*) FILTER (WHERE status = 'SUCCEEDED') AS succeeded,"
        " count(*) FILTER (WHERE status = 'FAILED') AS failed,"
        " count(*) FILTER (WHERE status = 'REFUNDED') AS refunded",
        broken="found IS NULL OR buyer <> user_id"
        " OR (status = 'SUCCEEDED' AND order_status = 'CREATED')",
        text="""'payment ', id, ' (', status, '): ', CASE WHEN found IS NULL
            THEN concat('there is no order ', order_id) WHEN buyer <> user_id
            THEN concat('order ', order_id, ' is of another user')
            ELSE concat('order ', order_id, ' is ', order_status) END""",
    ),
    SqlRule(
        name="every paid order has one live shipment",
        rows=_PAID,
        parts=_PARTS,
        numbers="count(*) AS paid_orders, sum(live) AS shipments",
        broken="live <> 1",
        text="'order ', id, ' is ', status, ': ', live, ' live shipments'",
    ),
    SqlRule(
        name="every cancelled paid order has one refund",
        rows=_REFUNDABLE,
        parts=_PARTS,
        numbers="count(*) AS cancelled_paid, sum(refunded) AS refunds",
        broken="status <> 'CANCELLED' OR refunded <> 1 OR succeeded <> 0",
        text="'order ', id, ' is ', status, ': ', refunded, ' refunds, ', succeeded,"
        " ' payments not refunded'",
    ),
    SqlRule(
        name="no cancelled order has a live shipment",
        rows=_CANCELLED,
        parts=_PARTS,
        numbers="count(*) AS cancelled, sum(live) AS live",
        broken="live > 0",
        text="'order ', id, ' is CANCELLED: ', live, ' live shipments'",
    ),
    SqlRule(
        name="no cancelled order can be paid",
        rows=_CANCELLED,
        parts=_PARTS,
        numbers="count(*) AS cancelled, count(*) FILTER (WHERE closed) AS closed",
        broken="closed IS NOT TRUE",
        text="'order ', id, ' is CANCELLED, but payment does not know'",
    ),
    SqlRule(
        name="shipment and order agree",
        rows=_SHIPMENTS,
        numbers="count(order_id) AS orders, count(shipment_id) AS shipments",
        broken="""order_id IS NULL OR shipment_id IS NULL OR (status, shipment) NOT IN (VALUES
            ('CREATED', 'PENDING_PAYMENT'), ('PAID', 'READY_TO_SHIP'), ('SHIPPED', 'DISPATCHED'),
            ('CANCELLED', 'CANCELLED')) OR NOT same_address""",
        text="""'order ', id, CASE WHEN order_id IS NULL
            THEN concat(': is not there, but shipment ', shipment_id, ' is ', shipment)
            WHEN shipment_id IS NULL THEN concat(' is ', status, ', but has no shipment')
            ELSE concat(' is ', status, ', shipment ', shipment_id, ' is ', shipment,
            CASE WHEN NOT same_address THEN ' and goes to another address' END) END""",
    ),
)
