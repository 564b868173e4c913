"""Rows of one table that a transaction holds locked: all that a batch of events needs come in one
statement, and those that have changed go back in one."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from .sql import column_type, run, table_name
from .unit_of_work import Transaction


class _Row(Protocol):
    id: Any


KeyT = TypeVar("KeyT")
RowT = TypeVar("RowT", bound=_Row)

Lock = Callable[[Transaction, Sequence[KeyT]], Awaitable[Mapping[KeyT, RowT]]]
"""Locks the rows of these keys, in one order whoever calls, and makes objects of them. A key that
has no row is left out."""


@dataclass
class _Held(Generic[KeyT, RowT]):
    rows: dict[KeyT, RowT] = field(default_factory=dict)
    written: dict[KeyT, tuple[Any, ...]] = field(default_factory=dict)


class LockedRows(Generic[KeyT, RowT]):
    """Change the objects; what is in `changing` is written last in the transaction.

    `table` has a primary key `id`.
    """

    def __init__(
        self, table: type[RowT], *, changing: Sequence[str], lock: Lock[KeyT, RowT]
    ) -> None:
        self._lock = lock
        self._changing = tuple(changing)
        names = ("id", *changing)
        arrays = ", ".join(f"%s::{column_type(table, name)}[]" for name in names)
        self._statement = f"""
            UPDATE {table_name(table)} AS t
            SET {", ".join(f"{name} = v.{name}" for name in changing)}
            FROM unnest({arrays}) AS v ({", ".join(names)}) WHERE t.id = v.id"""  # noqa: S608

    async def lock(self, transaction: Transaction, keys: Iterable[KeyT]) -> None:
        """Have these ready for `get`; those that are held already stay as they are."""
        held = self._held(transaction)
        if missing := [key for key in dict.fromkeys(keys) if key not in held.rows]:
            for key, row in (await self._lock(transaction, missing)).items():
                self.hold(transaction, key, row)
        transaction.before_commit(self._write)

    def hold(self, transaction: Transaction, key: KeyT, row: RowT) -> None:
        """One that this transaction has locked by a statement of its own."""
        held = self._held(transaction)
        assert key not in held.rows, "changes to the first object would be lost"
        held.rows[key], held.written[key] = row, self._values(row)
        transaction.before_commit(self._write)

    async def get(self, transaction: Transaction, key: KeyT) -> RowT | None:
        """The row, locked until the transaction's end; the same object each time."""
        await self.lock(transaction, [key])
        return self._held(transaction).rows.get(key)

    async def _write(self, transaction: Transaction) -> None:
        held = self._held(transaction)
        values = {key: self._values(row) for key, row in held.rows.items()}
        changed = [key for key in values if values[key] != held.written[key]]
        if changed:
            rows = [(held.rows[key].id, *values[key]) for key in changed]
            await run(
                transaction, self._statement, [list(column) for column in zip(*rows, strict=True)]
            )
            held.written.update({key: values[key] for key in changed})

    def _held(self, transaction: Transaction) -> _Held[KeyT, RowT]:
        held: _Held[KeyT, RowT] = transaction.pending.setdefault(self, _Held())
        return held

    def _values(self, row: RowT) -> tuple[Any, ...]:
        values = (getattr(row, name) for name in self._changing)
        return tuple(value.value if isinstance(value, Enum) else value for value in values)
