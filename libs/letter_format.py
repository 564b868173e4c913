"""What a dead letter looks like: its topic, its headers, and those of its replay."""

from aiokafka import ConsumerRecord

DLQ_SUFFIX = ".dlq"

LETTER_ID, REASON, CONSUMER = "letter-id", "reason", "consumer"
"""Headers of a letter. It may be sent twice; its id stays the same."""
SETTLED = "settles"
"""Header of a record that says: the letter of this id is dealt with."""
REPLAY, REPLAY_FOR = "replay", "replay-for"
"""Headers of a letter's message that is sent again: the replay's id, and the group it is for."""


def dead_letter_topic(topic: str) -> str:
    return topic + DLQ_SUFFIX


def is_dead_letter_topic(topic: str) -> bool:
    return topic.endswith(DLQ_SUFFIX)


def is_for(record: ConsumerRecord, service: str) -> bool:
    """A replay is for the one group that could not take the message; the others pass it by."""
    group = dict(record.headers).get(REPLAY_FOR)
    return group is None or group == service.encode()
