"""The AsyncAPI 3 document of the events: `python -m libs.asyncapi`.

Channels are the topics and messages the registered types, so it can't drift from the code; who
sends and receives what is DESIGN's event table.
"""

import json
import sys
from typing import Any

from .events import EVENT_TYPES, TOPICS, EventData

PRODUCERS = {"order.events": "order", "payment.events": "payment", "shipping.events": "shipping"}
CONSUMERS = {
    "catalog": ("order.created", "order.paid", "order.cancelled"),
    "notifications": (
        "order.created",
        "order.cancelled",
        "payment.succeeded",
        "payment.failed",
        "payment.refunded",
        "shipping.dispatched",
    ),
    "order": ("payment.succeeded", "shipping.ready", "shipping.dispatched", "shipping.cancelled"),
    "payment": ("order.cancelled",),
    "shipping": ("order.created", "order.cancelled", "payment.succeeded"),
}

Json = dict[str, Any]


def make_document() -> Json:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Events of the e-commerce stack",
            "version": "1.0.0",
            "description": "CloudEvents 1.0 in JSON, keyed by order id. Unknown fields and types"
            " are ignored; a breaking change is a new type.",
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic) for topic in TOPICS},
        "operations": _operations(),
        "components": {
            "messages": {name: _message(data) for name, data in EVENT_TYPES.items()},
            "schemas": {name: _envelope(data) for name, data in EVENT_TYPES.items()},
        },
    }


def _channel(topic: str) -> Json:
    return {
        "address": topic,
        "messages": {name: _ref("messages", name) for name in _types_of(topic)},
        "bindings": {"kafka": {"topic": topic}},
    }


def _message(data: type[EventData]) -> Json:
    return {
        "name": data.type,
        "contentType": "application/json",
        "payload": _ref("schemas", data.type),
        "bindings": {"kafka": {"key": {"type": "string", "description": "the order id"}}},
    }


def _envelope(data: type[EventData]) -> Json:
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "format": "uuid"},
            "source": {"const": f"/{PRODUCERS[data.topic]}"},
            "type": {"const": data.type},
            "subject": {"type": "string", "description": "the order id"},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "requestid": text,
            "data": _inlined(data.model_json_schema(mode="serialization")),
        },
    }


def _inlined(schema: Json) -> Json:
    """The schema with its definitions in place, since its own `$defs` would be out of reach."""
    definitions = schema.pop("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, dict):
            if reference := node.get("$ref"):
                return resolve(definitions[reference.rpartition("/")[2]])
            return {key: resolve(value) for key, value in node.items()}
        return [resolve(item) for item in node] if isinstance(node, list) else node

    resolved: Json = resolve(schema)
    return resolved


def _operations() -> Json:
    operations: Json = {}
    for topic, service in PRODUCERS.items():
        operations[f"{service}.send"] = _operation("send", topic, _types_of(topic))
    for service, wanted in CONSUMERS.items():
        for topic in TOPICS:
            if types := [name for name in wanted if name in _types_of(topic)]:
                operations[f"{service}.receive.{topic}"] = _operation("receive", topic, types)
    return operations


def _operation(action: str, topic: str, types: list[str]) -> Json:
    channel = f"#/channels/{topic}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in types],
    }


def _types_of(topic: str) -> list[str]:
    return [name for name, data in EVENT_TYPES.items() if data.topic == topic]


def _ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}


if __name__ == "__main__":
    json.dump(make_document(), sys.stdout, indent=2)
    sys.stdout.write("\n")
