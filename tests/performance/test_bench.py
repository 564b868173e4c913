"""`scripts/bench.py` as a user calls it: short runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.benchmark.figures import FIGURES

from .conftest import Stand

SHORTEST = ["--quick", "--seconds", "0.1", "--concurrency", "1"]
SHORT = ["--quick", "--seconds", "1.5", "--concurrency", "1,3"]


@pytest.fixture(scope="module")
def measured(stand: Stand) -> dict[str, Any]:
    done = stand.run("bench.py", *SHORT, "--json")
    assert done.returncode == 0, done.stderr
    data: dict[str, Any] = json.loads(done.stdout)
    return data


def test_every_figure_is_measured_but_for_what_was_not_asked_for(measured: dict[str, Any]) -> None:
    figures = measured["figures"]
    assert set(figures) == {figure.key for figure in FIGURES}
    missing = {key for key, value in figures.items() if value is None}
    assert missing == {"ready_p50_at_16_ms", "ready_p99_at_16_ms", "start_seconds"}
    assert all(value > 0 for value in figures.values() if value is not None)


def test_nothing_fails_and_the_audit_holds(measured: dict[str, Any]) -> None:
    assert measured["errors"] == []
    assert measured["audit"]["ok"]
    assert [phase["drained_seconds"] for phase in measured["phases"]].count(None) == 0


def test_it_starts_from_what_a_bare_request_costs(measured: dict[str, Any]) -> None:
    f, figures = measured["f_ms"], measured["figures"]
    assert f["all"] == pytest.approx(f["uvicorn"] + f["traefik"], abs=0.001)
    assert figures["flow_cpu_f"] == pytest.approx(figures["flow_cpu_ms"] / f["all"], rel=0.02)


def test_the_parts_add_up_to_a_flow(measured: dict[str, Any]) -> None:
    parts = measured["parts"]
    sums = [parts[name]["cpu_ms_per_flow"] for name in ("all services", "all servers")]
    assert sum(sums) == pytest.approx(measured["figures"]["flow_cpu_ms"], abs=0.1)
    assert parts["order"]["cpu_ms_per_flow"] > 0


def test_the_client_takes_little_of_the_cpu(measured: dict[str, Any]) -> None:
    assert all(phase["client_cpu_percent"] < 10 for phase in measured["phases"])


def test_it_shows_a_table_beside_an_earlier_run(
    stand: Stand, measured: dict[str, Any], tmp_path: Path
) -> None:
    earlier = tmp_path / "earlier.json"
    earlier.write_text(json.dumps(measured))
    done = stand.run("bench.py", *SHORTEST, "--compare", str(earlier))
    assert done.returncode == 0, done.stderr
    assert "now/before" in done.stdout
    for figure in FIGURES:
        assert figure.name in done.stdout
    assert "Audit: all" in done.stdout


def test_a_file_that_is_no_earlier_run_is_refused(stand: Stand, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("[]")
    done = stand.run("bench.py", "--compare", str(other))
    assert done.returncode == 2
    assert "--compare" in done.stderr
