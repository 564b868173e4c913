"""The loop that sends the queued mails.

No transaction is open while SMTP talks: a batch is taken by a lease, and settled after it. A mail
whose holder died is sent again after the lease, under the same Message-ID.
"""

import asyncio
import time

from libs.database_errors import database_unavailable
from libs.db import Database
from libs.logging import fields, get_logger
from libs.loops import Backoff, Loop

from . import mailqueue
from .attempts import Attempts
from .config import NotificationsSettings
from .mailqueue import Settlement
from .models import Mail
from .smtp import COMMANDS_A_MAIL, MailServer, ServerAway

log = get_logger(__name__)

_BATCH = 20
_MOST_UNMARKED = 5
"""How many mails may be out while those before them are being marked so: what a kill doubles."""


class Mailer:
    def __init__(self, database: Database, settings: NotificationsSettings) -> None:
        self._database = database
        self._settings = settings
        self._server = MailServer(settings)
        self._attempts = Attempts(self._server, settings)
        self._starting_time = settings.mail_lease - COMMANDS_A_MAIL * settings.smtp_timeout

    async def run(self, loop: Loop) -> None:
        away = Backoff(most=2.0)
        try:
            while True:
                try:
                    more = await self._send_batch(loop)
                except ServerAway as error:
                    log.warning("mail server away", extra=fields(reason=str(error)))
                    await self._report(loop, mail_server=f"away ({error})")
                    await loop.pause(away.next())
                else:
                    away.reset()
                    if not more:
                        await self._wait(loop)
        finally:
            await self._server.quit()

    async def _send_batch(self, loop: Loop) -> bool:
        """Send the mails that are due, oldest first; True when there may be more."""
        last_start = time.monotonic() + self._starting_time
        async with self._database.autocommit() as connection:
            mails = await mailqueue.take(connection, limit=_BATCH, lease=self._settings.mail_lease)
        waiting = list(mails)
        try:
            await self._send_until(loop, waiting, last_start)
        finally:
            if waiting:
                await self._settle(loop, mailqueue.give_back(waiting))
        return bool(waiting) or len(mails) == _BATCH

    async def _send_until(self, loop: Loop, waiting: list[Mail], last_start: float) -> None:
        """Work through `waiting`; what is left in it was not touched."""
        sent: list[Mail] = []
        marking: asyncio.Task[None] | None = None
        try:
            while waiting and time.monotonic() < last_start:
                loop.checkpoint()
                await self._server.connect()
                unsent = await self._attempts.send(waiting[0])
                mail = waiting.pop(0)
                loop.progressed()
                if unsent is not None:
                    await self._settle(loop, unsent)
                    continue
                sent.append(mail)
                if marking and not marking.done() and len(sent) < _MOST_UNMARKED:
                    continue
                if marking:
                    await marking
                marking = asyncio.create_task(self._settle(loop, mailqueue.mark_sent(sent)))
                sent = []
        finally:
            try:
                if marking:
                    await marking
            finally:
                if sent:
                    await self._settle(loop, mailqueue.mark_sent(sent))

    async def _settle(self, loop: Loop, settlement: Settlement) -> None:
        """Until it is written: without the database there is nothing else to do anyway."""
        backoff = Backoff()
        while True:
            try:
                async with self._database.autocommit() as connection:
                    await settlement(connection)
            except Exception as error:
                if not database_unavailable(error):
                    raise
                log.warning("waiting to settle mails", extra=fields(error=type(error).__name__))
                loop.checkpoint()
                await asyncio.sleep(backoff.next())  # not as one who waits: a mail may be going out
            else:
                return

    async def _wait(self, loop: Loop) -> None:
        """For the next mail; after a while without one, without a connection."""
        if await loop.sleep(self._settings.mail_poll_interval):
            loop.progressed(mail_server="ok")
            return
        await self._server.quit()
        await self._report(loop, mail_server="ok")

    async def _report(self, loop: Loop, *, mail_server: str) -> None:
        async with self._database.autocommit() as connection:
            queued = await mailqueue.count_queued(connection)
        loop.progressed(queued=queued, mail_server=mail_server)
