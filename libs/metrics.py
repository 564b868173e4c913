"""Prometheus metrics, each declared once with a `service` label."""

from prometheus_client import Counter, Histogram

EVENTS_PUBLISHED = Counter(
    "events_published_total", "Events published by the outbox relay", ["service"]
)
EVENTS_CONSUMED = Counter(
    "events_consumed_total",
    "Messages consumed, by outcome: applied, duplicate, ignored, dead_lettered",
    ["service", "outcome"],
)
REQUESTS = Histogram(
    "http_request_seconds", "Time from request to answer, by status class", ["service", "status"]
)
