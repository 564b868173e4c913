"""Customers, and products with their stock."""

from typing import LiteralString

# `%(hash)s` is one password's for all of them: 50,000 hashes of their own would take an hour.
CUSTOMERS: LiteralString = """
INSERT INTO auth.users (email, role, password_hash, created_at)
SELECT 'fill-' || k || '@fill.example', 'customer', %(hash)s, now() - interval '120 days'
FROM generate_series(%(first)s::int, %(last)s::int) k
ON CONFLICT DO NOTHING"""

CATEGORIES: LiteralString = """
INSERT INTO catalog.categories (name)
SELECT 'Fill ' || name FROM unnest(ARRAY['Kitchen', 'Garden', 'Office', 'Books', 'Games', 'Music',
    'Sports', 'Travel', 'Tools', 'Toys', 'Lamps', 'Clothes', 'Shoes', 'Bags', 'Art', 'Pets',
    'Health', 'Bikes', 'Phones', 'Cameras']) name
ON CONFLICT DO NOTHING"""

PRODUCTS: LiteralString = """
WITH words AS (
    SELECT ARRAY['Small', 'Large', 'Blue', 'Red', 'Green', 'Old', 'New', 'Round', 'Square', 'Soft',
                 'Bright', 'Quiet', 'Heavy', 'Light', 'Folding', 'Simple'] AS how,
           ARRAY['Mug', 'Lamp', 'Chair', 'Table', 'Clock', 'Book', 'Bag', 'Box', 'Bowl', 'Spoon',
                 'Knife', 'Pen', 'Frame', 'Mirror', 'Shelf', 'Basket', 'Vase', 'Towel', 'Pillow',
                 'Blanket', 'Kettle', 'Pan', 'Jar'] AS what,
           (SELECT array_agg(id ORDER BY id) FROM catalog.categories WHERE name LIKE 'Fill %%')
           AS category
), new AS (
    INSERT INTO catalog.products (sku, title, title_folded, description, price_cents, currency,
                                  category_id, active, created_at)
    SELECT 'FILL-' || k, title, lower(title), title || ', as good as it looks in the picture.',
           100 + (k::bigint * 7919) %% 99900, 'USD', category[1 + k %% cardinality(category)],
           k %% 50 <> 0, now() - interval '120 days' + make_interval(secs => k)
    FROM words, generate_series(%(first)s::int, %(last)s::int) k,
         LATERAL (SELECT how[1 + k %% 16] || ' ' || what[1 + k %% 23] || ' ' || k AS title) t
    ON CONFLICT DO NOTHING RETURNING id, created_at
), levels AS (
    INSERT INTO catalog.inventory (product_id, in_stock, reserved)
    SELECT id, 100000000, 0 FROM new
)
INSERT INTO catalog.restocks (product_id, qty, created_at)
SELECT id, 100000000, created_at FROM new"""

COUNT_CUSTOMERS: LiteralString = (
    "SELECT count(*) FROM auth.users WHERE email LIKE 'fill-%@fill.example'"
)
COUNT_PRODUCTS: LiteralString = "SELECT count(*) FROM catalog.products WHERE sku LIKE 'FILL-%'"

# What orders are made of: those that there are by now, numbered without a gap.
SHOP: tuple[LiteralString, ...] = (
    """
CREATE TEMP TABLE fill_customers AS
SELECT row_number() OVER (ORDER BY id) AS k, id, email FROM auth.users
WHERE email LIKE 'fill-%@fill.example'""",
    """
CREATE TEMP TABLE fill_products AS
SELECT row_number() OVER (ORDER BY id) AS k, id, title, price_cents FROM catalog.products
WHERE sku LIKE 'FILL-%' AND currency = 'USD'""",
    "CREATE UNIQUE INDEX ON fill_customers (k)",
    "CREATE UNIQUE INDEX ON fill_products (k)",
    "ANALYZE fill_customers, fill_products",
)
