"""The loop that forgets sessions whose tokens have all expired."""

from libs.db import Database
from libs.loops import Loop

from . import service

_BATCH = 1000
_EVERY_SECONDS = 25.0


class Cleaner:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, loop: Loop) -> None:
        while True:
            async with self._database.session() as session:
                forgotten = await service.delete_expired(session, limit=_BATCH)
            loop.progressed()
            loop.checkpoint()
            if forgotten < _BATCH:
                await loop.sleep(_EVERY_SECONDS)
