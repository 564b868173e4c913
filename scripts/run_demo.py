"""The end-to-end demo: `python scripts/run_demo.py`, without Docker `--local`."""

import sys

from bootstrap import ensure_environment  # type: ignore[import-not-found]

ensure_environment()

from scripts.console import run_script
from scripts.demo.cli import main

if __name__ == "__main__":
    sys.exit(run_script(main))
