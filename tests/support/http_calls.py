"""An HTTP call in a form in which two programs' calls can be compared."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

UNKNOWN = "{}"
"""A value that only a run can tell."""


@dataclass(frozen=True)
class Call:
    """`roles` are whose tokens it is sent with; `internal` is "never", "always" or "sometimes"."""

    method: str
    path: str
    fields: dict[str, Any]
    """Query and body, flat: `{"?limit": "20", "items.0.qty": 10}`."""
    roles: frozenset[str]
    internal: str
    statuses: frozenset[int]

    @property
    def route(self) -> str:
        return f"{self.method} {self.path}"


def make_call(
    method: str,
    target: str,
    body: Any = None,
    *,
    roles: Iterable[str] = (),
    internal: str = "never",
    statuses: Iterable[int],
) -> Call:
    """`target` is a path with its query; ids in it become `{}`."""
    parts = urlsplit(target)
    path = re.sub(r"(?<=/)\d+(?=/|$)", UNKNOWN, parts.path)
    path = re.sub(r"^/\w+/health$", f"/{UNKNOWN}/health", path)
    query = {f"?{name}": value for name, value in parse_qsl(parts.query)}
    fields = query | flatten(body)
    return Call(method, path, fields, frozenset(roles), internal, frozenset(statuses))


def flatten(value: Any, name: str = "") -> dict[str, Any]:
    """`{"items": [{"qty": 1}]}` becomes `{"items.0.qty": 1}`; an empty thing becomes nothing."""
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = [(str(index), item) for index, item in enumerate(value)]
    else:
        return {} if value is None else {name: value}
    flat: dict[str, Any] = {}
    for key, member in members:
        flat |= flatten(member, f"{name}.{key}" if name else key)
    return flat


def one_for_each_route(calls: Iterable[Call]) -> list[Call]:
    """In the order in which they first appear; what differs from call to call is UNKNOWN."""
    found: dict[str, Call] = {}
    for call in calls:
        found[call.route] = _merged(found[call.route], call) if call.route in found else call
    return list(found.values())


def _merged(one: Call, other: Call) -> Call:
    fields = {
        name: value if other.fields.get(name) == value else UNKNOWN
        for name, value in (other.fields | one.fields).items()
    }
    return Call(
        one.method,
        one.path,
        fields,
        one.roles | other.roles,
        one.internal if one.internal == other.internal else "sometimes",
        one.statuses | other.statuses,
    )
