"""PowerShell's syntax tree, and what literals in it stand for."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from .http_calls import UNKNOWN

PARSER = Parser(Language(tree_sitter_powershell.language()))
WHOLE = {"array_expression", "hash_literal_expression", "string_literal", "variable"}


def parse(path: Path) -> Node:
    return PARSER.parse(path.read_bytes()).root_node


def faults(node: Node) -> Iterator[str]:
    """What the grammar does not take for PowerShell."""
    if node.is_error or node.is_missing:
        yield f"line {node.start_point.row + 1}: {text(node)[:60]!r}"
    for child in node.children:
        yield from faults(child)


def text(node: Node) -> str:
    return (node.text or b"").decode()


def inside(node: Node, kind: str) -> Iterator[Node]:
    """All nodes of a kind in the order of the text, but for those in functions inside of it."""
    for child in node.children:
        if child.type == kind:
            yield child
        if child.type != "function_statement":
            yield from inside(child, kind)


def functions(root: Node) -> dict[str, Node]:
    found = [node for node in _everything(root) if node.type == "function_statement"]
    return {text(node.children[1]): node for node in found}


def _everything(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _everything(child)


def assigned(scope: Node, before: Node | None = None) -> dict[str, Node]:
    """What each variable was given last, up to a place in the scope."""
    found = {}
    for assignment in inside(scope, "assignment_expression"):
        if before is None or assignment.start_byte < before.start_byte:
            found[text(assignment.children[0])] = assignment.children[2]
    return found


def value(node: Node, known: Mapping[str, Node]) -> Any:
    """Of a literal, or of a variable that was given one; UNKNOWN where only a run can tell."""
    node = _core(node)
    if node.type == "variable":
        return _variable(text(node), known)
    if node.type == "string_literal":
        return _string(text(node))
    if node.type == "hash_literal_expression":
        entries = list(inside(node, "hash_entry"))
        depth = min((len(_parents(entry)) for entry in entries), default=0)
        own = [entry for entry in entries if len(_parents(entry)) == depth]
        return {text(entry.children[0]): value(entry.children[2], known) for entry in own}
    if node.type == "array_expression":
        lists = list(inside(node, "array_literal_expression"))[:1]
        return [value(item, known) for items in lists for item in items.named_children]
    return int(text(node)) if text(node).isdecimal() else UNKNOWN


def _core(node: Node) -> Node:
    """Without the levels of precedence that a single value is wrapped in."""
    while node.type not in WHOLE and len(node.named_children) == 1:
        node = node.named_children[0]
    return node


def _variable(name: str, known: Mapping[str, Node]) -> Any:
    if name in ("$true", "$false"):
        return name == "$true"
    return value(known[name], known) if name in known else UNKNOWN


def _string(source: str) -> str:
    if source.startswith("'"):
        return source[1:-1].replace("''", "'")
    return re.sub(r"\$\([^()]*\)|\$\w+", UNKNOWN, source[1:-1])


def _parents(node: Node) -> list[Node]:
    parents = []
    while node.parent:
        node = node.parent
        parents.append(node)
    return parents


def arguments(command: Node) -> tuple[list[Node], dict[str, Node | None]]:
    """The positional ones, and the named ones: a switch without a value has None."""
    positional: list[Node] = []
    named: dict[str, Node | None] = {}
    last = ""
    elements = command.children[1].children if len(command.children) > 1 else []
    for element in elements:
        if element.type == "command_parameter":
            last = text(element)
            named[last] = None
        elif element.type != "command_argument_sep":
            if last:
                named[last] = element
            else:
                positional.append(element)
            last = ""
    return positional, named
