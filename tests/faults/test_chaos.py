"""A short run of chaos.py, with a fixed seed, on a stack of its own."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from scripts.localstack import LocalStack
from tests.support.forks import ROOT

SECONDS, EVERY, SEED = 60, 4, 696
"""Everything is broken once; Postgres and the services that take events are killed."""
QUICK = {"MAIL_LEASE": "9", "SMTP_TIMEOUT": "1", "OUTBOX_POLL_INTERVAL": "0.5"}
"""So that what a killed mailer had in hand is sent again within the test's time."""


@pytest.mark.timeout(300)
async def test_whatever_is_broken_nothing_that_was_answered_is_lost(tmp_path: Path) -> None:
    stack = LocalStack(tmp_path, port_base=19700, env=QUICK, quiet=True)
    await asyncio.to_thread(stack.start)
    try:
        code, said, errors = await _chaos(tmp_path)
    finally:
        await asyncio.to_thread(stack.stop)
    assert code == 0, said + errors
    result = json.loads(said)
    assert result["held"]
    assert result["lost"] == []
    assert sum(fault["count"] for fault in result["faults"]) >= SECONDS // EVERY - 1
    assert sum(result["flows"]["finished"].values()) > SECONDS // 3  # on a busy machine


async def _chaos(folder: Path) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "scripts/chaos.py", "--local", "--json", "--buyers", "3"),
        *("--seed", str(SEED), "--seconds", str(SECONDS), "--every", str(EVERY)),
        cwd=ROOT,
        env={**os.environ, "LOCAL_STACK_DIR": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, errors = await asyncio.wait_for(process.communicate(), 240)
    finally:
        if process.returncode is None:
            process.terminate()
    return process.returncode or 0, said.decode(), errors.decode()
