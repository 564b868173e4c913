"""The project's scripts as a user calls them, by arguments and environment."""

import os
import subprocess
import tempfile
from pathlib import Path

from .forks import ROOT, parent

Done = subprocess.CompletedProcess[str]
LIMIT = 100.0


def run_script(script: str, *arguments: str, repo: Path = ROOT, **env: str) -> Done:
    """`python scripts/<script> <arguments>` in this checkout or another. Raises TimeoutError."""
    path = repo / "scripts" / script
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        fork = parent().fork(
            *("as_script", str(repo), str(output), str(errors), str(path), *arguments),
            cwd=Path(__file__).parent,
            env={**os.environ, "PYTHONPATH": str(repo), **env},
        )
        try:
            code = fork.wait(LIMIT)
        finally:
            fork.kill()
        return Done([script, *arguments], code, _text(output), _text(errors) + fork.output())


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
