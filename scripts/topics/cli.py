"""`python scripts/events.py`."""

import argparse
import sys

from libs.asyncapi import CONSUMERS
from libs.events import EVENT_TYPES, TOPICS

from ..console import Console
from ..stacks import Target, add_choice, chosen_target
from .choice import add_filters
from .database import open_database
from .dlq import run_dlq
from .letters import LETTER_TOPICS
from .republish import count, republish
from .tail import tail
from .times import moment


def _parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="events.py", description="The events of a stack that is up, for an operator."
    )
    commands = root.add_subparsers(dest="command", required=True)
    _add_dlq(commands.add_parser("dlq", help="messages that a consumer could not take"))
    again = commands.add_parser(
        "republish", help="send events of a service again, also refused ones"
    )
    again.add_argument("--service", required=True, choices=sorted(CONSUMERS))
    again.add_argument(
        "--since", required=True, type=moment, metavar="TIME", help="10m (ago) or ISO 8601"
    )
    again.add_argument("--dry-run", action="store_true", help="only say how many they are")
    follow = commands.add_parser("tail", help="print the topics as they come")
    topics = (*TOPICS, *LETTER_TOPICS)
    follow.add_argument("--topic", action="append", choices=topics, metavar="TOPIC")
    follow.add_argument("--type", action="append", choices=sorted(EVENT_TYPES), metavar="TYPE")
    follow.add_argument("--since", type=moment, metavar="TIME", help="begin there, not now")
    for parser in (again, follow):
        add_choice(parser)
    return root


def _add_dlq(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    about = {
        "list": "the letters that nobody has settled yet",
        "show": "all of a letter",
        "replay": "send letters again, each to the group that could not take it",
        "discard": "take letters off the list; the topic itself keeps them",
    }
    for name, text in about.items():
        action = actions.add_parser(name, help=text, description=text)
        add_filters(action, ids=True)
        add_choice(action)
        if name == "list":
            action.add_argument("--json", action="store_true", help="print JSON")
        if name in ("replay", "discard"):
            action.add_argument("--all", action="store_true", help="without any filter")
            action.add_argument("--dry-run", action="store_true", help="say it, don't do it")


def main(console: Console) -> int:
    asked = _parser().parse_args()
    if getattr(asked, "json", False):
        console.use(sys.stderr)
    target = chosen_target(asked)
    if asked.command == "dlq":
        return run_dlq(target, asked, console)
    if asked.command == "republish":
        return _republish(target, asked, console)
    topics = asked.topic or [*TOPICS, *LETTER_TOPICS]
    tail(target.kafka, topics, console, types=asked.type or [], since=asked.since)
    return 0


def _republish(target: Target, asked: argparse.Namespace, console: Console) -> int:
    with open_database(target) as connection:
        if asked.dry_run:
            number = count(connection, asked.service, asked.since)
            console.show(f"{number} events of {asked.service} would be sent again")
        else:
            number = republish(connection, asked.service, asked.since, console)
            console.show(f"{number} events of {asked.service} sent again")
    return 0
