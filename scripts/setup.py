"""Makes a clone ready to work in: `python scripts/setup.py`. Safe to repeat.

Not a packaging file: pyproject.toml is the project's only one.
"""

from bootstrap import ensure_environment  # type: ignore[import-not-found]

ensure_environment()

import argparse
import shutil
import subprocess
import sys

from scripts.console import GREEN, YELLOW, Console, run_script
from scripts.stacks import ENV_FILE, REPO

ACTIVATE = r".venv\Scripts\activate" if sys.platform == "win32" else "source .venv/bin/activate"


def main(console: Console) -> int:
    argparse.ArgumentParser(
        prog="setup.py",
        description="Make .venv with all packages, install the git hooks, copy deploy/.env.",
    ).parse_args()
    _tell(console, ".venv", "has all packages")  # or this script would not have started
    _tell(console, "git hooks", *_install_hooks())
    _tell(console, "deploy/.env", *_copy_env())
    console.show(f"Ready. Enter the environment with: {ACTIVATE}")
    return 0


def _tell(console: Console, what: str, state: str, fine: bool = True) -> None:
    console.show(f"  {what:12} {console.paint(state, GREEN if fine else YELLOW)}")


def _install_hooks() -> tuple[str, bool]:
    if not (REPO / ".git").exists():
        return "skipped: this is not a git clone", False
    done = subprocess.run(
        [sys.executable, "-m", "pre_commit", "install"],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=60,
    )
    if done.returncode == 0:
        return "installed", True
    lines = (done.stdout + done.stderr).strip().splitlines() or ["pre-commit said nothing"]
    return f"not installed: {lines[0]}", False


def _copy_env() -> tuple[str, bool]:
    example = ENV_FILE.with_name(".env.example")
    if ENV_FILE.exists():
        return "is there already; left as it is", True
    if not example.exists():
        return "skipped: there is no deploy/.env.example", False
    shutil.copyfile(example, ENV_FILE)
    return "copied from deploy/.env.example", True


if __name__ == "__main__":
    sys.exit(run_script(main))
