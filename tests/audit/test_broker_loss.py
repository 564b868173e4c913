"""The local broker forgets all that it had when it is killed; the audit waits for its refilling."""

import os
import signal

from .tools import POISONED, Stand


async def test_lost_events_are_back_before_the_stack_counts_as_quiet(stand: Stand) -> None:
    """And dead letters that were settled do not come back."""
    await stand.publish.raw("order.events", b"poison", key=b"poison")
    await stand.wait_for_letters(len(POISONED))
    assert (await stand.dlq("discard", "--all")).returncode == 0
    os.kill(stand.stack["servers"]["kafka"]["pid"], signal.SIGKILL)
    done = await stand.run("audit.py", "--wait", "60")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 missing" in done.stdout
    assert "0 open, 0 replayed, 0 discarded" in done.stdout
