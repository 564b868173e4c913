"""`events.py dlq ...`: what the dead-letter topics hold, and what becomes of it."""

import argparse
import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from ..console import BOLD, GREEN, RED, YELLOW, Console, ScriptError
from ..stacks import Target
from .choice import choose, is_filtered
from .database import forget, open_database
from .letters import DISCARDED, Letter, read_letters, settle
from .lines import describe_value, event_of, printable
from .reader import admin_client
from .replay import Replayer, open_producer

Command = Callable[[Target, argparse.Namespace, Console], Coroutine[Any, Any, int]]


def run_dlq(target: Target, asked: argparse.Namespace, console: Console) -> int:
    return asyncio.run(_COMMANDS[asked.action](target, asked, console))


async def _chosen(target: Target, asked: argparse.Namespace, console: Console) -> list[Letter]:
    console.progress("reading the dead letters")
    return choose((await read_letters(target.kafka)).open, asked)


async def _list(target: Target, asked: argparse.Namespace, console: Console) -> int:
    letters = await _chosen(target, asked, console)
    if asked.json:
        print(json.dumps([_data(letter) for letter in letters], indent=2))
        return 0
    for letter in letters:
        console.show(_line(letter, console))
    console.show(_count(letters))
    return 0


async def _show(target: Target, asked: argparse.Namespace, console: Console) -> int:
    for letter in await _chosen(target, asked, console):
        console.show(console.paint(f"{letter.id}", BOLD))
        for name, text in _data(letter).items():
            if name not in ("id", "value"):
                console.show(f"  {name:9}  {text}")
        event = event_of(letter.value)
        pretty = json.dumps(event, indent=2) if event else printable(letter.value)
        console.show(f"  {'value':9}  {len(letter.value or b'')} bytes")
        console.show("\n".join(f"    {line}" for line in pretty.splitlines()))
    return 0


async def _replay(target: Target, asked: argparse.Namespace, console: Console) -> int:
    letters = await _wanted(target, asked, console)
    failed = 0
    with open_database(target) as connection:
        async with open_producer(target.kafka) as producer, admin_client(target.kafka) as admin:
            replayer = Replayer(connection, producer, admin)
            for letter in letters:
                if asked.dry_run:
                    console.show(f"{_line(letter, console)}\n  -> {replayer.predict(letter)}")
                    continue
                console.progress(f"replaying {letter.id[:8]}")
                outcome = await replayer.replay(letter)
                failed += not outcome.ok
                said = console.paint(outcome.what, GREEN if outcome.ok else RED)
                console.show(f"{_line(letter, console)}\n  -> {said}")
    console.show(_count(letters) + (f", {failed} not applied" if failed else ""))
    return 1 if failed else 0


async def _discard(target: Target, asked: argparse.Namespace, console: Console) -> int:
    letters = await _wanted(target, asked, console)
    with open_database(target) as connection:
        async with open_producer(target.kafka) as producer:
            for letter in letters:
                if not asked.dry_run:
                    await settle(producer, letter, DISCARDED)
                    forget(connection, letter.consumer, letter.id)
                what = "would be discarded" if asked.dry_run else DISCARDED
                console.show(f"{_line(letter, console)}\n  -> {what}")
    console.show(_count(letters))
    return 0


async def _wanted(target: Target, asked: argparse.Namespace, console: Console) -> list[Letter]:
    if not (asked.all or is_filtered(asked)):
        raise ScriptError("Which ones? Give ids or filters, or --all (events.py dlq list)")
    return await _chosen(target, asked, console)


def _line(letter: Letter, console: Console) -> str:
    when = letter.time.astimezone()
    who = console.paint(f"{letter.consumer:13}", YELLOW)
    what = describe_value(letter.value, letter.key)
    reason = console.paint(letter.reason, RED)
    label = console.paint(letter.id[:8] if "[" not in letter.id else letter.id, BOLD)
    return f"{label}  {when:%Y-%m-%d %H:%M:%S}  {who}  {what}  {reason}"


def _count(letters: Sequence[Letter]) -> str:
    return f"{len(letters)} dead letter{'' if len(letters) == 1 else 's'}"


def _data(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "topic": letter.original_topic,
        "place": letter.place,
        "time": letter.time.isoformat(),
        "consumer": letter.consumer,
        "reason": letter.reason,
        "key": None if letter.key is None else letter.key.decode(errors="replace"),
        "event_id": letter.event_id,
        "type": letter.type,
        "value": None if letter.value is None else letter.value.decode(errors="replace"),
    }


_COMMANDS: dict[str, Command] = {
    "list": _list,
    "show": _show,
    "replay": _replay,
    "discard": _discard,
}
