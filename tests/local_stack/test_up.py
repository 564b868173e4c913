"""What a running stack is: where it says things are, who can reach it, what it heals."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from scripts.localstack import LocalStack
from scripts.localstack.state import REPO

from .conftest import members, wait_until

LOCAL = [sys.executable, str(REPO / "scripts" / "local.py")]


def test_stack_json_says_where_everything_is(stack: LocalStack) -> None:
    info = json.loads((stack.folder.path / "stack.json").read_text())

    assert info["gateway"].startswith("http://127.0.0.1:")
    assert {"mailhog", "kafka", "postgres_dsn", "redis_url", "s3_endpoint"} <= info.keys()
    assert {"smtp", "dashboard", "logs", "env", "supervisor"} <= info.keys()
    assert set(info["services"]) == {"auth", "order"}
    assert set(info["servers"]) == {"postgres", "valkey", "s3", "kafka", "mail", "gateway"}
    for process in (*info["services"].values(), *info["servers"].values(), info["supervisor"]):
        assert psutil.pid_exists(process["pid"])
    for service in info["services"].values():
        assert httpx.get(f"{service['url']}/health").status_code == 200
    assert info["env"]["ORDER_BASE"] == info["services"]["order"]["url"]
    assert info["env"]["KAFKA_ENABLE_IDEMPOTENCE"] == "false"


def test_everything_listens_on_loopback_only(stack: LocalStack) -> None:
    addresses = set()
    for process in members(stack.info["marker"]):
        with suppress(psutil.NoSuchProcess):  # one of Postgres' that lives for a moment
            addresses |= {
                connection.laddr.ip
                for connection in process.net_connections("inet")
                if connection.status == psutil.CONN_LISTEN
            }

    assert addresses == {"127.0.0.1"}


def test_a_second_up_in_the_same_folder_is_one_line(stack: LocalStack) -> None:
    second = subprocess.run(
        [*LOCAL, "up", "--dir", stack.folder.path], capture_output=True, text=True, check=False
    )

    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr.count("\n") == 1
    assert "running already" in second.stderr


def test_status_shows_a_running_stack_and_a_missing_one(stack: LocalStack, tmp_path: Path) -> None:
    up = subprocess.run(
        [*LOCAL, "status", "--dir", stack.folder.path], capture_output=True, text=True, check=False
    )
    down = subprocess.run(
        [*LOCAL, "status", "--dir", tmp_path], capture_output=True, text=True, check=False
    )

    assert (up.returncode, down.returncode) == (0, 3)
    assert "All is well." in up.stdout
    assert "\x1b" not in up.stdout
    assert "is not running" in down.stdout


def test_a_crashed_service_is_started_again(stack: LocalStack) -> None:
    crashed = stack.info["services"]["auth"]["pid"]
    os.kill(crashed, signal.SIGKILL)

    def restarted() -> int:
        info = stack.folder.read()
        pid = info["services"]["auth"]["pid"] if info else crashed
        return pid if pid != crashed else 0

    pid = wait_until(restarted)
    wait_until(lambda: f"pid: {pid}\n" in _text(f"{stack.gateway}/auth/x"))
    stack.info["services"]["auth"]["pid"] = pid


def test_a_crashed_database_is_started_again(stack: LocalStack) -> None:
    crashed = stack.info["servers"]["postgres"]["pid"]
    os.kill(crashed, signal.SIGKILL)

    def restarted() -> bool:
        info = stack.folder.read()
        return info is not None and info["servers"]["postgres"]["pid"] != crashed

    wait_until(restarted)
    status = [*LOCAL, "status", "--dir", str(stack.folder.path)]
    wait_until(lambda: subprocess.run(status, capture_output=True, check=False).returncode == 0)


def _text(url: str) -> str:
    try:
        return httpx.get(url).text
    except httpx.HTTPError:
        return ""
