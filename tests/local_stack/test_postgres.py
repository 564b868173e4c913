"""How the services reach Postgres: by its Unix socket, where the system takes a path so long."""

from pathlib import Path

import psycopg
import pytest

from scripts.localstack import LocalStack

from .conftest import PORTS, STUBS


@pytest.mark.parametrize(("name", "address"), [("s", None), ("long" * 25, "127.0.0.1")])
def test_services_connect_by_the_socket_unless_its_path_is_too_long(
    tmp_path: Path, name: str, address: str | None
) -> None:
    with LocalStack(
        tmp_path / name, port_base=PORTS + 200, services_folder=STUBS, quiet=True
    ) as stack:
        dsn = stack.info["env"]["POSTGRES_DSN"].replace("+psycopg", "")
        with psycopg.connect(dsn) as connection:
            found = connection.execute("SELECT host(inet_client_addr())").fetchone()
    assert found == (address,)
