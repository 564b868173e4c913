"""Rules of events: one for every change, and one mail for every event that has one."""

from typing import LiteralString

from .outcome import SqlRule

# Everything that an event must tell of, with the time of the change.
_ORDER_CHANGES: LiteralString = """
SELECT id AS order_id, 'order.created' AS type, created_at AS at FROM "order".orders
UNION ALL SELECT id, 'order.paid', paid_at FROM "order".orders WHERE paid_at IS NOT NULL
UNION ALL SELECT id, 'order.cancelled', cancelled_at FROM "order".orders
          WHERE cancelled_at IS NOT NULL"""
_PAYMENT_CHANGES: LiteralString = """
SELECT order_id, CASE status WHEN 'FAILED' THEN 'payment.failed' ELSE 'payment.succeeded' END
       AS type, created_at AS at FROM payment.payments
UNION ALL SELECT order_id, 'payment.refunded', refunded_at FROM payment.payments
          WHERE refunded_at IS NOT NULL"""
# Of a shipment that was cancelled nothing says whether it had been ready before.
_SHIPMENT_CHANGES: LiteralString = """
SELECT order_id, 'shipping.ready' AS type, greatest(created_at, paid_at) AS at
FROM shipping.shipments WHERE status IN ('READY_TO_SHIP', 'DISPATCHED')
UNION ALL SELECT order_id, 'shipping.dispatched', dispatched_at FROM shipping.shipments
          WHERE dispatched_at IS NOT NULL
UNION ALL SELECT order_id, 'shipping.cancelled', cancelled_at FROM shipping.shipments
          WHERE cancelled_at IS NOT NULL"""


# By order and type; `recent` ones are so new that the outbox is sure to have their events yet.
_COUNTED: LiteralString = """
SELECT coalesce(c.order_id, e.order_id) AS id, coalesce(c.type, e.type) AS type,
       coalesce(c.changes, 0) AS changes, coalesce(c.recent, 0) AS recent,
       coalesce(e.events, 0) AS events,
       e.type = 'shipping.ready' AND EXISTS (SELECT 1 FROM shipping.shipments s
           WHERE s.order_id = e.order_id AND s.status = 'CANCELLED') AS uncertain
FROM (
    SELECT order_id, type, count(*) AS changes,
           count(*) FILTER (WHERE at > now() - make_interval(secs => %(retention)s)) AS recent
    FROM ({changes}) x GROUP BY 1, 2
) c
FULL JOIN (
    SELECT convert_from(key, 'UTF8')::bigint AS order_id, type, count(*) AS events
    FROM {schema}.outbox WHERE type <> 'dead-letter' GROUP BY 1, 2
) e USING (order_id, type)"""

_MAILED: LiteralString = """
SELECT coalesce(c.order_id, m.order_id) AS id, coalesce(c.type, m.type) AS type,
       coalesce(changes, 0) AS changes, coalesce(mails, 0) AS mails
FROM (
    SELECT order_id, type, count(*) AS changes
    FROM ({orders} UNION ALL {payments} UNION ALL {shipments}) x
    WHERE type NOT IN ('order.paid', 'shipping.ready', 'shipping.cancelled') GROUP BY 1, 2
) c
FULL JOIN (
    SELECT order_id, type, count(*) AS mails FROM notifications.mails GROUP BY 1, 2
) m USING (order_id, type)"""


def _one_event_each(name: str, changes: LiteralString, schema: LiteralString) -> SqlRule:
    return SqlRule(
        name=name,
        rows=_COUNTED,
        parts={"changes": changes, "schema": schema},
        numbers="sum(changes) AS changes, sum(events) AS events",
        broken="events < recent OR (events > changes AND NOT (uncertain AND events = 1))",
        text="'order ', id, ': ', events, ' ', type, ' events for ', changes, ' changes'",
    )


RULES = (
    _one_event_each("an event for every change of an order", _ORDER_CHANGES, '"order"'),
    _one_event_each("a payment event for every payment", _PAYMENT_CHANGES, "payment"),
    _one_event_each("an event for every change of a shipment", _SHIPMENT_CHANGES, "shipping"),
    SqlRule(
        name="a mail for every change that has one",
        rows=_MAILED,
        parts={
            "orders": _ORDER_CHANGES,
            "payments": _PAYMENT_CHANGES,
            "shipments": _SHIPMENT_CHANGES,
        },
        numbers="sum(changes) AS changes, sum(mails) AS mails",
        broken="changes <> mails",
        text="'order ', id, ': ', mails, ' ', type, ' mails for ', changes, ' changes'",
    ),
    SqlRule(
        name="every mail is sent",
        rows="SELECT * FROM notifications.mails",
        numbers="count(*) AS mails, count(*) FILTER (WHERE status = 'SENT') AS sent,"
        " count(*) FILTER (WHERE status = 'QUEUED') AS queued,"
        " count(*) FILTER (WHERE status = 'FAILED') AS failed",
        broken="status <> 'SENT'",
        text="'mail ', id, ' (', type, ' of order ', order_id, ') is ', status, ': ',"
        " coalesce(failure, last_error, 'not tried yet')",
    ),
)
