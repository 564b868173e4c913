"""Which dead letters a command is about."""

import argparse
from collections.abc import Sequence

from libs.events import TOPICS

from ..console import ScriptError
from .letters import Letter
from .times import moment


def add_filters(parser: argparse.ArgumentParser, *, ids: bool) -> None:
    if ids:
        parser.add_argument("ids", nargs="*", metavar="ID", help="a letter's id, or its beginning")
    parser.add_argument("--topic", choices=TOPICS, metavar="TOPIC", help=" | ".join(TOPICS))
    parser.add_argument("--type", metavar="TYPE", help="such as payment.succeeded")
    parser.add_argument("--consumer", metavar="GROUP", help="the group that could not take it")
    parser.add_argument("--reason", metavar="TEXT", help="text in the reason, in any case")
    parser.add_argument(
        "--since", type=moment, metavar="TIME", help="10m (ago; also s, h, d) or ISO 8601"
    )
    parser.add_argument("--until", type=moment, metavar="TIME", help="the same")


def is_filtered(asked: argparse.Namespace) -> bool:
    names = ("topic", "type", "consumer", "reason", "since", "until")
    return bool(asked.ids) or any(getattr(asked, name) is not None for name in names)


def choose(letters: Sequence[Letter], asked: argparse.Namespace) -> list[Letter]:
    """Raises ScriptError for an id that names none."""
    chosen = [letter for letter in letters if _matches(letter, asked)]
    ids: list[str] = getattr(asked, "ids", [])
    for identity in ids:
        if not any(letter.id.startswith(identity) for letter in chosen):
            raise ScriptError(f"There is no open dead letter {identity} (events.py dlq list)")
    if not ids:
        return chosen
    return [letter for letter in chosen if letter.id.startswith(tuple(ids))]


def _matches(letter: Letter, asked: argparse.Namespace) -> bool:
    return (
        asked.topic in (None, letter.original_topic)
        and asked.type in (None, letter.type)
        and asked.consumer in (None, letter.consumer)
        and (asked.reason or "").casefold() in letter.reason.casefold()
        and (asked.since is None or letter.time >= asked.since)
        and (asked.until is None or letter.time <= asked.until)
    )
