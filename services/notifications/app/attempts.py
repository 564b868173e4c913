"""One attempt to send a mail, and what follows when it was not sent."""

import random

from libs.logging import describe_error, fields, get_logger

from . import mailqueue
from .config import NotificationsSettings
from .mailqueue import Settlement
from .message import Undeliverable, build_message, plain_address
from .models import Mail
from .smtp import MailDeferred, MailRefused, MailServer, MailUnconfirmed, ServerAway

log = get_logger(__name__)


class Attempts:
    def __init__(self, server: MailServer, settings: NotificationsSettings) -> None:
        self._server = server
        self._settings = settings

    async def send(self, mail: Mail) -> Settlement | None:
        """None when it was sent, else how to settle it. Raises only ServerAway."""
        try:
            recipient = plain_address(mail.to)
            message = build_message(mail, sender=self._settings.smtp_from)
        except Exception as error:
            return _failed(mail, _why_not_built(error))
        try:
            await self._server.send(recipient, message)
        except ServerAway:
            raise
        except MailRefused as refusal:
            return _failed(mail, str(refusal))
        except MailUnconfirmed as lost:
            return self._unconfirmed(mail, str(lost))
        except MailDeferred as put_off:
            return self._put_off(mail, str(put_off))
        except Exception as error:
            log.error("sending a mail failed", extra=fields(error=describe_error(error)))
            return self._put_off(mail, type(error).__name__)
        return None

    def _put_off(self, mail: Mail, reason: str, *, unconfirmed: bool = False) -> Settlement:
        attempt = mail.attempts + 1
        if attempt >= self._settings.mail_attempts:
            return _failed(mail, f"put off {attempt} times; the last time: {reason}")
        seconds = self._wait_after(attempt)
        log.info("mail put off", extra=fields(mail_id=mail.id, seconds=round(seconds, 1)))
        return mailqueue.put_off(mail, reason=reason, seconds=seconds, unconfirmed=unconfirmed)

    def _unconfirmed(self, mail: Mail, reason: str) -> Settlement:
        """Each repeat may be a second copy, so there are few."""
        times = mail.unconfirmed + 1
        if times >= self._settings.mail_unconfirmed_attempts:
            return _failed(
                mail, f"handed over {times} times without an answer ({reason}); it may have arrived"
            )
        return self._put_off(mail, reason, unconfirmed=True)

    def _wait_after(self, attempt: int) -> float:
        doubled = self._settings.mail_retry_first * 2.0 ** min(attempt - 1, 30)
        return min(doubled, self._settings.mail_retry_most) * random.uniform(0.7, 1.0)


def _failed(mail: Mail, reason: str) -> Settlement:
    log.warning("mail failed", extra=fields(mail_id=mail.id, type=mail.type))
    return mailqueue.mark_failed(mail, reason=reason)


def _why_not_built(error: Exception) -> str:
    if isinstance(error, Undeliverable):
        return str(error)
    log.error("building a mail failed", extra=fields(error=describe_error(error)))
    return f"no mail could be made of it ({type(error).__name__})"
