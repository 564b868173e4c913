"""`python scripts/local.py up` and `status`."""

import argparse
import asyncio
import sys
from pathlib import Path

from .display import Display
from .plan import Options
from .state import REPO, Folder, default_folder, shown

WINDOWS = "The local stack runs on Linux and macOS; on Windows use Docker or WSL (see README.md)."
EPILOG = """\
Each `up` starts empty; --keep goes on with the data of the last run. Logs of the last runs are in
.local/logs, and .local/stack.json says where everything is while the stack is up. Settings of the
services (LOG_LEVEL, ORDER_PAYMENT_TTL, ...) are taken from the environment."""


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="local.py",
        description="The whole stack on this machine, without Docker.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start everything and stay until Ctrl-C")
    up.add_argument("--keep", action="store_true", help="keep the data of the last run")
    up.add_argument("--port-base", type=_port, metavar="N", help="use ports N, N+1, ...; gateway N")
    up.add_argument("--services-dir", type=Path, default=REPO / "services", help=argparse.SUPPRESS)
    up.add_argument("--no-preload", action="store_true", help=argparse.SUPPRESS)
    up.add_argument("--parent-fd", type=int, help=argparse.SUPPRESS)
    status = commands.add_parser("status", help="say what is running, and how it is")
    for command in (up, status):
        command.add_argument(
            "--dir",
            type=Path,
            default=default_folder(),
            help="state folder (default: .local, or LOCAL_STACK_DIR)",
        )
    return root


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() else 0
    if not 1 <= port <= 65000:
        raise argparse.ArgumentTypeError(f"{text} is not a port from 1 to 65000")
    return port


def main(arguments: list[str] | None = None) -> int:
    asked = parser().parse_args(arguments)
    if sys.platform == "win32":
        print(WINDOWS, file=sys.stderr)
        return 1
    try:
        return _status(asked.dir.resolve()) if asked.command == "status" else _up(asked)
    except KeyboardInterrupt:
        return 130


def _up(asked: argparse.Namespace) -> int:
    from .supervisor import Supervisor

    options = Options(
        folder=asked.dir.resolve(),
        keep=asked.keep,
        port_base=asked.port_base,
        services_folder=asked.services_dir.resolve(),
        parent_fd=asked.parent_fd,
        preload=Options.preload and not asked.no_preload,
    )
    return asyncio.run(Supervisor(options, Display()).run())


def _status(path: Path) -> int:
    from .status import statuses
    from .table import render_status

    folder = Folder(path)
    info = folder.read() if folder.is_running() else None
    if info is None:
        state = "is starting or stopping" if folder.is_running() else "is not running"
        print(f"The stack in {shown(path)} {state}; `python scripts/local.py up` starts one.")
        return 3
    found = asyncio.run(statuses(info))
    print(render_status(info, found, Display()))
    return 0 if all(status == "ok" for status in found.values()) else 1
