"""Which port everything listens on: the usual ones, others where those are taken."""

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from .errors import StackError

DEFAULTS = {
    "gateway": 8000,
    "dashboard": 8080,
    "mailhog": 8025,
    "smtp": 1025,
    "postgres": 5432,
    "valkey": 6379,
    "kafka": 9092,
    "s3": 9000,
}
FIRST_SERVICE = 8101
SEARCH = 500


@dataclass
class Ports:
    """Chosen ports by name. Another stack that starts at the same moment chooses others."""

    by_name: dict[str, int] = field(default_factory=dict)
    moved: dict[str, int] = field(default_factory=dict)  # name to the port that was in use
    _claims: list[IO[str]] = field(default_factory=list)

    def __getitem__(self, name: str) -> int:
        return self.by_name[name]

    def choose(self, name: str, wanted: int) -> None:
        for port in range(wanted, min(wanted + SEARCH, 65536)):
            if port not in self.by_name.values() and self._claim(port):
                self.by_name[name] = port
                if port != wanted:
                    self.moved[name] = wanted
                return
        raise StackError(f"no free port for {name} from {wanted} upwards")

    def _claim(self, port: int) -> bool:
        claim = (_claims_folder() / str(port)).open("w")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            claim.close()
            return False
        if is_free(port):
            self._claims.append(claim)
            return True
        claim.close()
        return False

    def release(self) -> None:
        for claim in self._claims:
            claim.close()
        self._claims.clear()


def choose_ports(services: Iterable[str], base: int | None) -> Ports:
    """The defaults, or with `base` that port for the gateway and the next ones for the others."""
    wanted = {**DEFAULTS, **{name: FIRST_SERVICE + i for i, name in enumerate(services)}}
    if base is not None:
        wanted = {name: base + i for i, name in enumerate(wanted)}
    ports = Ports()
    for name, port in wanted.items():
        ports.choose(name, port)
    return ports


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """So many ports that are free now, for something that is started at once."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def _claims_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"local-stack-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
