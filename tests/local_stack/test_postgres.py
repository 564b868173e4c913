"""How the services reach Postgres: by its Unix socket, where there can be one."""

from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from scripts.localstack import LocalStack

from .conftest import PORTS, STUBS


@pytest.mark.parametrize(
    ("name", "address"),
    [("short", None), ("long" * 25, "127.0.0.1"), ("in a, b & c", "127.0.0.1")],
)
def test_services_connect_by_the_socket_where_its_path_allows_it(
    name: str, address: str | None
) -> None:
    with (
        TemporaryDirectory(dir="/tmp") as short,
        LocalStack(
            Path(short) / name, port_base=PORTS + 200, services_folder=STUBS, quiet=True
        ) as stack,
    ):
        dsn = stack.info["env"]["POSTGRES_DSN"].replace("+psycopg", "")
        with psycopg.connect(dsn) as connection:
            found = connection.execute("SELECT host(inet_client_addr())").fetchone()
        assert found == (address,)
