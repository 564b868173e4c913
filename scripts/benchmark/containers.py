"""CPU and memory of the containers of Docker's stack, as the engine counts them by cgroup."""

import http.client
import io
import json
import os
import subprocess
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from ..compose import require_engine
from ..console import ScriptError
from ..stacks import REPO
from .usage import Cpu, Memory

PROJECT = os.environ.get("COMPOSE_PROJECT_NAME") or "ecommerce"
LIMIT = 30.0
_NAMED = "com.docker.compose.service"


class DockerMeter:
    """Asks the engine, over whichever way the docker command has to it, so a Docker Desktop's
    virtual machine is no hindrance. Memory is what a container's processes hold (anonymous and
    mapped), without the files that the kernel caches for it."""

    def __init__(self) -> None:
        require_engine()
        wanted = json.dumps({"label": [f"com.docker.compose.project={PROJECT}"]})
        found = _ask(f"/containers/json?filters={quote(wanted)}")
        self._ids = {each["Labels"][_NAMED]: each["Id"] for each in found}
        if not self._ids:
            raise ScriptError(
                f"No container of the project {PROJECT} runs: python scripts/bench.py"
                " --docker measures a stack that is up"
            )
        known = {folder.parent.name for folder in (REPO / "services").glob("*/Dockerfile")}
        self.services = tuple(sorted(name for name in self._ids if name in known))
        self.servers = tuple(sorted(name for name in self._ids if name not in known))
        self.memory_kind = "anonymous + mapped"

    def cpu(self) -> Cpu:
        return {
            name: stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
            for name, stats in self._stats().items()
        }

    def memory(self) -> Memory:
        return {
            name: _held(stats["memory_stats"].get("stats", {}))
            for name, stats in self._stats().items()
        }

    def _stats(self) -> dict[str, Any]:
        """All at once: an engine may take a second for each. It is asked before and after a load,
        never during one."""
        paths = [
            f"/containers/{each}/stats?stream=false&one-shot=true" for each in self._ids.values()
        ]
        with ThreadPoolExecutor(len(paths)) as pool:
            return dict(zip(self._ids, pool.map(_ask, paths), strict=True))


def _held(stats: Mapping[str, int]) -> int:
    """By the names of cgroup v2, else v1."""
    if "anon" in stats:
        return stats["anon"] + stats.get("file_mapped", 0)
    return stats.get("total_rss", stats.get("rss", 0)) + stats.get("mapped_file", 0)


def _ask(path: str) -> Any:
    """Its input stays open until the answer is there: the engine drops a request whose client has
    nothing more to say."""
    with subprocess.Popen(
        ["docker", "system", "dial-stdio"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as engine:
        assert engine.stdin
        assert engine.stdout
        limit = threading.Timer(LIMIT, engine.kill)
        limit.start()
        engine.stdin.write(f"GET {path} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        engine.stdin.flush()
        content = engine.stdout.read()
        limit.cancel()
    return _content(content, path)


def _content(answer: bytes, path: str) -> Any:
    try:
        response = http.client.HTTPResponse(_Socket(answer))  # type: ignore[arg-type]
        response.begin()
        body = json.loads(response.read())
    except (http.client.HTTPException, ValueError):
        raise ScriptError(f"The Docker engine gives no answer to {path}") from None
    if response.status != 200:
        raise ScriptError(f"The Docker engine answered {response.status} to {path}: {body}")
    return body


class _Socket:
    """What `http.client` needs of a socket, for an answer that is there already."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._content)
