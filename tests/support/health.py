"""What a service says of itself: in `/health`, and as it ends."""

from collections.abc import Mapping
from typing import Any


def takes_part(health: Mapping[str, Any]) -> bool:
    """Whether its consumer, if it has one, has a part of its group's partitions."""
    consumer = health["loops"].get("consumer")
    return consumer is None or bool(consumer.get("partitions"))


def assert_ended_by_itself(said: str) -> None:
    """No loop of it was cut off at its shutdown's limit."""
    assert "Finished server process" in said
    assert "cut off" not in said
