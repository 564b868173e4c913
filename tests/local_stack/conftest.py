"""Stacks of stub services, beside whatever the user has up."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from scripts.localstack import LocalStack
from scripts.localstack.processes import MARKER

STUBS = Path(__file__).parent / "stub_services"
PORTS = 24_000

Start = Callable[..., LocalStack]


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    folder = tmp_path_factory.mktemp("stack")
    with LocalStack(folder, port_base=PORTS, services_folder=STUBS, quiet=True) as stack:
        yield stack


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a stack of the test's own; it is stopped at the end if the test did not."""
    stacks: list[LocalStack] = []

    def start(**options: Any) -> LocalStack:
        defaults = {"port_base": PORTS + 100, "services_folder": STUBS, "quiet": True}
        defaults["preload"] = False
        stack = LocalStack(tmp_path / "stack", **{**defaults, **options})
        stacks.append(stack)
        stack.start()
        return stack

    yield start
    for stack in stacks:
        stack.stop()


def members(marker: str, variable: str = MARKER) -> list[psutil.Process]:
    """All processes of a stack, however deep and whoever their parent is by now."""
    found = []
    for process in psutil.process_iter():
        try:
            is_one = process.environ().get(variable) == marker
            if is_one and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:  # gone meanwhile, or not ours
            continue
    return found


T = TypeVar("T")


def wait_until(check: Callable[[], T | None], limit: float = 8.0) -> T:
    deadline = time.monotonic() + limit
    while not (value := check()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
    return value
