"""The mailer against mail servers that refuse, hang up, stall or are away."""

import asyncio

import pytest

from tests.support.database import Query
from tests.support.processes import ServiceProcess
from tests.support.waiting import eventually

from .odd_smtp import HANG_UP, STAY_SILENT, TAKE_LATER, OddServer
from .own_copy import OwnCopy, Stack, new_addresses, own_database
from .samples import new_address


async def test_many_mails_go_out_over_one_connection_oldest_first(own: OwnCopy) -> None:
    recipients = new_addresses(50)
    before = own.server.connections
    await own.post(*recipients)
    await own.wait_for("SENT", recipients)
    arrived = [address for address, _ in own.server.received if address in recipients]
    assert arrived == recipients
    assert own.server.connections - before <= 1


async def test_a_refused_recipient_fails_with_the_reason_and_the_others_go_on(own: OwnCopy) -> None:
    bad, *good = new_addresses(3)
    own.server.on_recipient[bad] = lambda _: "550 5.1.1 no such mailbox"
    await own.post(bad, *good)
    await own.wait_for("SENT", good)
    status, attempts, failure, _ = await own.state(bad)
    assert (status, attempts, failure) == ("FAILED", 1, "550 5.1.1 no such mailbox")


async def test_a_mail_refused_after_its_data_fails(own: OwnCopy) -> None:
    bad, good = new_addresses(2)
    own.server.on_data[bad] = lambda _: "554 5.7.1 looks like spam"
    await own.post(bad, good)
    await own.wait_for("SENT", [good])
    assert (await own.state(bad))[:3] == ("FAILED", 1, "554 5.7.1 looks like spam")


async def test_a_mail_put_off_by_the_server_is_retried_and_blocks_nobody(own: OwnCopy) -> None:
    grey, *others = new_addresses(4)
    own.server.on_recipient[grey] = lambda times: "250 OK" if times > 2 else "451 4.7.1 later"
    await own.post(grey, *others)
    await own.wait_for("SENT", others)
    await own.wait_for("SENT", [grey])
    assert await own.state(grey) == ("SENT", 4, None, "451 4.7.1 later")
    assert len(own.server.to(grey)) == 1


async def test_a_repeat_after_a_lost_answer_is_the_same_mail(own: OwnCopy) -> None:
    unlucky = new_address()
    own.server.on_data[unlucky] = lambda times: "250 OK" if times else HANG_UP
    await own.post(unlucky)
    await own.wait_for("SENT", [unlucky])
    first, second = own.server.to(unlucky)
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]


async def test_answers_that_never_come_end_in_few_copies_and_a_reason(own: OwnCopy) -> None:
    unlucky, good = new_addresses(2)
    own.server.on_data[unlucky] = lambda _: HANG_UP
    await own.post(unlucky, good)
    await own.wait_for("SENT", [good])
    await own.wait_for("FAILED", [unlucky])
    copies = own.server.to(unlucky)
    assert len(copies) == 3
    assert len({copy["Message-ID"] for copy in copies}) == 1
    assert "may have arrived" in str((await own.state(unlucky))[2])


async def test_a_silent_server_holds_up_one_mail_only(own: OwnCopy) -> None:
    slow, *others = new_addresses(3)
    own.server.on_recipient[slow] = lambda times: "250 OK" if times else STAY_SILENT
    await own.post(slow, *others)
    await own.wait_for("SENT", [slow, *others])
    assert len(own.server.to(slow)) == 1


async def test_a_server_that_hangs_up_on_one_recipient_still_serves_the_others(
    own: OwnCopy,
) -> None:
    cursed, *others = new_addresses(3)
    own.server.on_recipient[cursed] = lambda _: HANG_UP
    await own.post(cursed, *others)
    await own.wait_for("SENT", others)
    assert (await own.state(cursed))[0] == "QUEUED"
    own.server.on_recipient.clear()
    await own.wait_for("SENT", [cursed])


async def test_mails_wait_for_a_server_that_is_away_and_lose_no_attempts(own: OwnCopy) -> None:
    recipients = new_addresses(30)
    await own.server.down()
    await own.post(*recipients)

    async def noticed() -> bool:
        health = await own.health()
        mailer = health["loops"]["mailer"]
        away = str(mailer.get("mail_server")).startswith("away")
        unreachable = str(health["checks"]["smtp"]).startswith("unreachable")
        return away and unreachable and int(mailer["queued"]) >= len(recipients)

    await eventually(noticed, what="health that names the mail server")
    states = [(await own.state(recipient))[:2] for recipient in recipients]
    assert set(states) == {("QUEUED", 0)}
    await own.server.up()
    await own.wait_for("SENT", recipients, within=5)
    assert (await own.health())["checks"]["smtp"] == "ok"


