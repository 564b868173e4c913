"""The AsyncAPI document, as `python -m libs.asyncapi` prints it."""

import importlib
import json
import subprocess
import sys
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis.strategies import builds, one_of

from libs.asyncapi import make_document
from libs.consumer import Handlers
from libs.events import EVENT_TYPES, TOPICS, EventData, encode
from tests.support.kafka import EventLog
from tests.support.market import Market

Json = dict[str, Any]
CONSUMERS = ("catalog", "notifications", "order", "payment", "shipping")


@pytest.fixture(scope="module")
def document() -> Json:
    printed = subprocess.run(
        [sys.executable, "-m", "libs.asyncapi"], capture_output=True, text=True, check=True
    )
    found: Json = json.loads(printed.stdout)
    return found


def _resolve(document: Json, reference: str) -> Json:
    node = document
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [ref for value in node.values() for ref in _references(value)]
    return [ref for item in node for ref in _references(item)] if isinstance(node, list) else []


def test_every_reference_leads_somewhere(document: Json) -> None:
    references = _references(document)
    assert references
    assert all(_resolve(document, reference) for reference in references)


def test_every_topic_and_type_is_in_it(document: Json) -> None:
    channels = document["channels"]
    assert set(channels) == {channel["address"] for channel in channels.values()} == set(TOPICS)
    assert set(document["components"]["messages"]) == set(EVENT_TYPES)
    for name, data in EVENT_TYPES.items():
        assert name in channels[data.topic]["messages"]


def test_each_type_is_sent_by_the_one_service_that_owns_its_topic(document: Json) -> None:
    sent = [
        (name.removesuffix(".send"), reference["$ref"].rpartition("/")[2])
        for name, operation in document["operations"].items()
        if operation["action"] == "send"
        for reference in operation["messages"]
    ]
    owners = [(data.topic.partition(".")[0], name) for name, data in EVENT_TYPES.items()]
    assert sorted(sent) == sorted(owners)


@given(data=one_of(*(builds(data_class) for data_class in EVENT_TYPES.values())))
def test_what_is_encoded_fits_the_schema_of_its_type_only(data: EventData) -> None:
    schemas = make_document()["components"]["schemas"]
    event = json.loads(encode(data, service=data.topic.partition(".")[0])[1])
    fitting = [name for name, schema in schemas.items() if jsonschema_rs.is_valid(schema, event)]
    assert fitting == [data.type]
    del event["data"]["order_id"]
    assert not jsonschema_rs.is_valid(schemas[data.type], event)


@pytest.mark.parametrize("service", CONSUMERS)
def test_a_service_receives_what_its_handlers_table_says(document: Json, service: str) -> None:
    handlers: Handlers = importlib.import_module(f"services.{service}.app.handlers").HANDLERS
    received = {
        reference["$ref"].rpartition("/")[2]
        for name, operation in document["operations"].items()
        if name.startswith(f"{service}.receive.")
        for reference in operation["messages"]
    }
    assert received == {data.type for data in handlers}


async def test_what_the_services_send_fits_the_document(
    document: Json, market: Market, events: EventLog
) -> None:
    buyer = await market.new_customer()
    product = await market.make_product()
    failed = await market.place_order(buyer, product)
    assert (await market.pay(buyer, failed, how="fail")).status_code == 201
    assert (await market.pay(buyer, failed)).status_code == 201
    await market.wait_for_shipment(failed, "READY_TO_SHIP")
    assert (await market.cancel(buyer, failed)).status_code == 200
    await market.wait_for_payment(failed, "REFUNDED")
    sent = await market.place_order(buyer, product)
    await market.pay(buyer, sent)
    await market.dispatch(await market.wait_for_shipment(sent, "READY_TO_SHIP"))
    await events.wait_for(sent["order_id"], "order.paid")
    await events.wait_for(sent["order_id"], "shipping.dispatched")
    await events.wait_for(failed["order_id"], "payment.refunded")
    await events.wait_for(failed["order_id"], "shipping.cancelled")
    seen = set()
    for order in (failed, sent):
        for event in await events.of_order(order["order_id"]):
            schema = document["components"]["schemas"][event["type"]]
            jsonschema_rs.validate(schema, event)
            seen.add(event["type"])
    assert seen == set(document["components"]["messages"])
