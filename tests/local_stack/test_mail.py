"""The stand-in for MailHog: SMTP in, its API and a page for people out."""

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from scripts.localstack import LocalStack
from scripts.localstack.mailstore import Mail, MailStore


@pytest.fixture
def api(stack: LocalStack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.mailhog) as client:
        client.delete("/api/v1/messages")
        yield client


def send(stack: LocalStack, subject: str, body: str = "Hello", html: str = "") -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "shop@example.com"
    message["To"] = "Ann <ann@example.com>"
    message.set_content(body)
    if html:
        message.add_alternative(html, subtype="html")
    host, _, port = stack.info["smtp"].partition(":")
    with smtplib.SMTP(host, int(port)) as smtp:
        smtp.send_message(message)
    return message


def test_a_mail_comes_out_in_the_shape_of_mailhog(stack: LocalStack, api: httpx.Client) -> None:
    send(stack, "Order 7 was paid", "Thank you.")

    answer = api.get("/api/v2/messages", params={"limit": 10}).json()
    (item,) = answer["items"]

    assert (answer["total"], answer["count"], answer["start"]) == (1, 1, 0)
    assert item["Content"]["Headers"]["Subject"] == ["Order 7 was paid"]
    assert item["Content"]["Headers"]["To"] == ["Ann <ann@example.com>"]
    assert item["Content"]["Body"].strip() == "Thank you."
    assert item["To"] == [{"Relays": None, "Mailbox": "ann", "Domain": "example.com", "Params": ""}]
    assert item["From"]["Mailbox"] == "shop"
    assert item["Raw"]["To"] == ["ann@example.com"]
    assert item["ID"]
    assert item["Created"].endswith("Z")
    assert api.get(f"/api/v1/messages/{item['ID']}").json() == item


def test_mails_are_listed_newest_first_and_in_pages(stack: LocalStack, api: httpx.Client) -> None:
    for number in range(5):
        send(stack, f"mail {number}")

    page = api.get("/api/v2/messages", params={"start": 1, "limit": 2}).json()

    subjects = [item["Content"]["Headers"]["Subject"][0] for item in page["items"]]
    assert subjects == ["mail 3", "mail 2"]
    assert (page["total"], page["count"], page["start"]) == (5, 2, 1)


def test_the_parts_of_a_mail_are_there(stack: LocalStack, api: httpx.Client) -> None:
    send(stack, "two parts", "plain words", "<p>rich words</p>")

    (item,) = api.get("/api/v2/messages").json()["items"]

    assert [part["Body"].strip() for part in item["MIME"]["Parts"]] == [
        "plain words",
        "<p>rich words</p>",
    ]


def test_mails_can_be_searched_and_deleted(stack: LocalStack, api: httpx.Client) -> None:
    send(stack, "first")
    send(stack, "second")

    found = api.get("/api/v2/search", params={"kind": "containing", "query": "SECOND"}).json()
    assert found["total"] == 1
    assert api.delete(f"/api/v1/messages/{found['items'][0]['ID']}").status_code == 200
    assert api.get("/api/v2/messages").json()["total"] == 1
    assert api.delete("/api/v1/messages").status_code == 200
    assert api.get("/api/v2/messages").json()["total"] == 0


def test_nothing_in_a_mail_becomes_markup_on_the_page(stack: LocalStack, api: httpx.Client) -> None:
    script = "<script>alert(1)</script>"
    send(stack, f"{script} & größe", f"{script}\n</pre><img src=x onerror=alert(2)>")

    page = api.get("/")

    assert "<script>" not in page.text
    assert "<img" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; größe" in page.text
    assert "&lt;img src=x onerror=alert(2)&gt;" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("subject", ["", "=?utf-8?q?=FF=FE?=", "=?no?b?AAAA?=", "=?utf-8?b?x?="])
def test_a_broken_header_does_not_break_the_page(
    stack: LocalStack, api: httpx.Client, subject: str
) -> None:
    host, _, port = stack.info["smtp"].partition(":")
    headers = f"Subject: {subject}\r\nContent-Type: text/plain; charset=no\r\n\r\n"
    with smtplib.SMTP(host, int(port)) as smtp:
        smtp.sendmail("a@example.com", ["b@example.com"], headers.encode() + b"\xff\xfe")

    assert api.get("/").status_code == 200
    assert api.get("/api/v2/messages").json()["total"] == 1


@pytest.mark.parametrize("path", ["/no", "/api/v2/messages?limit=-1", "/api/v2/messages?start=x"])
def test_odd_requests_get_an_answer(api: httpx.Client, path: str) -> None:
    assert api.get(path).status_code in {200, 404}


def test_memory_is_bounded_by_dropping_the_oldest(tmp_path: Path) -> None:
    store = MailStore(tmp_path / "mails.jsonl", limit=3)
    for number in range(20):
        store.add(Mail(str(number), "a@b", ("c@d",), b"x" * 10, 0.0))

    assert [mail.id for mail in store.newest_first()] == ["19", "18", "17"]
    assert store.size == 30
    assert len((tmp_path / "mails.jsonl").read_text().splitlines()) <= 6


def test_mails_outlive_a_restart_of_the_server(tmp_path: Path) -> None:
    path = tmp_path / "mails.jsonl"
    MailStore(path).add(Mail("1", "a@b", ("c@d",), b"\xff\x00", 1.5))
    with path.open("a") as file:
        file.write('["2", "cut sho')

    (mail,) = MailStore(path).mails

    assert mail == Mail("1", "a@b", ("c@d",), b"\xff\x00", 1.5)
