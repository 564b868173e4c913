"""`scripts/audit.py` as a user calls it."""

import json
from pathlib import Path

import pytest

from libs.asyncapi import CONSUMERS, PRODUCERS
from libs.events import EVENT_TYPES
from scripts.localstack.state import Folder
from services.catalog.app.handlers import HANDLERS as CATALOG
from services.notifications.app.handlers import HANDLERS as NOTIFICATIONS
from services.order.app.handlers import HANDLERS as ORDER
from services.payment.app.handlers import HANDLERS as PAYMENT
from services.shipping.app.handlers import HANDLERS as SHIPPING

from .tools import Stand


async def test_every_rule_is_one_line_with_its_numbers(stand: Stand) -> None:
    done = await stand.run("audit.py", "--wait", "20")
    assert done.returncode == 0, done.stdout
    where, *rules, verdict = done.stdout.splitlines()
    assert stand.stack["gateway"] in where
    assert verdict == f"Audit: all {len(rules)} rules hold."
    assert all(line.startswith("ok ") for line in rules)
    assert "\x1b" not in done.stdout


async def test_json_says_the_same(stand: Stand) -> None:
    done = await stand.run("audit.py", "--json", "--wait", "20")
    found = json.loads(done.stdout)
    assert found["ok"]
    assert {"rule", "ok", "numbers", "breaches", "more"} <= set(found["rules"][0])


async def test_ten_rows_are_named_and_the_others_counted(stand: Stand) -> None:
    spoil = "UPDATE notifications.mails SET status = %s, failure = %s, sent_at = %s"
    await stand.query(spoil, "FAILED", "refused", None)
    try:
        done = await stand.run("audit.py")
        (total,) = (await stand.query("SELECT count(*) FROM notifications.mails"))[0]
    finally:
        await stand.query(spoil, "SENT", None, "now")
    assert done.returncode == 1
    assert done.stdout.count(" is FAILED: refused") == 10
    assert f"... and {total - 10} more" in done.stdout
    assert "Audit: 1 of 28 rules are broken" in done.stdout


async def test_mails_that_can_t_be_read_are_no_proof(stand: Stand, tmp_path: Path) -> None:
    info = json.loads((Path(stand.folder) / "stack.json").read_text())
    (tmp_path / "stack.json").write_text(json.dumps({**info, "mailhog": "http://127.0.0.1:9"}))
    held = Folder(tmp_path).hold()
    try:
        done = await stand.run("audit.py", "--local", LOCAL_STACK_DIR=str(tmp_path))
    finally:
        for lock in held:
            lock.close()
    assert done.returncode == 1, done.stderr
    unknown = [line for line in done.stdout.splitlines() if line.startswith("UNKNOWN ")]
    assert len(unknown) == 1
    assert "not checked: no answer from http://127.0.0.1:9" in unknown[0]
    assert ", 1 not checked." in done.stdout


@pytest.mark.parametrize(
    "nowhere",
    [
        {"POSTGRES_DSN": "postgresql+psycopg://a:sec-ret@127.0.0.1:1/x"},
        {"KAFKA_BOOTSTRAP": "127.0.0.1:1"},
    ],
    ids=["database", "broker"],
)
async def test_where_nothing_answers_it_says_how_to_start_a_stack(
    stand: Stand, nowhere: dict[str, str]
) -> None:
    env = {"POSTGRES_DSN": stand.stack["postgres_dsn"], **nowhere}
    done = await stand.run("audit.py", "--docker", **env)
    assert done.returncode == 2
    assert "scripts/local.py up" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "sec-ret" not in done.stderr + done.stdout


async def test_a_local_stack_that_is_not_up_is_said_to_be_missing(
    stand: Stand, tmp_path: Path
) -> None:
    done = await stand.run("audit.py", "--local", LOCAL_STACK_DIR=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == "No local stack is up; start one: python scripts/local.py up\n"


def test_it_knows_what_each_service_consumes() -> None:
    handlers = {
        "catalog": CATALOG,
        "notifications": NOTIFICATIONS,
        "order": ORDER,
        "payment": PAYMENT,
        "shipping": SHIPPING,
    }
    known = {group: set(types) for group, types in CONSUMERS.items()}
    assert known == {name: {data.type for data in table} for name, table in handlers.items()}
    assert set(PRODUCERS) == {data.topic for data in EVENT_TYPES.values()}
