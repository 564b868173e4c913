"""Messages that can never take effect, kept whole in a topic of their own."""

import hashlib
from uuid import NAMESPACE_OID, UUID, uuid5

from aiokafka import ConsumerRecord

from .inbox import InboxMixin, claim
from .letter_format import CONSUMER, LETTER_ID, REASON, REPLAY, dead_letter_topic
from .logging import fields, get_logger
from .outbox import Outbox
from .unit_of_work import Transaction

log = get_logger(__name__)

_LONGEST_REASON = 500


class DeadLetters:
    """The dead letters of one consumer group, which is named after its service."""

    def __init__(self, outbox: Outbox, inbox: type[InboxMixin]) -> None:
        self._outbox = outbox
        self._inbox = inbox
        self._service = outbox.service

    async def add(self, transaction: Transaction, record: ConsumerRecord, reason: str) -> bool:
        """Once per consumer group, False when it is there already: the message's place is
        claimed, not its event's id, so that a replay of it can still take effect."""
        letter_id = _identity(record, self._service)
        words = _printable(reason)
        replay = _printable((dict(record.headers).get(REPLAY) or b"").decode(errors="replace"))
        if not await claim(transaction, self._inbox, [letter_id]):
            return False
        self._outbox.add_message(
            transaction,
            letter_id,
            "dead-letter",
            dead_letter_topic(record.topic),
            key=_key(record),
            value=record.value,
            headers={
                LETTER_ID: str(letter_id),
                REASON: words,
                CONSUMER: self._service,
                **({REPLAY: replay} if replay else {}),
            },
        )
        log.error(
            "message dead-lettered",
            extra=fields(topic=record.topic, offset=record.offset, reason=words),
        )
        return True


def _key(record: ConsumerRecord) -> bytes | None:
    """Its own; an empty one for a message of nothing at all, which our producer refuses to send."""
    return b"" if record.key is None and record.value is None else record.key


def _printable(reason: str) -> str:
    """What Postgres and a Kafka header can hold: a letter must never fail to be written."""
    return reason[:_LONGEST_REASON].encode(errors="replace").decode().replace("\0", "?")


def _identity(record: ConsumerRecord, service: str) -> UUID:
    """Names one message of one topic, also when the topic was deleted and made again."""
    digest = hashlib.sha256(record.value or b"").hexdigest()
    place = f"{record.topic}/{record.partition}/{record.offset}/{record.timestamp}"
    return uuid5(NAMESPACE_OID, f"{service}/{place}/{digest}")
