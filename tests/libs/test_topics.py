"""How many partitions the topics have: a broker that has just started may not know yet."""

from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import LeaderNotAvailableError, UnknownTopicOrPartitionError

from libs.config import DatabaseSettings
from libs.events import TOPICS
from libs.kafka import ensure_topics


@pytest.fixture
def settings(stack: dict[str, Any]) -> DatabaseSettings:
    return DatabaseSettings(KAFKA_BOOTSTRAP=stack["kafka"])


async def test_they_are_counted(settings: DatabaseSettings) -> None:
    names = {name for topic in TOPICS for name in (topic, f"{topic}.dlq")}
    assert await ensure_topics(settings, TOPICS) == dict.fromkeys(names, 4)


@pytest.mark.parametrize(
    ("code", "error"), [(0, UnknownTopicOrPartitionError), (5, LeaderNotAvailableError)]
)
async def test_a_topic_without_partitions_is_not_there_yet(
    settings: DatabaseSettings, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception]
) -> None:
    """Real Kafka answers so for a moment. The relay would take all of its events for lost."""

    async def describe_topics(_admin: object, topics: list[str]) -> list[dict[str, Any]]:
        return [{"error_code": code, "topic": name, "partitions": []} for name in topics]

    monkeypatch.setattr(AIOKafkaAdminClient, "describe_topics", describe_topics)
    with pytest.raises(error):
        await ensure_topics(settings, TOPICS)
