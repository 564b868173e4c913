"""A batch of orders, in the tables of all services at once."""

from typing import LiteralString

COUNT: LiteralString = "SELECT count(*) FROM \"order\".orders WHERE checkout_token LIKE 'fill-%'"

# Of 20 orders 17 are dispatched, 2 ready to ship, and 1 was cancelled when it was paid. None waits
# for its payment: a sweeper would cancel it. `recent` ones, the newest, are of the last six days
# and have events; those of the older ones are beyond OUTBOX_RETENTION.
_DRAFT: LiteralString = """
CREATE TEMP TABLE fill_orders ON COMMIT DROP AS
SELECT n, n > %(recent)s AS recent,
       nextval(pg_get_serial_sequence('"order".orders', 'id')) AS order_id,
       nextval(pg_get_serial_sequence('payment.payments', 'id')) AS payment_id,
       nextval(pg_get_serial_sequence('shipping.shipments', 'id')) AS shipment_id,
       md5('fill reservation ' || n)::uuid AS reservation_id,
       CASE WHEN n %% 20 = 19 THEN 'CANCELLED' WHEN n %% 20 > 16 THEN 'PAID' ELSE 'SHIPPED' END
       AS status,
       u.id AS user_id, u.email, t.at AS created_at, t.at + interval '5 minutes' AS paid_at,
       t.at + interval '30 minutes' AS ended_at,
       n || ' Fill Street' AS address_line1, 'D' || n %% 24 AS postcode
FROM generate_series(%(first)s::bigint, %(last)s::bigint) n
JOIN fill_customers u ON u.k = 1 + (n * 7919) %% (SELECT count(*) FROM fill_customers),
LATERAL (SELECT now() - CASE WHEN n > %(recent)s
    THEN interval '1 hour' + interval '6 days' * ((%(orders)s - n)::float / %(orders)s)
    ELSE interval '8 days' + interval '90 days' * ((%(recent)s - n)::float / %(orders)s)
    END AS at) t
ORDER BY n"""

_DRAFT_ITEMS: LiteralString = """
CREATE TEMP TABLE fill_items ON COMMIT DROP AS
SELECT o.n, o.order_id, o.reservation_id, o.status, p.id AS product_id, p.title,
       1 + (o.n + i) %% 3 AS qty, p.price_cents
FROM fill_orders o, (SELECT count(*) AS products FROM fill_products) c,
     generate_series(0, least(o.n %% 3, c.products - 1)) i
JOIN fill_products p ON true
WHERE p.k = 1 + (o.n * 104729 + i * greatest(1, c.products / 3)) %% c.products"""

_DRAFT_TOTALS: LiteralString = """
CREATE TEMP TABLE fill_totals ON COMMIT DROP AS
SELECT order_id, sum(qty * price_cents)::bigint AS total_cents,
       json_agg(json_build_object('product_id', product_id, 'title', title, 'qty', qty,
                                  'unit_price_cents', price_cents) ORDER BY product_id) AS items
FROM fill_items GROUP BY order_id"""

_ORDERS: LiteralString = """
INSERT INTO "order".orders (id, user_id, email, status, total_cents, currency, checkout_token,
    reservation_id, address_line1, address_line2, city, country, postcode, paid_at, shipped_at,
    cancelled_at, cancel_reason, created_at)
SELECT order_id, user_id, email, status, total_cents, 'USD', 'fill-' || n, reservation_id,
       address_line1, '', 'Dublin', 'IE', postcode, paid_at,
       CASE status WHEN 'SHIPPED' THEN ended_at END, CASE status WHEN 'CANCELLED' THEN ended_at END,
       CASE status WHEN 'CANCELLED' THEN 'cancelled by the customer' END, created_at
FROM fill_orders JOIN fill_totals USING (order_id) ORDER BY n"""

