"""Proves that nothing was lost and nothing doubled: `python scripts/audit.py`."""

import sys

from bootstrap import ensure_environment  # type: ignore[import-not-found]

ensure_environment()

from scripts.auditing.cli import main
from scripts.console import run_script

if __name__ == "__main__":
    sys.exit(run_script(main))
