"""A rule, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

from psycopg import sql
from psycopg.rows import dict_row

from ..topics.database import Connection

SHOWN = 10


@dataclass(frozen=True)
class Outcome:
    """`breaches` name what breaks the rule; `skipped` says why it could not be looked at."""

    rule: str
    numbers: Mapping[str, int]
    breaches: Sequence[str] = field(default=())
    skipped: str = ""

    @property
    def ok(self) -> bool:
        return not self.breaches

    def data(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "ok": self.ok,
            "numbers": dict(self.numbers),
            "breaches": list(self.breaches[:SHOWN]),
            "more": self.more,
            **({"skipped": self.skipped} if self.skipped else {}),
        }

    @property
    def more(self) -> int:
        return max(0, len(self.breaches) - SHOWN)


@dataclass(frozen=True)
class SqlRule:
    """A rule over `rows`, a query with an `id`: which of them are `broken`, and how that is said.

    `numbers` is a select list over all rows; `%(name)s` in any of them is one of the audit's
    limits, `{name}` in `rows` one of `parts`.
    """

    name: str
    rows: LiteralString
    numbers: LiteralString
    broken: LiteralString
    text: LiteralString
    parts: Mapping[str, LiteralString] = field(default_factory=dict)

    def check(self, connection: Connection, limits: Mapping[str, float]) -> Outcome:
        inner = {name: sql.SQL(part) for name, part in self.parts.items()}
        rows = sql.SQL(self.rows).format(**inner)
        count = sql.SQL("SELECT {} FROM ({}) AS r").format(sql.SQL(self.numbers), rows)
        find = sql.SQL("SELECT concat({}) FROM ({}) AS r WHERE {} ORDER BY r.id").format(
            sql.SQL(self.text), rows, sql.SQL(self.broken)
        )
        with connection.cursor(row_factory=dict_row) as cursor:
            numbers = cursor.execute(count, limits).fetchone() or {}
        breaches = [str(text) for (text,) in connection.execute(find, limits)]
        return Outcome(self.name, {k: int(v or 0) for k, v in numbers.items()}, breaches)
