"""Builds all images anew and replaces all containers: `python scripts/rebuild.py`."""

from bootstrap import ensure_environment  # type: ignore[import-not-found]

ensure_environment()

import argparse
import sys

from scripts.compose import compose, require_compose
from scripts.console import BOLD, GREEN, Console, ScriptError, run_script
from scripts.stacks import COMPOSE

EPILOG = """\
Compose does the work (with bake, where it has it). The running stack stays up until the new images
are there. Data stay too: they are in volumes, which only --volumes deletes."""


def main(console: Console) -> int:
    asked = _parser().parse_args()
    require_compose()
    _run(console, "build", *_build_options(asked), failure="The build failed; nothing is replaced")
    if asked.volumes:
        _run(console, "down", "--volumes", "--remove-orphans", failure="The stack is not down")
    replaced = ("up", "-d", "--force-recreate", "--remove-orphans")
    _run(console, *replaced, failure=f"Not all containers are up; look at {COMPOSE} logs")
    console.show(console.paint("All is rebuilt. Next: python scripts/seed.py", GREEN))
    return 0


def _parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="rebuild.py",
        description="Build all images anew, without the cache, and replace all containers.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--pull", action="store_true", help="look for newer base images first")
    root.add_argument(
        "--cache",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="build with the cache: quicker, only what has changed",
    )
    root.add_argument("--volumes", action="store_true", help="delete all data as well")
    return root


def _build_options(asked: argparse.Namespace) -> list[str]:
    return [*(["--pull"] if asked.pull else []), *([] if asked.cache else ["--no-cache"])]


def _run(console: Console, *command: str, failure: str) -> None:
    console.show(console.paint(f"docker compose {' '.join(command)}", BOLD))
    if not compose(*command):
        raise ScriptError(f"{failure} (see above)")


if __name__ == "__main__":
    sys.exit(run_script(main))
