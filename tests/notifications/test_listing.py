"""The list of mails: whose, in which order, and what it refuses."""

from typing import Any

import httpx
import pytest

from libs.events import PaymentFailed, PaymentSucceeded
from tests.support.kafka import Publisher
from tests.support.people import Customer

from .mailbox import NOTIFICATIONS, Reader
from .samples import make_event


async def test_pages_are_newest_first_and_neither_repeat_nor_skip(
    publish: Publisher, reader: Reader
) -> None:
    orders: list[int] = []
    for count in range(1, 6):
        event = make_event(PaymentSucceeded, email=reader.email, user_id=reader.id)
        await publish.event(event)
        await reader.wait_for(count)
        orders.insert(0, event.order_id)
    pages = [await reader.page(limit=2, offset=offset) for offset in (0, 2, 4, 6)]
    assert [[item["order_id"] for item in page["items"]] for page in pages] == [
        orders[:2],
        orders[2:4],
        orders[4:],
        [],
    ]
    assert {(page["total"], page["limit"]) for page in pages} == {(5, 2)}
    assert [page["offset"] for page in pages] == [0, 2, 4, 6]


async def test_one_sees_ones_own_and_an_admin_all(
    publish: Publisher, customer: Customer, reader: Reader, admin_reader: Reader
) -> None:
    await publish.event(make_event(PaymentSucceeded, email=reader.email, user_id=reader.id))
    await reader.wait_for(1)
    assert reader.email not in {item["to"] for item in (await Reader(customer).page())["items"]}
    newest = (await admin_reader.page(limit=100))["items"]
    assert reader.email in {item["to"] for item in newest}


async def test_the_status_chooses(publish: Publisher, reader: Reader) -> None:
    await publish.event(make_event(PaymentSucceeded, email=reader.email, user_id=reader.id))
    await publish.event(make_event(PaymentFailed, email="nowhere", user_id=reader.id))
    await reader.wait_for(1, "SENT")
    await reader.wait_for(1, "FAILED")
    assert [m["type"] for m in (await reader.page(status="SENT"))["items"]] == ["payment.succeeded"]
    failed = await reader.page(status="FAILED")
    assert (failed["total"], failed["items"][0]["to"]) == (1, "nowhere")
    assert (await reader.page(status="QUEUED"))["total"] == 0


@pytest.mark.parametrize(
    "query",
    [
        {"status": "sent"},
        {"status": "LOST"},
        {"limit": 0},
        {"limit": 101},
        {"limit": "ten"},
        {"offset": -1},
        {"offset": 2**63},
        {"offset": 10**30},
    ],
)
async def test_a_wrong_query_is_refused(customer: Customer, query: dict[str, Any]) -> None:
    response = await Reader(customer).get(**query)
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("token", [None, "Bearer x.y.z", "Basic eDp5"])
async def test_a_list_needs_a_token(api: httpx.AsyncClient, token: str | None) -> None:
    headers = {"Authorization": token} if token else {}
    response = await api.get(NOTIFICATIONS, params={"limit": 0}, headers=headers)
    assert response.status_code == 401


async def test_a_trailing_slash_makes_no_difference(customer: Customer) -> None:
    response = await Reader(customer).get(f"{NOTIFICATIONS}/")
    assert response.status_code == 200


async def test_mails_are_read_only(api: httpx.AsyncClient) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert (await api.request(method, NOTIFICATIONS)).status_code == 405
