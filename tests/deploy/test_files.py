"""The compose file, the Dockerfiles, `.env.example` and the README agree with each other."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from libs.config import DatabaseSettings
from tests.support.forks import ROOT

DEPLOY = ROOT / "deploy"
DOCKERFILES = sorted((ROOT / "services").glob("*/Dockerfile"))
RELAY = 1
OPERATORS = 20
"""Scripts, migrations, a psql or two, and what Postgres keeps for its superuser."""
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


@pytest.fixture(scope="module")
def compose_text() -> str:
    return (DEPLOY / "docker-compose.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def compose(compose_text: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(compose_text)
    return document


@pytest.fixture(scope="module")
def example() -> str:
    return (DEPLOY / ".env.example").read_text(encoding="utf-8")


def _variables(text: str) -> dict[str, str]:
    return dict(re.findall(r"^#?([A-Z]\w+)=(.*)$", text, re.MULTILINE))


def test_each_service_has_a_dockerfile_and_a_container(compose: dict[str, Any]) -> None:
    with_app = {main.parts[-3] for main in (ROOT / "services").glob("*/app/main.py")}
    assert {file.parent.name for file in DOCKERFILES} == with_app
    built = {
        name: service["build"]["dockerfile"]
        for name, service in compose["services"].items()
        if "dockerfile" in service.get("build", {})
    }
    assert built == {name: f"services/{name}/Dockerfile" for name in with_app}


def test_defaults_in_the_compose_file_are_those_that_the_example_names(
    compose_text: str, example: str
) -> None:
    named = _variables(example)
    used = VARIABLE.findall(compose_text)
    assert {name: default for name, default in used if named.get(name) != default} == {}


def test_all_images_are_pinned_and_the_dockerfiles_base_is_the_examples(example: str) -> None:
    images = {k: v for k, v in _variables(example).items() if k.endswith("_IMAGE")}
    assert all(re.search(r":[\w.-]*\d", image) for image in images.values()), images
    gateway = (DEPLOY / "traefik" / "Dockerfile").read_text(encoding="utf-8")
    assert f"ARG TRAEFIK_IMAGE={images['TRAEFIK_IMAGE']}\nFROM ${{TRAEFIK_IMAGE}}\n" in gateway
    for file in DOCKERFILES:
        text = file.read_text(encoding="utf-8")
        assert re.findall(r"^ARG PYTHON_IMAGE=(.*)$", text, re.MULTILINE) == [
            images["PYTHON_IMAGE"]
        ]
        assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) <= {
            "${PYTHON_IMAGE}",
            "shared",
        }


def test_the_readme_shows_the_examples_variables(example: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.search(r"```dotenv\n(.*?)```", readme, re.DOTALL)
    assert shown
    assert example.startswith(shown[1].rstrip())


def test_the_dockerfiles_differ_in_their_service_only() -> None:
    def shape(file: Path) -> list[str]:
        lines = file.read_text(encoding="utf-8").replace(file.parent.name, "X").splitlines()
        return [line for line in lines if "description=" not in line]

    shapes = {file.parent.name: shape(file) for file in DOCKERFILES}
    catalog = shapes.pop("catalog")  # leaves out the descriptions of other clouds' services
    assert all(other == shapes["auth"] for other in shapes.values())
    assert len(catalog) == len(shapes["auth"]) + 2


@pytest.mark.parametrize(
    "file", [*DOCKERFILES, DEPLOY / "traefik" / "Dockerfile"], ids=lambda file: file.parent.name
)
def test_hadolint_finds_nothing(file: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, file], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_postgres_takes_the_connections_of_two_replicas_of_each_service(
    compose: dict[str, Any],
) -> None:
    allowed = re.search(r"max_connections=(\d+)", " ".join(_command(compose, "postgres")))
    assert allowed
    with_tables = len(list((ROOT / "services").glob("*/alembic.ini")))
    a_process = DatabaseSettings().database_pool_size + RELAY
    assert with_tables * a_process * 2 + OPERATORS <= int(allowed[1])


def _command(compose: dict[str, Any], service: str) -> list[str]:
    command: list[str] = compose["services"][service]["command"]
    return command
