"""Payments through the gateway: success, failure, refusals, refunds."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from libs.events import OrderCancelled
from tests.support.kafka import EventLog, Publisher
from tests.support.market import Market
from tests.support.people import Customer
from tests.support.processes import ServiceProcess
from tests.support.waiting import eventually

Json = dict[str, Any]
SUCCEED = "/payment/v1/payments/mock-succeed"
FAIL = "/payment/v1/payments/mock-fail"


@pytest.fixture
async def buyer(market: Market) -> Customer:
    return await market.new_customer()


@pytest.fixture
async def order(market: Market, buyer: Customer, product: Json) -> Json:
    return await market.place_order(buyer, product, 2)


async def test_a_payment_succeeds_and_makes_the_shipment_ready(
    market: Market, buyer: Customer, order: Json, events: EventLog
) -> None:
    response = await market.pay(buyer, order)
    assert response.status_code == 201
    payment = response.json()
    assert payment["id"]
    assert {key: payment[key] for key in ("order_id", "status", "amount_cents", "currency")} == {
        "order_id": order["order_id"],
        "status": "SUCCEEDED",
        "amount_cents": order["total_cents"],
        "currency": "USD",
    }
    event = await events.wait_for(order["order_id"], "payment.succeeded")
    assert event["data"] == {
        "order_id": order["order_id"],
        "user_id": buyer.id,
        "email": buyer.email,
        "payment_id": payment["id"],
        "amount_cents": order["total_cents"],
        "currency": "USD",
        "reason": "",
    }
    await market.wait_for_order(order, "PAID")
    await market.wait_for_shipment(order, "READY_TO_SHIP")


async def test_a_failed_payment_can_be_followed_by_a_success(
    market: Market, buyer: Customer, order: Json, events: EventLog
) -> None:
    failed = await market.pay(buyer, order, how="fail")
    assert (failed.status_code, failed.json()["status"]) == (201, "FAILED")
    await events.wait_for(order["order_id"], "payment.failed")
    assert (await market.pay(buyer, order)).status_code == 201
    await market.wait_for_order(order, "PAID")


async def test_an_order_is_paid_once(market: Market, buyer: Customer, order: Json) -> None:
    assert (await market.pay(buyer, order)).status_code == 201
    for how in ("succeed", "fail"):
        again = await market.pay(buyer, order, how=how)
        assert (again.status_code, again.json()["code"]) == (409, "order_already_paid")


async def test_of_many_payments_at_once_one_succeeds(
    market: Market, buyer: Customer, order: Json, events: EventLog
) -> None:
    answers = await asyncio.gather(*(market.pay(buyer, order) for _ in range(10)))
    assert sorted(a.status_code for a in answers) == [201] + [409] * 9
    await market.wait_for_order(order, "PAID")
    await events.only(order["order_id"], "payment.succeeded")


async def test_the_same_key_at_once_gets_the_same_payment(
    market: Market, buyer: Customer, order: Json
) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    answers = await asyncio.gather(*(market.pay(buyer, order, headers=headers) for _ in range(6)))
    assert {a.status_code for a in answers} == {201}
    assert len({a.text for a in answers}) == 1
    later = await market.pay(buyer, order, headers=headers)
    assert later.text == answers[0].text


async def test_the_same_key_with_another_body_is_refused(
    market: Market, buyer: Customer, order: Json, product: Json
) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    assert (await market.pay(buyer, order, headers=headers)).status_code == 201
    other = await market.place_order(buyer, product)
    refused = await market.pay(buyer, other, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", "with space", "x" * 256, "\u00e9".encode().decode("latin-1")])
async def test_a_bad_key_is_refused(
    market: Market, buyer: Customer, product: Json, key: str
) -> None:
    body = {"order_id": 1, "amount_cents": 1, "currency": "USD"}
    headers = {"Idempotency-Key": key.encode("latin-1")}
    response = await buyer.post(SUCCEED, json=body, headers=headers)
    assert response.status_code == 422


@pytest.mark.parametrize(
    "change", [{"amount_cents": 1}, {"currency": "EUR"}, {"amount_cents": 10**15}]
)
async def test_another_amount_or_currency_is_a_conflict(
    market: Market, buyer: Customer, order: Json, change: Json
) -> None:
    response = await market.pay(buyer, order, **change)
    assert (response.status_code, response.json()["code"]) == (409, "amount_mismatch")


async def test_no_such_order_and_someone_elses_are_not_found(
    market: Market, customer: Customer, order: Json
) -> None:
    assert (await market.pay(customer, order)).status_code == 404
    assert (await market.pay(customer, order, order_id=999_999_999)).status_code == 404


async def test_an_admin_may_pay_for_a_customer(
    market: Market, order: Json, buyer: Customer
) -> None:
    assert (await market.pay(market.admin, order)).status_code == 201
    mine = (await buyer.get(f"/payment/v1/payments?order_id={order['order_id']}")).json()
    assert [payment["status"] for payment in mine] == ["SUCCEEDED"]


async def test_the_list_is_a_plain_one_newest_first_of_ones_own(
    market: Market, buyer: Customer, customer: Customer, order: Json
) -> None:
    await market.pay(buyer, order, how="fail")
    await market.pay(buyer, order)
    path = f"/payment/v1/payments?order_id={order['order_id']}"
    assert [p["status"] for p in (await buyer.get(path)).json()] == ["SUCCEEDED", "FAILED"]
    assert [p["status"] for p in (await buyer.get("/payment/v1/payments/?limit=1")).json()] == [
        "SUCCEEDED"
    ]
    assert (await customer.get(path)).json() == []
    assert len((await market.admin.get(path)).json()) == 2


async def test_a_stranger_is_refused_before_the_body_is_read(market: Market) -> None:
    for path in (SUCCEED, FAIL):
        assert (await market.api.post(path, content=b"{")).status_code == 401
    assert (await market.api.get("/payment/v1/payments")).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"order_id": True},
        {"order_id": 1.0},
        {"order_id": "1"},
        {"order_id": 2**63},
        {"order_id": 10**30},
        {"order_id": 0},
        {"amount_cents": -1},
        {"amount_cents": None},
        {"currency": "usd"},
        {"currency": "XYZ"},
        {"currency": ["USD"]},
    ],
)
async def test_a_bad_field_is_refused_by_name(customer: Customer, change: Json) -> None:
    body = {"order_id": 1, "amount_cents": 1, "currency": "USD", **change}
    response = await customer.post(SUCCEED, json=body)
    assert response.status_code == 422
    assert next(iter(change)) in response.json()["detail"]


def _cancelled(order: Json, buyer: Customer) -> OrderCancelled:
    return OrderCancelled(
        order_id=order["order_id"],
        user_id=buyer.id,
        email=buyer.email,
        reservation_id=uuid4(),
        items=[],
        reason="test",
    )


async def test_a_cancellation_refunds_a_success_once_however_often_it_comes(
    market: Market, buyer: Customer, product: Json, publish: Publisher, events: EventLog
) -> None:
    order = await market.place_order(buyer, product)
    await market.pay(buyer, order)
    await publish.event(_cancelled(order, buyer), times=2)
    await publish.event(_cancelled(order, buyer))
    await market.wait_for_payment(order, "REFUNDED")

    async def all_handled() -> bool:
        facts = (await market.api.get("/payment/health")).json()["loops"]["consumer"]
        return bool(facts["lag"] == 0)

    await eventually(all_handled, what="a consumer that is at the end")
    await events.only(order["order_id"], "payment.refunded")


async def test_a_payment_after_the_cancellation_is_refused(
    market: Market, buyer: Customer, order: Json, publish: Publisher
) -> None:
    await publish.event(_cancelled(order, buyer))

    async def refused() -> bool:
        response = await market.pay(buyer, order, how="fail")
        return response.status_code == 409 and response.json()["code"] == "order_cancelled"

    await eventually(refused)
    assert (await market.pay(buyer, order)).json()["code"] == "order_cancelled"


async def test_no_answer_from_order_is_a_503_and_no_payment(
    market: Market, buyer: Customer, order: Json, stack: Json
) -> None:
    async with ServiceProcess("payment", stack["env"], ORDER_BASE="http://127.0.0.1:9") as copy:
        headers = {"Idempotency-Key": uuid4().hex}
        response = await market.pay(buyer, order, at=copy.url, headers=headers)
        assert response.status_code == 503
        assert response.json()["code"] == "dependency_unavailable"
        assert response.headers["retry-after"]
    assert (await market.pay(buyer, order, headers=headers)).status_code == 201
