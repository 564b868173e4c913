"""The tables change under services that are up, whose statements are prepared."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx

from tests.support.market import Market
from tests.support.people import make_admin

from .tools import Faults

SERVICES = ("auth", "catalog", "order", "payment", "shipping", "notifications")
_TABLES = """
SELECT quote_ident(table_schema) || '.' || quote_ident(table_name)
FROM information_schema.tables WHERE table_schema = ANY(%s)"""
_TEXT_COLUMNS = """
SELECT quote_ident(table_schema) || '.' || quote_ident(table_name), quote_ident(column_name)
FROM information_schema.columns WHERE data_type = %s AND table_schema = ANY(%s)"""
_END_POOLED = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = ANY(%s)"""
AT_ONCE = 2
PREPARED_AFTER = 3
"""psycopg prepares a statement at its sixth time on a connection: two orders a round."""


async def test_columns_added_to_all_tables_cost_no_request_and_no_event(faults: Faults) -> None:
    for _ in range(PREPARED_AFTER):
        await _go_through_all(faults)
    tables = [name for (name,) in await faults.query(_TABLES, list(SERVICES))]
    assert len(tables) > 20
    for table in tables:
        await faults.query(f"ALTER TABLE {table} ADD COLUMN added_later text DEFAULT 'x'")
    for _ in range(2):
        await _go_through_all(faults)
    await faults.all_is_well()


async def test_columns_of_another_type_cost_a_service_one_request_at_a_time_and_no_event(
    faults: Faults,
) -> None:
    """From text to varchar and back; reads, mails and consumers have prepared what was before."""
    columns = [tuple(found) for found in await faults.query(_TEXT_COLUMNS, "text", list(SERVICES))]
    assert len(columns) > 40
    async with _patient(faults) as (patient, refused):
        for new_type in ("varchar", "text"):
            for _ in range(PREPARED_AFTER):
                await _go_through_all(patient)
            for table, column in columns:
                await faults.query(f"ALTER TABLE {table} ALTER {column} TYPE {new_type}")
            del refused[:]
            for _ in range(2):
                await _go_through_all(patient)
            assert len(refused) <= len(SERVICES) * AT_ONCE, refused
            await faults.all_is_well()
        # A pooled connection that no request has met since would cost the next test one.
        assert await faults.query(_END_POOLED, list(SERVICES))
        await _go_through_all(patient)


@asynccontextmanager
async def _patient(faults: Faults) -> AsyncIterator[tuple[Faults, list[str]]]:
    """(the same stack, for a client that sends again what is answered with 503; what that was)"""
    transport = PatientTransport()
    address, key = faults.market.api.base_url, faults.market.internal_key
    async with httpx.AsyncClient(base_url=address, transport=transport, timeout=30) as api:
        market = Market(await make_admin(api, key), key)
        yield Faults(replace(faults.stand, market=market), faults.events), transport.refused


class PatientTransport(httpx.AsyncHTTPTransport):
    """Sends again what is answered with 503."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        while (response := await super().handle_async_request(request)).status_code == 503:
            await response.aclose()
            self.refused.append(request.url.path)
            assert len(self.refused) < 50, self.refused
        return response


async def _go_through_all(faults: Faults) -> None:
    """Orders that are shipped and refunded; each request is answered."""
    market = faults.market
    (_, _, shipment), (buyer, paid, _) = await asyncio.gather(
        faults.ready_order(), faults.ready_order()
    )
    assert (await market.dispatch(shipment)).status_code == 200
    assert (await market.cancel(buyer, paid)).status_code == 200
    await market.wait_for_payment(paid, "REFUNDED")
