"""The statements that services send, from the log of their Postgres, and the plans of these.

The local stack's Postgres has neither pg_stat_statements nor auto_explain; its log has every
statement with its parameters, and the planner says what it would do with them.
"""

import itertools
import re
from collections.abc import AsyncIterator, Callable, Container, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from tests.support.waiting import eventually

Connection = psycopg.AsyncConnection[Any]
Plan = Mapping[str, Any]

_SETTINGS: Mapping[str, LiteralString] = {
    "log_statement": "'all'",
    "log_line_prefix": "'<<%a>>'",
    "log_parameter_max_length": "-1",
}
_ENTRY = re.compile(r"^<<(?P<by>[^>]*)>>(?P<level>[A-Z]+):  (?P<text>.*(?:\n\t.*)*)", re.MULTILINE)
_STATEMENT = re.compile(r"^(?:execute [^:]*|statement): (?P<sql>.*)", re.DOTALL)
_PARAMETER = re.compile(r"\$(\d+) = (NULL|'(?:[^']|'')*')")
_PLANNED = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", re.IGNORECASE)
_INTERVAL = re.compile(r"^'(?!')(\d+ days?)? ?(\d+:\d\d:\d\d(\.\d+)?)?'$")
_MODES: tuple[LiteralString, ...] = ("force_custom_plan", "force_generic_plan")
_PLANNING_A_TABLE = 2.5
_NUMBERS = itertools.count(1)
_SEQUENTIAL = ("Seq Scan", "Parallel Seq Scan")
_BY_INDEX = ("Index Scan", "Index Only Scan")
_TAKE_ALL = ("Sort", "Aggregate", "Hash", "Materialize", "Unique", "SetOp")
_MANY = 500


@dataclass(frozen=True)
class Statement:
    """As one service sent it; `parameters` are literals."""

    service: str
    text: str
    parameters: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.service}: {' '.join(self.text.split())}"


@dataclass
class Recording:
    """All that was sent, in its order; iterating gives one of each text, as it was sent last."""

    sent: list[Statement] = field(default_factory=list)

    def __iter__(self) -> Iterator[Statement]:
        return iter({(one.service, one.text): one for one in self.sent}.values())


@asynccontextmanager
async def record(connection: Connection, read: Callable[[], str]) -> AsyncIterator[Recording]:
    """Everything that is sent while the block runs, filled in at its end; `read` gives the
    server's log."""
    recording = Recording()
    for name, value in _SETTINGS.items():
        await connection.execute(sql.SQL(f"ALTER SYSTEM SET {name} = {value}"))
    await _reload(connection, logging=True)
    begin = len(read())
    try:
        yield recording
    finally:
        for name in _SETTINGS:
            await connection.execute(sql.SQL(f"ALTER SYSTEM RESET {name}"))
        await _reload(connection, logging=False)
    recording.sent.extend(_read(read()[begin:]))


async def _reload(connection: Connection, *, logging: bool) -> None:
    """Until the server's processes, this connection's among them, have been told and it has read
    the settings."""

    async def has_read() -> bool:
        cursor = await connection.execute("SHOW log_statement")
        return (await cursor.fetchone() == ("all",)) is logging

    await connection.execute("SELECT pg_reload_conf()")
    await eventually(has_read, what="settings that have been read")


def _read(log: str) -> Iterator[Statement]:
    """A statement's parameters are the entry after it, by the same name."""
    last: Statement | None = None
    for entry in _ENTRY.finditer(log):
        text = entry["text"].replace("\n\t", "\n")
        if entry["level"] == "DETAIL" and last and text.lower().startswith("parameters:"):
            values = {int(n): value for n, value in _PARAMETER.findall(text)}
            yield Statement(last.service, last.text, tuple(values[n] for n in sorted(values)))
            last = None
            continue
        if last:
            yield last
        found = _STATEMENT.match(text) if entry["level"] == "LOG" else None
        planned = found and _PLANNED.match(found["sql"])
        last = Statement(entry["by"], found["sql"]) if found and planned else None
    if last:
        yield last


async def explain(connection: Connection, statement: Statement) -> Plan:
    """The plan that Postgres would keep to: one for any parameters, to which `libs.db` holds all
    but the relays; there only when it is not dearer than planning each time."""
    name = f"plan_{next(_NUMBERS)}"
    await connection.execute(f"PREPARE {name}{_types(statement)} AS {statement.text}".encode())
    plans = [await _explain(connection, name, statement, mode) for mode in _MODES]
    own, general = (plan["Total Cost"] for plan in plans)
    planning = _PLANNING_A_TABLE * (1 + sum("Relation Name" in node for node in nodes(plans[0])))
    chooses = statement.service.endswith("-relay")
    return plans[0] if chooses and own + planning < general else plans[1]


async def _explain(
    connection: Connection, name: str, statement: Statement, mode: LiteralString
) -> Plan:
    await connection.execute(sql.SQL(f"SET plan_cache_mode = {mode}"))
    values = f"({', '.join(statement.parameters)})" if statement.parameters else ""
    cursor = await connection.execute(
        f"EXPLAIN (FORMAT JSON, VERBOSE) EXECUTE {name}{values}".encode()
    )
    ((explained,),) = await cursor.fetchall()
    plan: Plan = explained[0]["Plan"]
    return plan


def _types(statement: Statement) -> str:
    """What the log does not tell, and Postgres can't infer from `now() - $1`."""
    types = ["interval" if _INTERVAL.match(p) else "unknown" for p in statement.parameters]
    return f"({', '.join(types)})" if types else ""


def nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def whole_reads(plan: Plan, big: Container[str], *, stops_early: bool = False) -> set[str]:
    """The big tables that are read from one end to the other: as they lie, or along an index
    without a condition on it, unless what needs the rows stops after a few."""
    kind = plan["Node Type"]
    stops_early = kind == "Limit" or (stops_early and kind not in _TAKE_ALL)
    found = set()
    table = f"{plan.get('Schema')}.{plan.get('Relation Name')}"
    if table in big and (kind in _SEQUENTIAL or _follows_all(plan, stops_early)):
        found.add(table)
    for child in plan.get("Plans", ()):
        found |= whole_reads(child, big, stops_early=stops_early)
    return found


def _follows_all(plan: Plan, stops_early: bool) -> bool:
    scans = [plan] if plan["Node Type"] in _BY_INDEX else plan.get("Plans", ())
    return not stops_early and any(
        "Index Cond" not in scan and scan["Plan Rows"] >= _MANY
        for scan in scans
        if scan["Node Type"] in (*_BY_INDEX, "Bitmap Index Scan")
    )
