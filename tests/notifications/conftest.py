"""Notifications of the shared stack, and a copy of it with a mail server that is odd."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.database import Query
from tests.support.people import Customer, make_customer

from .mailbox import Mailbox, Reader
from .odd_smtp import OddServer
from .own_copy import OwnCopy, Stack, own_database


@pytest.fixture(scope="session")
async def mailbox(stack: Stack) -> AsyncIterator[Mailbox]:
    async with httpx.AsyncClient(base_url=stack["mailhog"]) as client:
        yield Mailbox(client)


@pytest.fixture
async def reader(api: httpx.AsyncClient) -> Reader:
    """A new user, without a mail so far."""
    return Reader(await make_customer(api))


@pytest.fixture(scope="session")
def admin_reader(admin: Customer) -> Reader:
    return Reader(admin)


@pytest.fixture(scope="package")
async def own(stack: Stack, query: Query) -> AsyncIterator[OwnCopy]:
    async with (
        OddServer() as server,
        own_database(stack, server, query) as own,
        own.another() as process,
    ):
        own.url = process.url
        yield own
