"""However a stack ends, nothing of it is left."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from scripts.localstack.state import REPO, Folder

from .conftest import PORTS, STUBS, Start, members, wait_until

CALLER = """
import sys, time
from pathlib import Path
from scripts.localstack import LocalStack
stack = LocalStack(Path(sys.argv[1]), port_base=int(sys.argv[2]), services_folder=Path(sys.argv[3]))
stack.start()
print("up", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)]
)
def test_a_signal_stops_everything_soon(start: Start, number: int, code: int) -> None:
    stack = start()
    assert stack.process
    asked = time.monotonic()
    stack.process.send_signal(number)

    assert stack.process.wait(10) == code
    assert time.monotonic() - asked < 4
    assert members(stack.info["marker"]) == []
    assert not stack.folder.stack_file.exists()


def test_nothing_outlives_a_killed_supervisor(start: Start) -> None:
    stack = start()
    assert stack.process
    assert len(members(stack.info["marker"])) > 8
    stack.process.kill()
    stack.process.wait()

    wait_until(lambda: members(stack.info["marker"]) == [])


def test_nothing_outlives_a_killed_owner_of_the_processes(start: Start) -> None:
    stack = start()
    assert stack.process
    for warden in psutil.Process(stack.process.pid).children():
        warden.kill()

    assert stack.process.wait(10) == 1
    wait_until(lambda: members(stack.info["marker"]) == [])


def test_nothing_outlives_a_supervisor_and_owners_killed_together(start: Start) -> None:
    stack = start()
    assert stack.process
    supervisor = psutil.Process(stack.process.pid)
    wardens = supervisor.children()
    for process in (supervisor, *wardens):
        process.kill()
    stack.process.wait()

    wait_until(lambda: members(stack.info["marker"]) == [])


def test_nothing_outlives_a_killed_caller(tmp_path: Path) -> None:
    arguments = [str(tmp_path), str(PORTS + 200), str(STUBS)]
    with subprocess.Popen(
        [sys.executable, "-c", CALLER, *arguments], stdout=subprocess.PIPE, cwd=REPO
    ) as caller:
        folder = Folder(tmp_path)
        info = wait_until(folder.read, 20)
        os.kill(caller.pid, signal.SIGKILL)

    wait_until(lambda: members(info["marker"]) == [])
    wait_until(lambda: not psutil.pid_exists(info["supervisor"]["pid"]))


@pytest.mark.parametrize("pause", [0.1, 0.35, 0.6])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_a_start_that_was_stopped_in_the_middle(
    tmp_path: Path, pause: float, number: int
) -> None:
    command = [sys.executable, str(REPO / "scripts/local.py"), "up", "--dir", str(tmp_path)]
    ports = ["--port-base", str(PORTS + 300), "--services-dir", str(STUBS)]
    environment = {**os.environ, "THIS_TEST": str(tmp_path)}
    with subprocess.Popen([*command, *ports], stdout=subprocess.DEVNULL, env=environment) as up:
        time.sleep(pause)
        up.send_signal(number)

    wait_until(lambda: members(str(tmp_path), "THIS_TEST") == [])


def test_a_stack_can_start_at_once_after_its_supervisor_was_killed(start: Start) -> None:
    first = start()
    assert first.process
    first.process.kill()
    first.process.wait()

    second = start()

    assert members(first.info["marker"]) == []
    assert second.info["ready"]
