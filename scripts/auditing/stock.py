"""Rules of the stock: what is counted, what is held, and for whom."""

from typing import LiteralString

from .outcome import SqlRule

_STOCK: LiteralString = """
SELECT p.id, i.in_stock, i.reserved, coalesce(r.qty, 0) AS restocked,
       coalesce(s.sold, 0) AS sold, coalesce(s.held, 0) AS held
FROM catalog.products p
LEFT JOIN catalog.inventory i ON i.product_id = p.id
LEFT JOIN (SELECT product_id, sum(qty) AS qty FROM catalog.restocks GROUP BY 1) r
       ON r.product_id = p.id
LEFT JOIN (
    SELECT l.product_id, sum(l.qty) FILTER (WHERE v.status = 'SOLD') AS sold,
           sum(l.qty) FILTER (WHERE v.status = 'HELD') AS held
    FROM catalog.reservation_items l JOIN catalog.reservations v ON v.id = l.reservation_id
    GROUP BY 1
) s ON s.product_id = p.id"""

_OPEN: LiteralString = """
SELECT id, created_at, extract(epoch FROM now() - created_at)::bigint AS age
FROM catalog.reservations WHERE status = 'HELD' AND order_id IS NULL"""

_BOUND: LiteralString = """
SELECT coalesce(o.id, v.order_id) AS id, o.id AS order_id, o.status, v.id AS reservation_id,
       v.status AS held, v.order_id AS held_for,
       (SELECT string_agg(concat_ws('*', product_id, qty, unit_price_cents), ','
                          ORDER BY product_id)
          FROM "order".order_items WHERE order_id = o.id) AS bought,
       (SELECT string_agg(concat_ws('*', product_id, qty, unit_price_cents), ','
                          ORDER BY product_id)
          FROM catalog.reservation_items WHERE reservation_id = v.id) AS goods
FROM "order".orders o
FULL JOIN (
    SELECT * FROM catalog.reservations r
    WHERE order_id IS NOT NULL
       OR EXISTS (SELECT 1 FROM "order".orders WHERE reservation_id = r.id)
) v ON v.id = o.reservation_id"""

RULES = (
    SqlRule(
        name="in stock = restocked - sold",
        rows=_STOCK,
        numbers="count(*) AS products, sum(in_stock) AS in_stock, sum(restocked) AS restocked,"
        " sum(sold) AS sold",
        broken="in_stock IS DISTINCT FROM restocked - sold",
        text="'product ', id, ': ', coalesce(in_stock::text, 'nothing'), ' in stock, but ',"
        " restocked, ' restocked - ', sold, ' sold'",
    ),
    SqlRule(
        name="reserved = sum of open reservations",
        rows=_STOCK,
        numbers="sum(reserved) AS reserved, sum(held) AS held",
        broken="reserved IS DISTINCT FROM held",
        text="'product ', id, ': ', coalesce(reserved::text, 'nothing'), ' reserved, but ',"
        " held, ' held by reservations'",
    ),
    SqlRule(
        name="available is never negative",
        rows=_STOCK,
        numbers="sum(in_stock - reserved) AS available, min(in_stock - reserved) AS least",
        broken="in_stock < reserved OR in_stock < 0 OR reserved < 0",
        text="'product ', id, ': ', in_stock, ' in stock, ', reserved, ' reserved'",
    ),
    SqlRule(
        name="an order's goods are held, sold or free as it says",
        rows=_BOUND,
        numbers="count(order_id) AS orders, count(reservation_id) AS reservations",
        broken="""order_id IS NULL OR reservation_id IS NULL
            OR (status, held) NOT IN (VALUES ('CREATED', 'HELD'), ('PAID', 'SOLD'),
                ('SHIPPED', 'SOLD'), ('CANCELLED', 'RELEASED'), ('CANCELLED', 'RETURNED'))
            OR held_for IS DISTINCT FROM order_id OR bought IS DISTINCT FROM goods""",
        text="""'order ', id, CASE
            WHEN order_id IS NULL THEN concat(': is not there, but reservation ', reservation_id,
                ' is ', held, ' for it')
            WHEN reservation_id IS NULL THEN ': its reservation is missing'
            WHEN held_for IS DISTINCT FROM order_id THEN concat(': its reservation ',
                reservation_id, ' is for order ', coalesce(held_for::text, 'none'))
            WHEN bought IS DISTINCT FROM goods THEN concat(': reservation ', reservation_id,
                ' holds other goods')
            ELSE concat(' is ', status, ', but reservation ', reservation_id, ' is ', held) END""",
    ),
    SqlRule(
        name="no cancelled order holds goods",
        rows="""SELECT o.id, v.id AS reservation_id, v.status FROM "order".orders o
            LEFT JOIN catalog.reservations v ON v.id = o.reservation_id
            WHERE o.status = 'CANCELLED'""",
        numbers="count(*) AS cancelled, count(*) FILTER (WHERE status = 'RELEASED') AS released,"
        " count(*) FILTER (WHERE status = 'RETURNED') AS returned",
        broken="status IN ('HELD', 'SOLD')",
        text="'order ', id, ': reservation ', reservation_id, ' is ', status",
    ),
    SqlRule(
        name="no reservation is left without an order",
        rows=_OPEN,
        numbers="count(*) AS open",
        broken="age > %(orphan_age)s",
        text="'reservation ', id, ': HELD for ', age, ' s without an order'",
    ),
)
