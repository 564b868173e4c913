"""Docker Compose as the README calls it, and one readable line when it can't be used."""

import os
import re
import shutil
import subprocess

from .console import ScriptError
from .stacks import COMPOSE, REPO, require_env_file

ASK_LIMIT = 30.0
INSTALL = "install it from https://docs.docker.com/get-docker/"
INSTEAD = "without Docker: python scripts/local.py up"


def require_compose() -> None:
    """Docker is there and runs, Compose is version 2 or later, and `deploy/.env` is there."""
    require_engine()
    require_env_file()


def require_engine() -> None:
    """Docker is there and runs, and Compose is version 2 or later."""
    if not shutil.which("docker"):
        raise ScriptError(f"Docker is missing: {INSTALL}, or {INSTEAD}")
    _require_compose_2()
    _require_daemon()


def compose(*arguments: str) -> bool:
    """Runs it with its output to ours; whether it succeeded."""
    return subprocess.run([*COMPOSE.split(), *arguments], cwd=REPO).returncode == 0


def _require_compose_2() -> None:
    code, said = _ask("docker", "compose", "version", "--short")
    version = re.search(r"\d+(?=\.\d)", said) if code == 0 else None
    if version is None:
        raise ScriptError(f"Docker has no Compose v2 (docker compose): {INSTALL}")
    if int(version[0]) < 2:
        raise ScriptError(f"Docker Compose {said.strip()} is too old, v2 is needed: {INSTALL}")


def _require_daemon() -> None:
    code, said = _ask("docker", "info", "--format", "{{.ServerVersion}}")
    if code == 0:
        return
    if "permission denied" in said.lower():
        raise ScriptError(
            "You may not use Docker: add yourself to its group (sudo usermod -aG docker $USER), "
            "then log in again"
        )
    raise ScriptError(
        "Docker is not running: start Docker Desktop, or on Linux: sudo systemctl start docker"
    )


def _ask(*command: str) -> tuple[int, str]:
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=ASK_LIMIT,
        )
    except subprocess.TimeoutExpired:
        raise ScriptError(
            f"{' '.join(command[:2])} gives no answer within {ASK_LIMIT:.0f} s: restart Docker"
        ) from None
    return done.returncode, done.stdout
