"""One connection to the mail server for many mails, and what can become of a mail."""

import asyncio
import time
from contextlib import suppress

import aiosmtplib
from aiosmtplib import SMTPDataError, SMTPException, SMTPResponseException

from libs.health import Check, NotReady

from .config import NotificationsSettings
from .message import sender_address, sender_domain

COMMANDS_A_MAIL = 8
"""The most that one mail can take, in SMTP_TIMEOUTs: RSET, connect, MAIL, RCPT, and DATA, which
has twice the time for each of its two answers."""

_FRESH_SECONDS = 0.5


class ServerAway(Exception):  # noqa: N818
    """No mail can be sent just now; nothing is wrong with any of them."""


class MailRefused(Exception):  # noqa: N818
    """The server will never take this mail."""


class MailDeferred(Exception):  # noqa: N818
    """The server did not take this mail now; it may later."""


class MailUnconfirmed(Exception):  # noqa: N818
    """The mail was handed over, but no answer came: it may have arrived."""


class MailServer:
    def __init__(self, settings: NotificationsSettings) -> None:
        self._sender = sender_address(settings.smtp_from)
        self._timeout = settings.smtp_timeout
        self._client = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            timeout=settings.smtp_timeout,
            # Else it asks the resolver for this machine's name, which can take its time.
            local_hostname=sender_domain(settings.smtp_from),
        )
        self._used_at = 0.0

    async def connect(self) -> None:
        """Make sure of a working connection. Raises ServerAway."""
        if await self._is_working():
            return
        try:
            async with asyncio.timeout(self._timeout):
                await self._client.connect()
        except (SMTPException, OSError) as error:
            self.drop()
            raise ServerAway(_code(error)) from error
        self._used_at = time.monotonic()

    async def _is_working(self) -> bool:
        if not self._client.is_connected:
            return False
        if time.monotonic() - self._used_at < _FRESH_SECONDS:
            return True
        try:
            await self._client.rset()
        except (SMTPException, OSError):
            self.drop()
            return False
        return True

    async def send(self, recipient: str, message: bytes) -> None:
        """Raises ServerAway, MailRefused, MailDeferred or MailUnconfirmed."""
        self._used_at = 0.0  # so that after a failure the connection is tried, and reset, first
        await self._address(recipient)
        await self._hand_over(message)
        self._used_at = time.monotonic()

    async def _address(self, recipient: str) -> None:
        try:
            await self._client.mail(self._sender)
        except (SMTPException, OSError) as error:
            # Nothing of the mail was said yet: what is wrong is the server, or our address.
            self.drop()
            raise ServerAway(_code(error)) from error
        try:
            await self._client.rcpt(recipient)
        except (SMTPException, OSError) as error:
            raise self._outcome(error) from error

    async def _hand_over(self, message: bytes) -> None:
        try:
            await self._client.data(message, timeout=2 * self._timeout)
        except SMTPDataError as answer:
            raise self._outcome(answer) from answer
        except (SMTPException, OSError) as error:
            self.drop()
            raise MailUnconfirmed(_words(error)) from error

    def _outcome(self, error: Exception) -> MailRefused | MailDeferred:
        if not isinstance(error, SMTPResponseException):
            self.drop()
            return MailDeferred(_words(error))
        return (MailRefused if error.code >= 500 else MailDeferred)(_words(error))

    async def quit(self) -> None:
        """Part politely, within a limit."""
        if self._client.is_connected:
            with suppress(SMTPException, OSError):
                await self._client.quit(timeout=2)
        self.drop()

    def drop(self) -> None:
        self._client.close()


def smtp_check(settings: NotificationsSettings) -> Check:
    """The mail server greets; without it, mails wait in the queue."""

    async def run() -> None:
        reader, writer = await asyncio.open_connection(settings.smtp_host, settings.smtp_port)
        try:
            greeting = await reader.readline()
            if not writer.is_closing():  # uvloop raises there, when the server has hung up
                writer.write(b"QUIT\r\n")
        finally:
            writer.close()
        if not greeting.startswith(b"220"):
            raise NotReady("does not greet as a mail server")

    return Check("smtp", run, vital=False)


def _words(error: Exception) -> str:
    if isinstance(error, SMTPResponseException):
        return f"{error.code} {error.message}"
    return type(error).__name__


def _code(error: Exception) -> str:
    """What went wrong, without the server's words: it is shown in /health."""
    return f"answers {error.code}" if isinstance(error, SMTPResponseException) else _words(error)