async def test_a_sender_that_the_server_refuses_is_no_mails_fault(own: OwnCopy) -> None:
    recipients = new_addresses(2)
    own.server.refuses_sender = True
    await own.post(*recipients)

    async def noticed() -> bool:
        mailer = (await own.health())["loops"]["mailer"]
        return str(mailer["mail_server"]) == "away (answers 550)"

    await eventually(noticed, what="health that tells of the refusal")
    assert {(await own.state(recipient))[:2] for recipient in recipients} == {("QUEUED", 0)}
    own.server.refuses_sender = False
    await own.wait_for("SENT", recipients)


async def test_a_mail_that_another_copy_has_taken_waits_for_the_end_of_its_lease(
    own: OwnCopy,
) -> None:
    taken, free = new_addresses(2)
    lease = "UPDATE notifications.mails SET leased_until = now() + %s WHERE recipient = %s"
    nobodys = f"{lease} AND leased_until IS NULL RETURNING 1"
    await own.server.down()
    await own.post(taken, free)
    await eventually(lambda: own.query(nobodys, "1 hour", taken), what="a mail in nobody's hands")
    await own.server.up()
    await own.wait_for("SENT", [free])
    assert await own.state(taken) == ("QUEUED", 0, None, None)
    await own.query(lease, "-1 second", taken)
    await own.wait_for("SENT", [taken])


async def test_two_copies_send_each_mail_once(own: OwnCopy) -> None:
    recipients = new_addresses(200)
    async with own.another():
        await asyncio.gather(*(own.post(*recipients[n::4]) for n in range(4)))
        await own.wait_for("SENT", recipients, within=20)
    assert {len(own.server.to(recipient)) for recipient in recipients} == {1}


async def test_a_mail_server_away_at_the_start_is_waited_for(stack: Stack, query: Query) -> None:
    server, recipient = OddServer(), new_address()
    async with own_database(stack, server, query) as own:
        await own.post(recipient)
        async with own.another() as copy:
            own.url = copy.url
            assert (await own.health())["checks"]["smtp"].startswith("unreachable")
            async with server:
                await own.wait_for("SENT", [recipient], within=5)


async def test_a_copy_that_stops_in_the_middle_leaves_no_mail_twice_or_behind(
    stack: Stack, query: Query
) -> None:
    async with OddServer() as server, own_database(stack, server, query) as own:
        recipients = new_addresses(120)
        server.on_data[recipients[10]] = lambda _: TAKE_LATER
        await own.post(*recipients)
        async with own.another(LOG_LEVEL="INFO", SMTP_TIMEOUT="6") as copy:
            await eventually(lambda: _arrived(server, recipients[10]), what="a mail in hand")
            assert copy.process
            copy.process.terminate()
            await eventually(lambda: _stops(copy), what="a copy that stops its loops")
            server.go_on.set()
        assert len(server.received) < len(recipients)
        async with own.another():
            await own.wait_for("SENT", recipients, within=20)  # the lease lasts longer
        assert [to for to, _ in server.received] == recipients


async def _arrived(server: OddServer, recipient: str) -> bool:
    return bool(server.to(recipient))


async def _stops(copy: ServiceProcess) -> bool:
    assert copy.process
    return "Waiting for application shutdown" in copy.process.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "address",
    [
        "ännchen@example.com",
        "a b@example.com",
        '"quoted"@example.com',
        "no-at-sign",
        "",
        "two@example.com, more@example.com",
        "evil@example.com\r\nBcc: victim@example.com",
        "evil@example.com>\r\nRCPT TO:<victim@example.com",
        "nul\x00@example.com",
        "<x@example.com>",
        "x@exa mple.com",
        "x@example.com\u2028",
        f"{'x' * 65}@example.com",
        f"x@{'y.' * 130}com",
    ],
)
async def test_an_address_that_a_plain_server_does_not_take_fails_at_once(
    own: OwnCopy, address: str
) -> None:
    before, good = len(own.server.received), new_address()
    await own.post(address, good)
    await own.wait_for("SENT", [good])
    kept = address.replace("\x00", "\ufffd")
    await own.wait_for("FAILED", [kept])
    assert "plain SMTP server" in str((await own.state(kept))[2])
    assert [to for to, _ in own.server.received[before:]] == [good]


async def test_a_domain_in_other_letters_is_written_in_ascii(own: OwnCopy) -> None:
    await own.post("info@bücher.example")
    await own.wait_for("SENT", ["info@bücher.example"])
    assert own.server.to("info@xn--bcher-kva.example")
