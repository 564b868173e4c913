"""What a batch of orders has told of: events, the claims of those who took them, and mails."""

from typing import LiteralString

ROWS_AN_ORDER = 15
"""Outbox and inbox rows of a dispatched order."""

_EVENTS: LiteralString = """
CREATE TEMP TABLE fill_events ON COMMIT DROP AS
SELECT n, recent, order_id, user_id, email, service, type,
       CASE WHEN service = 'order' THEN 'order.events' WHEN service = 'payment'
            THEN 'payment.events' ELSE 'shipping.events' END AS topic,
       md5('fill ' || type || ' ' || n)::uuid AS event_id, at,
       CASE WHEN recent THEN json_build_object('order_id', order_id, 'user_id', user_id,
            'email', email)::jsonb || data END AS data
FROM (
    SELECT o.*, e.* FROM fill_orders o JOIN fill_totals t USING (order_id), LATERAL (VALUES
        ('order', 'order.created', created_at, true, CASE WHEN recent THEN jsonb_build_object(
            'total_cents', total_cents, 'currency', 'USD', 'reservation_id', reservation_id,
            'items', items, 'address', json_build_object('address_line1', address_line1,
            'address_line2', '', 'city', 'Dublin', 'country', 'IE', 'postcode', postcode)) END),
        ('payment', 'payment.succeeded', paid_at, true, jsonb_build_object('payment_id', payment_id,
            'amount_cents', total_cents, 'currency', 'USD', 'reason', '')),
        ('order', 'order.paid', paid_at, true, CASE WHEN recent THEN jsonb_build_object(
            'reservation_id', reservation_id, 'items', items, 'reason', '') END),
        ('shipping', 'shipping.ready', paid_at, true, jsonb_build_object(
            'shipment_id', shipment_id)),
        ('shipping', 'shipping.dispatched', ended_at, status = 'SHIPPED', jsonb_build_object(
            'shipment_id', shipment_id, 'carrier', 'Demo Express', 'tracking_number', 'FILL' || n)),
        ('shipping', 'shipping.cancelled', ended_at, status = 'CANCELLED', jsonb_build_object(
            'shipment_id', shipment_id, 'reason', 'cancelled by the customer')),
        ('order', 'order.cancelled', ended_at, status = 'CANCELLED', CASE WHEN recent THEN
            jsonb_build_object('reservation_id', reservation_id, 'items', items,
            'reason', 'cancelled by the customer') END),
        ('payment', 'payment.refunded', ended_at, status = 'CANCELLED', jsonb_build_object(
            'payment_id', payment_id, 'amount_cents', total_cents, 'currency', 'USD',
            'reason', 'cancelled by the customer'))
    ) e (service, type, at, happened, data) WHERE happened
) x"""

_MAILS: LiteralString = """
INSERT INTO notifications.mails (event_id, type, order_id, user_id, recipient, subject, plain, html,
                                 dated, status, attempts, sent_at, next_attempt_at, created_at)
SELECT event_id, type, order_id, user_id, email, 'Order #' || order_id || ': ' || type,
       'A mail that was sent long ago.', '<p>A mail that was sent long ago.</p>', at, 'SENT', 1,
       at, at, at
FROM fill_events WHERE type IN ('order.created', 'order.cancelled', 'payment.succeeded',
                                'payment.refunded', 'shipping.dispatched') ORDER BY at, event_id"""

# An offset below the topic's first one says that the topic keeps the event no longer: so neither
# does a relay send it again, nor does the audit miss it.
OUTBOX: LiteralString = """
INSERT INTO {outbox} (event_id, type, topic, key, value, created_at, published_at, partition,
                      "offset")
SELECT event_id, type, topic, convert_to(order_id::text, 'UTF8'), convert_to(json_build_object(
           'specversion', '1.0', 'id', event_id, 'source', '/' || service, 'type', type,
           'subject', order_id::text, 'time', at, 'datacontenttype', 'application/json',
           'requestid', 'fill', 'data', data)::text, 'UTF8'),
       at, at, 0, -1
FROM fill_events WHERE recent AND service = {service} ORDER BY at, event_id"""

INBOX: LiteralString = """
INSERT INTO {inbox} (event_id, received_at)
SELECT event_id, at FROM fill_events WHERE recent AND type = ANY({types})"""

BATCH: tuple[LiteralString, ...] = (_EVENTS, _MAILS)
