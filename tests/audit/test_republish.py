"""Published events sent again, and the topics as they come."""

import asyncio
import re
import signal

from .tools import Stand


async def test_republished_events_have_no_second_effect(stand: Stand) -> None:
    since = ("republish", "--service", "order", "--since", "1h")
    planned = await stand.run("events.py", *since, "--dry-run")
    done = await stand.run("events.py", *since)
    assert done.returncode == 0, done.stderr
    number = re.findall(r"(\d+) events of order", planned.stdout + done.stdout)
    assert int(number[0]) == int(number[1]) > 0
    assert await stand.audit(wait=20) == []


async def test_what_the_broker_refused_goes_out_once_it_takes_it(stand: Stand) -> None:
    await stand.query(
        "UPDATE payment.outbox SET published_at = NULL, refused = 'MessageSizeTooLargeError'"
        " WHERE id = (SELECT max(id) FROM payment.outbox)"
    )
    assert "outboxes are drained" in str(await stand.audit())
    done = await stand.run("events.py", "republish", "--service", "payment", "--since", "1h")
    assert done.returncode == 0, done.stderr
    assert await stand.audit(wait=20) == []


async def test_a_time_that_is_none_is_refused(stand: Stand) -> None:
    done = await stand.run("events.py", "republish", "--service", "order", "--since", "soon")
    assert done.returncode == 2
    assert "'soon' is no time" in done.stderr


async def test_events_are_printed_as_they_come_until_ctrl_c(stand: Stand) -> None:
    buyer = await stand.market.new_customer()
    command = stand.command("events.py", "tail", "--since", "5m", "--type", "order.created")
    process = await asyncio.create_subprocess_exec(
        *command, env=stand.env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        order = await stand.market.place_order(buyer, stand.product)
        wanted = f"order {order['order_id']} "
        async with asyncio.timeout(20):
            while wanted not in (line := (await process.stdout.readline()).decode()):
                assert line
        process.send_signal(signal.SIGINT)
        rest = await asyncio.wait_for(process.communicate(), 10)
    finally:
        if process.returncode is None:
            process.kill()
    assert "order.created" in line
    assert f"1 × {stand.product['title']}" in line
    assert "\x1b" not in line
    assert process.returncode == 0
    assert rest[1] == b""
