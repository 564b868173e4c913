"""What the mail server has taken is marked as sent, whatever becomes of the mails beside it: a mark
that is left out doubles a mail."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from libs.loops import Loop
from services.notifications.app.config import NotificationsSettings
from services.notifications.app.mailer import Mailer
from tests.support.database import Query
from tests.support.gates import gate
from tests.support.waiting import eventually

from .odd_smtp import TAKE_LATER, OddServer
from .own_copy import OwnCopy, Stack, new_addresses, own_database

MARK = "UPDATE ON notifications.mails"
REFUSED, AWAY = "23514", "57P03"
"""SQLSTATEs: of a check that fails, and of a database that can't be reached just now."""
_REFUSE_MARK = """
CREATE SEQUENCE refusals;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nextval('refusals');
    RAISE EXCEPTION 'no mark' USING ERRCODE = TG_ARGV[0];
END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON notifications.mails FOR EACH ROW
    WHEN ({when}) EXECUTE FUNCTION refuse('{code}')"""


@pytest.fixture
async def fresh(stack: Stack, query: Query) -> AsyncIterator[OwnCopy]:
    """A database and a mail server of the test's own, with no copy running yet."""
    async with OddServer() as server, own_database(stack, server, query) as own:
        yield own


def _marks(recipient: str) -> str:
    return f"NEW.status = 'SENT' AND NEW.recipient = '{recipient}'"


async def _refuse_mark(own: OwnCopy, recipient: str, code: str) -> None:
    await own.query(_REFUSE_MARK.format(when=_marks(recipient), code=code))


async def test_a_mail_is_marked_though_the_server_is_away_for_the_next_one(own: OwnCopy) -> None:
    first, second, third = new_addresses(3)

    def last_one(_: int) -> str:
        own.server.refuses_sender = True
        return "250 OK"

    own.server.on_data[second] = last_one
    async with gate(own.env["POSTGRES_DSN"], MARK, when=_marks(first)) as marking:
        await own.post(first, second, third)
        await marking.hold()
        await eventually(lambda: _arrived(own.server, second), what="the second mail")
        await marking.open()
        await own.wait_for("SENT", [first, second])  # the lease lasts longer
    own.server.refuses_sender = False
    await own.wait_for("SENT", [third])
    assert [len(own.server.to(recipient)) for recipient in (first, second, third)] == [1, 1, 1]


async def test_a_mail_is_marked_though_the_mark_of_one_before_it_failed(fresh: OwnCopy) -> None:
    first, second = new_addresses(2)
    await _refuse_mark(fresh, first, REFUSED)
    await fresh.post(first, second)
    async with fresh.another():
        await fresh.wait_for("SENT", [second])
    assert (await fresh.state(first))[0] == "QUEUED"


async def test_a_shutdown_while_a_mark_waits_for_the_database_cuts_no_mail_off(
    fresh: OwnCopy,
) -> None:
    """In this process, so that the mail goes out right after the loop was told to stop."""
    first, second = new_addresses(2)
    fresh.server.on_data[second] = lambda _: TAKE_LATER
    await _refuse_mark(fresh, first, AWAY)
    await fresh.post(first, second)
    settings = NotificationsSettings(smtp_host="127.0.0.1", smtp_port=fresh.server.port)
    loop = Loop("mailer", Mailer(fresh.database, settings).run)
    loop.start()
    await eventually(lambda: _waits_long(fresh), what="a mark that waits")
    stopping = asyncio.create_task(loop.stop(limit=10))
    fresh.server.go_on.set()
    await stopping
    assert (await fresh.state(first))[0] == "QUEUED"
    assert (await fresh.state(second))[0] == "SENT"


async def _arrived(server: OddServer, recipient: str) -> bool:
    return bool(server.to(recipient))


async def _waits_long(own: OwnCopy) -> bool:
    """After four tries, for more than half a second."""
    return bool((await own.query("SELECT last_value FROM refusals"))[0][0] >= 4)
