"""seed.py beside Docker's stack: what it reads in deploy/.env, and what it says when that fails."""

import os
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import URL, make_url

from .conftest import Run

UP = "docker compose -f deploy/docker-compose.yaml --env-file deploy/.env up -d --build"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("POSTGRES_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def server(postgres_dsn: str) -> URL:
    return make_url(postgres_dsn)


def docker_dsn(server: URL, **changes: str) -> str:
    """The DSN as a container would have it."""
    url = server.set(host="postgres", port=5432, **changes)  # type: ignore[arg-type]
    return url.render_as_string(hide_password=False)


def write_env(clone: Path, text: str | bytes) -> None:
    data = text.encode() if isinstance(text, str) else text
    (clone / "deploy" / ".env").write_bytes(data)


@pytest.mark.parametrize(
    "shape",
    [
        "POSTGRES_DSN={dsn}\nPOSTGRES_PORT={port}\n",
        "POSTGRES_DSN={dsn}\r\nPOSTGRES_PORT={port}\r\n",
        "\ufeffPOSTGRES_DSN={dsn}\r\n\r\nPOSTGRES_PORT={port}",
        "# note\nexport POSTGRES_DSN='{dsn}'  # why\nPOSTGRES_PORT = \"{port}\" # too\n",
    ],
    ids=["plain", "crlf", "bom", "quoted"],
)
def test_the_environment_file_is_read_as_compose_does(
    run: Run, clone: Path, server: URL, shape: str
) -> None:
    write_env(clone, shape.format(dsn=docker_dsn(server, database="no_such"), port=server.port))
    done = run("seed.py", repo=clone)
    assert f"localhost:{server.port}/no_such" in done.stderr
    assert "does not exist" in done.stderr


def test_variables_of_the_environment_win(run: Run, clone: Path, server: URL) -> None:
    write_env(clone, f"POSTGRES_DSN={docker_dsn(server)}\nPOSTGRES_PORT=1\n")
    dsn = docker_dsn(server, database="other")
    done = run("seed.py", repo=clone, POSTGRES_DSN=dsn, POSTGRES_PORT=str(server.port))
    assert f"localhost:{server.port}/other" in done.stderr


def test_without_the_file_it_says_how_to_make_it(run: Run, clone: Path) -> None:
    done = run("seed.py", repo=clone)
    assert done.returncode == 1
    assert done.stderr == "deploy/.env is missing; make it: cp deploy/.env.example deploy/.env\n"


def test_a_file_that_is_not_utf_8_is_one_line(run: Run, clone: Path) -> None:
    write_env(clone, "POSTGRES_DB=appdb\n".encode("utf-16"))
    done = run("seed.py", repo=clone)
    assert done.returncode == 1
    assert done.stderr == "deploy/.env is not UTF-8 text; save it as UTF-8\n"


def test_before_the_stack_is_up_it_says_how_to_start_it(run: Run, clone: Path) -> None:
    write_env(clone, "POSTGRES_PORT=1\n")
    done = run("seed.py", "--timeout", "0.1", repo=clone)
    assert done.returncode == 1
    assert "localhost:1/appdb does not answer within 0.1 s" in done.stderr
    assert done.stderr.endswith(f"start the stack: {UP}\n")
    assert len(done.stderr.splitlines()) == 1


def test_a_volume_of_another_password_is_named(run: Run, clone: Path, server: URL) -> None:
    dsn = docker_dsn(server, password="new-secret")
    write_env(
        clone,
        f"POSTGRES_DSN={dsn}\nPOSTGRES_PASSWORD=new-secret\nPOSTGRES_PORT={server.port}\n",
    )
    done = run("seed.py", repo=clone)
    assert done.returncode == 1
    assert "password authentication failed" in done.stderr
    assert "set them back in deploy/.env" in done.stderr
    assert "down -v" in done.stderr
    assert "new-secret" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_two_different_passwords_in_the_file_are_named(run: Run, clone: Path, server: URL) -> None:
    dsn = docker_dsn(server, password="old-secret")
    write_env(
        clone,
        f"POSTGRES_DSN={dsn}\nPOSTGRES_PASSWORD=new-secret\nPOSTGRES_PORT={server.port}\n",
    )
    done = run("seed.py", repo=clone)
    assert "POSTGRES_DSN has another password than POSTGRES_PASSWORD" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_another_user_in_the_file_is_named(run: Run, clone: Path, server: URL) -> None:
    dsn = docker_dsn(server, username="nobody")
    write_env(clone, f"POSTGRES_DSN={dsn}\nPOSTGRES_USER=shop\nPOSTGRES_PORT={server.port}\n")
    done = run("seed.py", repo=clone)
    assert "POSTGRES_DSN has another user than POSTGRES_USER" in done.stderr
    assert "down -v" not in done.stderr


@pytest.mark.parametrize("value", ["p$ss", '"p$ss"', "p$$ss"])
def test_what_compose_would_take_for_a_variable_is_refused(
    run: Run, clone: Path, value: str
) -> None:
    write_env(clone, f"# costs $5\nPOSTGRES_USER='a$b'\nPOSTGRES_PASSWORD={value}\n")
    done = run("seed.py", repo=clone)
    assert done.returncode == 1
    assert done.stderr.startswith("deploy/.env: POSTGRES_PASSWORD has a $ in it")
    assert len(done.stderr.splitlines()) == 1


def test_an_option_that_the_driver_does_not_know_is_one_line(
    run: Run, clone: Path, server: URL
) -> None:
    write_env(clone, f"POSTGRES_DSN={docker_dsn(server)}?foo=bar\nPOSTGRES_PORT={server.port}\n")
    done = run("seed.py", repo=clone)
    assert done.returncode == 1
    assert done.stderr.startswith("POSTGRES_DSN: ")
    assert '"foo"' in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_odd_characters_in_a_password_stay_right(run: Run, clone: Path, server: URL) -> None:
    plain = server.render_as_string(hide_password=False).replace("+psycopg", "")
    role, password = f"odd_{os.getpid()}", "p@ss:w/rd%#1 ?"
    with psycopg.connect(plain, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
        try:
            dsn = docker_dsn(server, username=role, password=password, database="no_such")
            write_env(clone, f"POSTGRES_DSN={dsn}\nPOSTGRES_PORT={server.port}\n")
            done = run("seed.py", repo=clone)
        finally:
            admin.execute(f"DROP ROLE {role}")
    assert 'database "no_such" does not exist' in done.stderr


def test_another_driver_is_refused(run: Run, clone: Path) -> None:
    write_env(clone, "POSTGRES_DSN=postgresql://a:b@postgres/x\n")
    done = run("seed.py", repo=clone)
    assert done.returncode == 1
    assert "postgresql+psycopg://" in done.stderr
