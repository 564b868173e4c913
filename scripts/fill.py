"""Fills a stack with many orders: `python scripts/fill.py`."""

import sys

from bootstrap import ensure_environment  # type: ignore[import-not-found]

ensure_environment()

from scripts.console import run_script
from scripts.filling.cli import main

if __name__ == "__main__":
    sys.exit(run_script(main))
