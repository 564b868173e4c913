"""The tables change under services that are up, whose statements are prepared."""

import asyncio

from .tools import Faults

_TABLES = """
SELECT quote_ident(table_schema) || '.' || quote_ident(table_name)
FROM information_schema.tables WHERE table_schema IN
('auth', 'catalog', 'order', 'payment', 'shipping', 'notifications')"""
PREPARED_AFTER = 3
"""psycopg prepares a statement at its sixth time on a connection: two orders a round."""


async def test_columns_added_to_all_tables_cost_no_request_and_no_event(faults: Faults) -> None:
    for _ in range(PREPARED_AFTER):
        await _go_through_all(faults)
    tables = [name for (name,) in await faults.query(_TABLES)]
    assert len(tables) > 20
    for table in tables:
        await faults.query(f"ALTER TABLE {table} ADD COLUMN added_later text DEFAULT 'x'")
    for _ in range(2):
        await _go_through_all(faults)
    await faults.all_is_well()


async def _go_through_all(faults: Faults) -> None:
    """Orders that are shipped and refunded; each request is answered."""
    market = faults.market
    (_, _, shipment), (buyer, paid, _) = await asyncio.gather(
        faults.ready_order(), faults.ready_order()
    )
    assert (await market.dispatch(shipment)).status_code == 200
    assert (await market.cancel(buyer, paid)).status_code == 200
    await market.wait_for_payment(paid, "REFUNDED")
