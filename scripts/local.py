"""Runs the whole stack on this machine, without Docker: `python scripts/local.py up`."""

import sys

from bootstrap import ensure_environment  # type: ignore[import-not-found]

ensure_environment()

from scripts.localstack.cli import main

if __name__ == "__main__":
    sys.exit(main())
