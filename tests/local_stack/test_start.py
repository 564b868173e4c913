"""Starting under odd conditions: taken ports, servers that can't start, kept data."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg
import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from scripts.localstack import LocalStack, StackError
from scripts.localstack.plan import TOPICS
from scripts.localstack.ports import choose_ports
from scripts.localstack.state import REPO, Folder

from .conftest import PORTS, STUBS, Start
from .test_mail import send

BASE = PORTS + 400


def write_service(folder: Path, name: str, code: str) -> None:
    app = folder / name / "app"
    app.mkdir(parents=True)
    (app / "main.py").write_text(code)


def up(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(REPO / "scripts/local.py"), "up", "--dir", str(folder)]
    return subprocess.run(
        [*command, "--no-preload", "--port-base", str(BASE), *options],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_port_in_use_is_replaced_and_named(tmp_path: Path) -> None:
    script = REPO / "scripts" / "local.py"
    options = ["--dir", str(tmp_path), "--port-base", str(BASE), "--services-dir", str(STUBS)]
    with (
        socket.create_server(("127.0.0.1", BASE)),
        subprocess.Popen(
            [sys.executable, str(script), "up", *options], stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stdout
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("Logs:"):
                break
        info = Folder(tmp_path).read()
        process.terminate()

    assert f"port {BASE} is in use, so gateway has another one" in "".join(said)
    assert info
    assert info["gateway"] != f"http://127.0.0.1:{BASE}"
    assert process.returncode == 0


def test_two_starts_at_once_choose_different_ports() -> None:
    first = choose_ports(["auth"], BASE)
    second = choose_ports(["auth"], BASE)
    try:
        assert not set(first.by_name.values()) & set(second.by_name.values())
        assert second.moved["gateway"] == BASE
    finally:
        first.release()
        second.release()


def test_a_server_that_can_not_start_is_one_line(tmp_path: Path) -> None:
    data = tmp_path / "data" / "postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("9\n")

    ended = up(tmp_path, "--keep", "--services-dir", str(STUBS))

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("postgres could not start (exit code ")
    assert "postgres.log" in ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_a_service_that_can_not_start_is_one_line(tmp_path: Path) -> None:
    services = tmp_path / "services"
    write_service(services, "auth", "raise SystemExit('JWT_SECRET is missing')\n")

    ended = up(tmp_path / "state", "--services-dir", str(services))

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("auth could not start (exit code 1): ")
    assert "JWT_SECRET is missing" in ended.stderr


def test_a_migration_that_fails_is_one_line(tmp_path: Path) -> None:
    services = tmp_path / "services"
    write_service(services, "auth", (STUBS / "auth/app/main.py").read_text())
    (services / "auth" / "alembic.ini").write_text("[alembic]\nscript_location = missing\n")

    ended = up(tmp_path / "state", "--services-dir", str(services))

    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.startswith("auth migration could not start (exit code ")


def test_the_caller_gets_the_same_line(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path, services_folder=tmp_path / "nothing", quiet=True)

    with pytest.raises(StackError, match="there are no services in"):
        stack.start()


def test_a_start_is_empty_unless_data_is_kept(start: Start) -> None:
    first = start(keep=True)
    _leave_traces(first)
    first.stop()

    second = start(keep=True)
    assert _traces(second) == {"table": True, "key": True, "mail": True}
    second.stop()

    third = start()
    assert _traces(third) == {"table": False, "key": False, "mail": False}


async def test_the_broker_keeps_its_messages_too(start: Start) -> None:
    first = start(keep=True)
    producer = AIOKafkaProducer(bootstrap_servers=first.info["kafka"], acks="all")
    async with producer:
        await producer.send_and_wait("order.events", b"kept", key=b"7")
    first.stop()

    second = start(keep=True)
    consumer = AIOKafkaConsumer(
        "order.events", bootstrap_servers=second.info["kafka"], auto_offset_reset="earliest"
    )
    async with consumer, asyncio.timeout(20):
        message = await consumer.getone()

    assert (message.key, message.value) == (b"7", b"kept")


async def test_the_topics_are_there_before_anyone_subscribes(stack: LocalStack) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.info["kafka"])
    async with consumer:
        assert set(TOPICS) <= await consumer.topics()


def test_settings_of_the_user_reach_the_services(start: Start) -> None:
    stack = start(env={"JWT_SECRET": "mine", "POSTGRES_DSN": "not this one"})

    assert stack.info["env"]["JWT_SECRET"] == "mine"
    assert stack.info["env"]["POSTGRES_DSN"].startswith("postgresql+psycopg:")


def _dsn(stack: LocalStack) -> str:
    return stack.info["postgres_dsn"].replace("+psycopg", "")


def _leave_traces(stack: LocalStack) -> None:
    with psycopg.connect(_dsn(stack)) as connection:
        connection.execute("CREATE TABLE trace (id int)")
    with redis.Redis.from_url(stack.info["redis_url"]) as valkey:
        valkey.set("trace", "1")
    send(stack, "trace")


def _traces(stack: LocalStack) -> dict[str, bool]:
    with psycopg.connect(_dsn(stack)) as connection:
        row = connection.execute("SELECT to_regclass('trace') IS NOT NULL").fetchone()
    with redis.Redis.from_url(stack.info["redis_url"]) as valkey:
        key = bool(valkey.exists("trace"))
    total = httpx.get(f"{stack.mailhog}/api/v2/messages").json()["total"]
    return {"table": bool(row and row[0]), "key": key, "mail": total == 1}
