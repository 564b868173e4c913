"""What only Notifications needs."""

from email.utils import parseaddr
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from libs.config import DatabaseSettings, Seconds

from .message import is_plain_address


def _sender(text: str) -> str:
    if not text.isprintable() or not is_plain_address(parseaddr(text)[1]):
        raise ValueError("must look like shop@example.com or Demo Shop <shop@example.com>")
    return text


class NotificationsSettings(DatabaseSettings):
    smtp_host: str = "mailhog"
    smtp_port: Annotated[int, Field(ge=1, le=65_535)] = 1025
    smtp_from: Annotated[str, AfterValidator(_sender)] = "Demo Shop <shop@example.com>"
    smtp_timeout: Seconds = 5
    """Of each SMTP command with its answer; twice of it for the mail itself."""

    mail_lease: Seconds = 45
    """How long the mails that a replica took are its own; when it dies, they wait that long."""
    mail_retry_first: Seconds = 2
    mail_retry_most: Seconds = 600
    mail_attempts: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Of a mail that the server puts off (4xx); with the waits above, most of a working day."""
    mail_unconfirmed_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    """Of a mail that was handed over in full without an answer, so it may have arrived."""
    mail_poll_interval: Seconds = 1

    @model_validator(mode="after")
    def _lease_outlasts_a_mail(self) -> Self:
        if self.mail_lease < 9 * self.smtp_timeout:
            raise ValueError("MAIL_LEASE: must be at least nine times SMTP_TIMEOUT")
        return self
