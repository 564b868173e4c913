"""Runs the database migrations of all services: `python scripts/seed.py`."""

import sys

from bootstrap import ensure_environment  # type: ignore[import-not-found]

ensure_environment()

from scripts.console import run_script  # noqa: E402
from scripts.migrate import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(run_script(main))
