"""Makes a clone ready to work in: `python scripts/setup.py`. Safe to repeat.

Not a packaging file: pyproject.toml is the project's only one.
"""

import sys

from bootstrap import ensure_environment  # type: ignore[import-not-found]

ensure_environment()

from scripts.console import run_script  # noqa: E402
from scripts.workspace import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(run_script(main))
