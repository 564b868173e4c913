"""`python scripts/audit.py`."""

import argparse
import json
import sys

from ..console import YELLOW, Console
from ..stacks import add_choice, chosen_target
from .audit import Limits, audit
from .quiet import wait_until_quiet
from .report import all_hold, as_data, proven, show_outcomes


def _parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="audit.py",
        description="Proves on a stack that is up that nothing was lost and nothing doubled: in "
        "the databases of all services, the topics and the mails.",
    )
    root.add_argument(
        "--wait",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="first wait until nothing is on its way any more, so long at the most",
    )
    root.add_argument("--json", action="store_true", help="print JSON instead of lines")
    root.add_argument(
        "--allow-doubled-mails",
        type=int,
        default=0,
        metavar="N",
        help="surplus copies of mails, with one Message-ID, that are no breach, because a mailer "
        "or a mail server was killed between the mail and its mark (default: 0)",
    )
    add_choice(root)
    root.epilog = f"{root.epilog} Exit code 1: a rule is broken or unchecked; 2: no stack answers."
    return root


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds from 0 to 86400")
    return seconds


def main(console: Console) -> int:
    asked = _parser().parse_args()
    if asked.json:
        console.use(sys.stderr)
    target = chosen_target(asked)
    console.show(f"Auditing the stack at {target.gateway}")
    busy = wait_until_quiet(target, console, asked.wait) if asked.wait else ""
    outcomes = audit(target, console, Limits.read(target, asked.allow_doubled_mails))
    if asked.json:
        print(json.dumps({**as_data(outcomes), "still_busy": busy}, indent=2))
    else:
        show_outcomes(outcomes, console)
    if busy:
        console.show(
            console.paint(f"After {asked.wait:g} s the stack was not quiet: {busy}", YELLOW)
        )
    elif not asked.wait and not all_hold(outcomes):
        console.show("If the stack is still at work: --wait 30 waits until it is quiet.")
    return 0 if proven(outcomes) else 1
