"""The containers of a compose project, found by its labels."""

import asyncio
import json
import subprocess
from contextlib import suppress
from typing import Any

from ..stacks import HOW_TO_START_ONE, StackAway, Target, docker_target, environment, host_dsn
from .machine import TargetBusyError, roles

NAMES = {
    "gateway": "traefik",
    "postgres": "postgres",
    "cache": "redis",
    "broker": "kafka",
    "zookeeper": "zookeeper",
    "objects": "minio",
    "smtp": "mailhog",
}
_LIMIT = 60.0
_LABEL = "com.docker.compose.service"


class Containers:
    def __init__(self, project: str) -> None:
        self._found = {_service(found): found for found in _inspect(project)}
        if not self._found:
            raise StackAway(f"Docker runs no project {project}; {HOW_TO_START_ONE}")
        self._names = roles(NAMES, list(self._found))
        self.targets = tuple(sorted(self._names))
        self._frozen: set[str] = set()

    def target(self) -> Target:
        """Where this project is, by the ports that it publishes."""
        ports = {"HTTP_PORT": ("traefik", "80/tcp"), "MAILHOG_PORT": ("mailhog", "8025/tcp")}
        ports |= {"KAFKA_PORT": ("kafka", "29092/tcp"), "POSTGRES_PORT": ("postgres", "5432/tcp")}
        published = {name: self._port(*place) for name, place in ports.items()}
        settings = {**environment(), **published}
        plain = docker_target(
            f"http://localhost:{published['HTTP_PORT']}",
            f"http://localhost:{published['MAILHOG_PORT']}",
        )
        kafka = f"localhost:{published['KAFKA_PORT']}"
        return Target(plain.gateway, plain.mailhog, plain.internal_key, host_dsn(settings), kafka)

    async def kill(self, target: str) -> None:
        """The container's process, as when it dies by itself: `docker kill` would count as a stop
        by the user, after which nobody starts it again."""
        state = json.loads(await _docker("inspect", self._id(target)))[0]["State"]
        if not state["Running"]:
            raise TargetBusyError(target)
        image = self._found["order"]["Image"]
        shell = ("run", "--rm", "--pid=host", "--user=0", "--network=none", "--entrypoint", "sh")
        await _docker(*shell, image, "-c", f"kill -9 {int(state['Pid'])}")

    async def freeze(self, target: str) -> None:
        await _docker("pause", self._id(target))
        self._frozen.add(target)

    async def thaw(self, target: str) -> None:
        await _docker("unpause", self._id(target))
        self._frozen.discard(target)

    async def restart(self, target: str) -> None:
        await _docker("restart", self._id(target))

    def thaw_all(self) -> None:
        for target in self._frozen:
            with suppress(OSError, subprocess.SubprocessError):
                _run("unpause", self._id(target))
        self._frozen.clear()

    def _id(self, target: str) -> str:
        return str(self._found[self._names[target]]["Id"])

    def _port(self, service: str, inner: str) -> str:
        bindings = self._found[service]["NetworkSettings"]["Ports"].get(inner) or []
        if not bindings:
            raise StackAway(f"the project publishes no port for {service} {inner}")
        return str(bindings[0]["HostPort"])


def _service(found: dict[str, Any]) -> str:
    return str(found["Config"]["Labels"][_LABEL])


def _inspect(project: str) -> list[dict[str, Any]]:
    ids = _run("ps", "--quiet", "--filter", f"label=com.docker.compose.project={project}").split()
    found: list[dict[str, Any]] = json.loads(_run("inspect", *ids)) if ids else []
    return found


def _run(*arguments: str) -> str:
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=True, timeout=_LIMIT
    )
    return done.stdout


async def _docker(*arguments: str) -> str:
    """Raises TargetBusyError when Docker refuses, as for a container that is just restarting."""
    try:
        return await asyncio.to_thread(_run, *arguments)
    except subprocess.SubprocessError as error:
        raise TargetBusyError(arguments[-1]) from error
