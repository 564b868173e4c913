"""When a pooled connection is not to be used again, although it is open on our side."""

import select
import sys
from collections.abc import MutableMapping
from typing import Any

from sqlalchemy import Engine, ExceptionContext, event
from sqlalchemy.exc import DisconnectionError

_ERA = "era"
_STALE_PLAN, _READ_ONLY = "0A000", "25006"


class _Era:
    """What the connections made at one time share."""

    over = False


class ConnectionGuard:
    """Watches the pools of one process: what one connection finds out counts for all of them."""

    def __init__(self) -> None:
        self._era = _Era()

    def watch(self, engine: Engine) -> None:
        event.listen(engine, "connect", self._stamp)
        event.listen(engine, "checkout", _refuse_useless)
        event.listen(engine, "handle_error", _give_up)

    def _stamp(self, _connection: object, record: Any) -> None:
        if self._era.over:
            self._era = _Era()
        record.info[_ERA] = self._era


def end_era(info: MutableMapping[Any, Any], error: BaseException | None) -> bool:
    """Whether `error` says that the connection of this `info`, and any of its time, is not to be
    used again.

    Its prepared statements return other types since a migration: no new try on it, nor on one
    of the same age, would go better. Or the server takes no changes, as one that was the primary
    until a failover: another connection may lead to the new one.
    """
    if not _is_of_the_past(error):
        return False
    info[_ERA].over = True
    return True


def _is_of_the_past(error: BaseException | None) -> bool:
    state = getattr(error, "sqlstate", None)
    return state == _READ_ONLY or (state == _STALE_PLAN and "cached plan" in str(error))


def _give_up(context: ExceptionContext) -> None:
    connection = context.connection
    if connection is not None and end_era(connection.info, context.original_exception):
        context.is_disconnect = True


def _refuse_useless(connection: Any, record: Any, _proxy: object) -> None:
    """Let the pool connect anew where the server has hung up: after a restart of the database no
    request fails on a connection of before. The socket says so, without a round trip."""
    if record.info[_ERA].over:
        raise DisconnectionError("the connection is of before a change in the database")
    if _is_readable(connection.driver_connection.fileno()):
        raise DisconnectionError("the server has closed the connection")


def _is_readable(socket: int) -> bool:
    if sys.platform == "win32":
        return bool(select.select([socket], [], [], 0)[0])
    poll = select.poll()  # select() can't watch a number above 1023
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))
