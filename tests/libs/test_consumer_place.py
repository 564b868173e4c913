"""A consumer whose group coordinator answers no more."""

import asyncio
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from aiokafka.errors import CommitFailedError

from libs import consumer_place
from libs.consumer_place import commit


class Client:
    """An AIOKafkaConsumer's part that commits."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    async def commit(self, _offsets: Any) -> None:
        if self.error:
            raise self.error
        await asyncio.Event().wait()


RECORD = ConsumerRecord("t", 0, 5, 0, 0, None, None, None, 0, 0, ())


async def test_no_answer_ends_the_client_so_that_a_new_one_joins_the_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consumer_place, "_COMMIT_LIMIT", 0.01)
    with pytest.raises(TimeoutError):
        await commit(Client(None), [RECORD])


async def test_a_refusal_is_only_a_rebalance() -> None:
    await commit(Client(CommitFailedError()), [RECORD])
