"""The HTTP calls of run_demo.ps1, read from its syntax tree."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tree_sitter import Node

from .http_calls import Call, make_call
from .powershell import arguments, assigned, functions, inside, parse, text, value

PRIMITIVES = {"Invoke-Shop", "Send-Request"}
ROLES = {"$AdminToken": ["admin"], "$CustomerToken": ["customer"], "$token": ["admin", "customer"]}


class Demo:
    """`parts` are the scripts that `main` dot-sources."""

    def __init__(self, main: Path, parts: list[Path]) -> None:
        self.main = parse(main)
        roots = [parse(part) for part in parts] + [self.main]
        self.globals = {name: node for root in roots for name, node in assigned(root).items()}
        self.functions = {name: node for root in roots for name, node in functions(root).items()}

    def value(self, variable: str) -> Any:
        return value(self.globals[variable], {})

    def calls(self) -> list[Call]:
        """In the order in which the demo comes to them, each place once."""
        return list(self._calls(self.main, set()))

    def _calls(self, scope: Node, seen: set[str]) -> Iterator[Call]:
        for command in inside(scope, "command"):
            name = text(command.children[0])
            if name in PRIMITIVES:
                yield _call(command, {**self.globals, **assigned(scope, before=command)})
            elif name in self.functions and name not in seen:
                seen.add(name)
                yield from self._calls(self.functions[name], seen)


def _call(command: Node, known: Mapping[str, Node]) -> Call:
    positional, named = arguments(command)
    method, target = text(positional[0]), value(positional[1], {**known})
    token, body = named.get("-Token"), named.get("-Body")
    return make_call(
        method,
        target if target.startswith("/") else target.removeprefix("{}"),
        value(body, known) if body else None,
        roles=ROLES[text(token)] if token else [],
        internal=_internal(named),
        statuses=_statuses(named.get("-Expect")),
    )


def _internal(named: Mapping[str, Node | None]) -> str:
    if "-Internal" not in named:
        return "never"
    return "sometimes" if named["-Internal"] else "always"


def _statuses(expected: Node | None) -> list[int]:
    return [int(number) for number in text(expected).split(",")] if expected else [200]
