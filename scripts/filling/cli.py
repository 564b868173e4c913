"""`python scripts/fill.py`."""

import argparse
import time

from ..console import Console
from ..stacks import add_choice, chosen_target
from ..topics.database import open_database
from .fill import Fill, Wanted

_ABOUT = """\
Loads orders into a stack that is up, in the databases of all services, as if
they had gone through it long ago: with items, reservations, payments, shipments
and mails, and the published events and claimed ids of the newest of them.
scripts/audit.py holds before, after and meanwhile. For trying the stack at size:
scripts/bench.py and the plans of its queries.

It can be stopped and repeated at any time, and only adds what is missing. The
passwords of fill-1@fill.example and so on are "fill-password"."""


def _parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="fill.py",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, number, what in (
        ("orders", 200_000, "orders, nine of ten dispatched"),
        ("products", 50_000, "products, each with stock"),
        ("customers", 50_000, "customers who have ordered"),
        ("events", 1_000_000, "outbox and inbox rows, together, about"),
    ):
        root.add_argument(
            f"--{name}",
            type=_count,
            default=number,
            metavar="N",
            help=f"{what}, in all; default: {number:,}",
        )
    add_choice(root)
    return root


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if not 1 <= number <= 100_000_000:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 to 100000000")
    return number


def main(console: Console) -> int:
    asked = _parser().parse_args()
    target = chosen_target(asked)
    wanted = Wanted(asked.orders, asked.products, asked.customers, asked.events)
    started = time.monotonic()
    with open_database(target) as connection:
        console.show(f"Filling the stack at {target.gateway}")
        fill = Fill(connection, wanted, console)
        added = fill.run()
        for line in fill.summary():
            console.show(line)
    what = f"{added:,} rows of them added" if added else "nothing was missing"
    console.show(f"In {time.monotonic() - started:.1f} s: {what}.")
    return 0
