"""Docker's stack for the tests: a project of its own, on free ports, gone afterwards."""

import json
import os
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from ..compose import require_engine
from ..console import ScriptError
from ..stacks import REPO, environment, host_dsn
from .report import Report

PROJECT = f"ecommerce-test-{zlib.crc32(str(REPO).encode()):08x}"  # one for each checkout
ENV_FILE = ".env.example"
LIMIT = 900.0
DOWN = ("down", "--volumes", "--remove-orphans")
PORTS = (
    "HTTP_PORT",
    "DASHBOARD_PORT",
    "MAILHOG_PORT",
    "MINIO_PORT",
    "MINIO_CONSOLE_PORT",
    "KAFKA_PORT",
    "REDIS_PORT",
    "POSTGRES_PORT",
)
COMPOSE = (
    *("docker", "compose", "-p", PROJECT),
    *("-f", "deploy/docker-compose.yaml", "--env-file", f"deploy/{ENV_FILE}"),
)


@contextmanager
def docker_stack(report: Report) -> Iterator[Path]:
    """Brings it up by the README's commands; where its `stack.json` is. Raises ScriptError."""
    require_engine()
    env = {
        **os.environ,
        **choose_ports(),
        "SERVICES_ENV_FILE": ENV_FILE,
        "BIND_ADDRESS": "127.0.0.1",
    }
    try:
        report.line("building and starting Docker's stack for the tests")
        _run(*COMPOSE, *DOWN, env=env)
        _run(*COMPOSE, "up", "-d", "--build", "--wait", env=env)
        report.line("migrating it")
        _run(sys.executable, "scripts/seed.py", env=env)
        yield _write(_info(env))
    finally:
        _run(*COMPOSE, *DOWN, "--rmi", "local", "--timeout", "5", env=env)


def choose_ports() -> dict[str, str]:
    """A free port of this machine for each that the stack publishes."""
    with ExitStack() as held:
        probes = {name: held.enter_context(socket.socket()) for name in PORTS}
        for probe in probes.values():
            probe.bind(("127.0.0.1", 0))
        return {name: str(probe.getsockname()[1]) for name, probe in probes.items()}


def _run(*command: str, env: Mapping[str, str]) -> None:
    done = subprocess.run(
        command,
        cwd=REPO,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=LIMIT,
    )
    if done.returncode:
        end = "\n".join(done.stdout.splitlines()[-30:])
        raise ScriptError(f"{end}\n{' '.join(command)} failed, exit code {done.returncode}")


def _info(env: Mapping[str, str]) -> dict[str, Any]:
    """As the local stack's, but a service is where everybody reaches it: behind the gateway."""
    gateway = f"http://localhost:{env['HTTP_PORT']}"
    services = sorted(folder.parent.name for folder in (REPO / "services").glob("*/Dockerfile"))
    settings = {**environment(REPO / "deploy" / ENV_FILE), **env}
    return {
        "gateway": gateway,
        "dashboard": f"http://localhost:{env['DASHBOARD_PORT']}",
        "mailhog": f"http://localhost:{env['MAILHOG_PORT']}",
        "kafka": f"localhost:{env['KAFKA_PORT']}",
        "postgres_dsn": host_dsn(settings),
        "services": {name: {"url": f"{gateway}/{name}"} for name in services},
        "env": {"SVC_INTERNAL_KEY": settings["SVC_INTERNAL_KEY"]},
        "docker": {
            "compose": list(COMPOSE),
            "env": {name: env[name] for name in (*PORTS, "SERVICES_ENV_FILE")},
        },
    }


def _write(info: Mapping[str, Any]) -> Path:
    path = REPO / ".local" / "docker-test" / "stack.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(info, indent=2), encoding="utf-8")
    return path
