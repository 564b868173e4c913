"""The tests' own compose project."""

import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any

from tests.support.forks import ROOT

SERVICES = ("auth", "cart", "catalog", "notifications", "order", "payment", "shipping")
LIMIT = 180.0


class Compose:
    """`compose("stop", "order")`; raises with what it said when it fails."""

    def __init__(self, docker: Mapping[str, Any]) -> None:
        self.folder = ROOT
        self._command: list[str] = docker["compose"]
        self._env = {**os.environ, **docker["env"]}
        self.plain_env = {k: v for k, v in os.environ.items() if k not in docker["env"]}

    def __call__(self, *arguments: str) -> str:
        return self._run(*self._command, *arguments)

    def docker(self, *arguments: str) -> str:
        return self._run("docker", *arguments)

    def names(self) -> list[str]:
        return self("config", "--services").split()

    def inspect(self, name: str) -> dict[str, Any]:
        container = self("ps", "--all", "--quiet", name)
        found: dict[str, Any] = json.loads(self.docker("inspect", container))[0]
        return found

    async def is_healthy(self, name: str) -> bool:
        state = self.inspect(name)["State"]
        return bool(state["Running"] and state["Health"]["Status"] == "healthy")

    def kill_process(self, name: str) -> None:
        """SIGKILL to the container's process, as when it dies by itself."""
        pid = str(self.inspect(name)["State"]["Pid"])
        image = self.inspect("order")["Image"]
        shell = ("run", "--rm", "--pid=host", "--user=0", "--entrypoint", "sh")
        self.docker(*shell, image, "-c", f"kill -9 {pid}")

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
        said = (done.stdout + done.stderr)[-2000:]
        assert done.returncode == 0, f"{' '.join(command)}: {said}"
        return done.stdout.strip()