_ORDER_ITEMS: LiteralString = """
INSERT INTO "order".order_items (order_id, product_id, title, qty, unit_price_cents)
SELECT order_id, product_id, title, qty, price_cents FROM fill_items ORDER BY order_id"""

_CLAIMS: LiteralString = """
INSERT INTO "order".reservation_claims (reservation_id, order_id)
SELECT reservation_id, order_id FROM fill_orders"""

_RESERVATIONS: LiteralString = """
INSERT INTO catalog.reservations (id, request_key, status, order_id, created_at)
SELECT reservation_id, md5('fill request ' || n)::uuid,
       CASE status WHEN 'CANCELLED' THEN 'RETURNED' ELSE 'SOLD' END, order_id, created_at
FROM fill_orders ORDER BY n"""

_RESERVATION_ITEMS: LiteralString = """
INSERT INTO catalog.reservation_items (reservation_id, product_id, title, qty, unit_price_cents,
                                       currency)
SELECT reservation_id, product_id, title, qty, price_cents, 'USD' FROM fill_items ORDER BY n"""

# In the order in which the services lock stock, so that nobody waits in a circle.
_LOCK_STOCK: LiteralString = """
SELECT count(*) FROM (
    SELECT 1 FROM catalog.inventory WHERE product_id IN (SELECT product_id FROM fill_items)
    ORDER BY product_id FOR UPDATE
) locked"""

_STOCK: LiteralString = """
UPDATE catalog.inventory i SET in_stock = in_stock - sold
FROM (SELECT product_id, sum(qty) AS sold FROM fill_items WHERE status <> 'CANCELLED' GROUP BY 1) s
WHERE s.product_id = i.product_id"""

_PAYMENTS: LiteralString = """
INSERT INTO payment.payments (id, order_id, user_id, email, status, amount_cents, currency,
                              refunded_at, created_at)
SELECT payment_id, order_id, user_id, email,
       CASE status WHEN 'CANCELLED' THEN 'REFUNDED' ELSE 'SUCCEEDED' END, total_cents, 'USD',
       CASE status WHEN 'CANCELLED' THEN ended_at END, paid_at
FROM fill_orders JOIN fill_totals USING (order_id) ORDER BY n"""

_LEDGER: LiteralString = """
INSERT INTO payment.ledger_orders (order_id, cancelled, updated_at)
SELECT order_id, status = 'CANCELLED', paid_at FROM fill_orders ORDER BY n"""

_SHIPMENTS: LiteralString = """
INSERT INTO shipping.shipments (id, order_id, user_id, email, status, address_line1, address_line2,
    city, country, postcode, paid_at, carrier, tracking_number, dispatched_at, cancelled_at,
    cancel_reason, created_at)
SELECT shipment_id, order_id, user_id, email,
       CASE status WHEN 'SHIPPED' THEN 'DISPATCHED' WHEN 'PAID' THEN 'READY_TO_SHIP'
       ELSE 'CANCELLED' END,
       address_line1, '', 'Dublin', 'IE', postcode, paid_at,
       CASE status WHEN 'SHIPPED' THEN 'Demo Express' END,
       CASE status WHEN 'SHIPPED' THEN 'FILL' || n END,
       CASE status WHEN 'SHIPPED' THEN ended_at END,
       CASE status WHEN 'CANCELLED' THEN ended_at END,
       CASE status WHEN 'CANCELLED' THEN 'cancelled by the customer' END, created_at
FROM fill_orders ORDER BY n"""

BATCH: tuple[LiteralString, ...] = (
    _DRAFT,
    _DRAFT_ITEMS,
    _DRAFT_TOTALS,
    "ANALYZE fill_orders, fill_items, fill_totals",
    _ORDERS,
    _ORDER_ITEMS,
    _CLAIMS,
    _RESERVATIONS,
    _RESERVATION_ITEMS,
    _LOCK_STOCK,
    _STOCK,
    _PAYMENTS,
    _LEDGER,
    _SHIPMENTS,
)
