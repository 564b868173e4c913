"""The table of URLs that `up` and `status` print."""

from collections.abc import Mapping
from pathlib import Path

from .display import GREEN, RED, YELLOW, Display
from .state import StackInfo, shown


def rows(info: StackInfo) -> list[tuple[str, str]]:
    services = [(name, f"{info['gateway']}/{name}/docs") for name in info["services"]]
    return [
        ("gateway", info["gateway"]),
        ("dashboard", f"{info['dashboard']}/dashboard/"),
        ("mails", info["mailhog"]),
        *services,
        ("smtp", info["smtp"]),
        ("postgres", info["postgres_dsn"]),
        ("valkey", info["redis_url"]),
        ("kafka", info["kafka"]),
        ("s3", info["s3_endpoint"]),
    ]


def render(info: StackInfo, moved: Mapping[str, int], display: Display) -> str:
    table = [f"  {name:14} {url}" for name, url in rows(info)]
    taken = [
        display.paint(f"  port {port} is in use, so {name} has another one", YELLOW)
        for name, port in moved.items()
    ]
    title = display.paint(f"The stack is up after {display.elapsed:.1f} s.", GREEN)
    logs = f"Logs: {shown(Path(info['logs']))}   Stop: Ctrl-C"
    return "\n".join([title, "", *table, "", *taken, logs])


def render_status(info: StackInfo, statuses: Mapping[str, str], display: Display) -> str:
    lines = [f"  {name:14} {url:60} {statuses.get(name, '')}".rstrip() for name, url in rows(info)]
    bad = [name for name, status in statuses.items() if status != "ok"]
    verdict = display.paint(f"Not well: {', '.join(bad)}", RED) if bad else "All is well."
    return "\n".join([*lines, "", verdict, f"Logs: {shown(Path(info['logs']))}"])
