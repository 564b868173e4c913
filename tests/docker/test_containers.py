"""What the containers may do, and that they come back."""

import json
import subprocess
from typing import Any

import httpx
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from libs.events import TOPICS
from tests.support.market import Market
from tests.support.waiting import eventually

from .compose import SERVICES, Compose

Json = dict[str, Any]


@pytest.fixture
def compose(stack: Json) -> Compose:
    return Compose(stack["docker"])


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_runs_without_any_privilege(compose: Compose, service: str) -> None:
    container = compose.inspect(service)
    host = container["HostConfig"]
    assert container["Config"]["User"] == "10001:10001"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert 0 < host["Memory"] <= 256 * 1024**2
    assert host["LogConfig"]["Config"]["max-size"]


def test_all_ports_are_published_on_loopback_only(compose: Compose) -> None:
    for name in compose.names():
        for bindings in (compose.inspect(name)["HostConfig"]["PortBindings"] or {}).values():
            assert [binding["HostIp"] for binding in bindings] == ["127.0.0.1"], name


def test_no_service_is_reached_past_the_gateway(compose: Compose) -> None:
    assert all(not compose.inspect(name)["HostConfig"]["PortBindings"] for name in SERVICES)


def test_a_final_image_has_no_compiler_and_no_cache(compose: Compose) -> None:
    look = "command -v gcc cc g++; ls -d /root/.cache /tmp/* /build 2>/dev/null; true"
    for name in SERVICES:
        image = compose.inspect(name)["Image"]
        assert compose.docker("run", "--rm", "--entrypoint", "sh", image, "-c", look) == ""


async def test_services_that_are_stopped_drain_and_exit_well(compose: Compose) -> None:
    compose("stop", *SERVICES)
    try:
        codes = {name: compose.inspect(name)["State"]["ExitCode"] for name in SERVICES}
    finally:
        compose("start", *SERVICES)
    assert codes == dict.fromkeys(SERVICES, 0)

    async def all_healthy() -> bool:
        return all([await compose.is_healthy(name) for name in SERVICES])

    await eventually(all_healthy, within=90, what="all services healthy")


SERVES_AGAIN = {"kafka": 90.0, "zookeeper": 90.0, "postgres": 30.0}
"""Seconds, a service has 20: for a slow machine, on which Kafka alone takes 60 to start."""


@pytest.mark.parametrize(
    "name", ["order", "payment", "shipping", "catalog", "kafka", "zookeeper", "postgres", "traefik"]
)
@pytest.mark.timeout(300)
async def test_an_order_goes_through_soon_whichever_process_is_killed(
    compose: Compose, market: Market, name: str
) -> None:
    """By the process' end, which the restart policy answers; `docker kill` it takes for a stop."""
    buyer, product = await market.new_customer(), await market.make_product(stock=5)
    order = await market.place_order(buyer, product)
    compose.kill_process(name)

    async def goes_through() -> bool:
        try:
            paid = await market.pay(buyer, order)
            seen = await buyer.get(f"/order/v1/orders/{order['order_id']}")
            stock = await market.api.get(f"/catalog/v1/inventory/{product['id']}")
        except httpx.TransportError:
            return False
        if paid.status_code not in (201, 409) or {seen.status_code, stock.status_code} != {200}:
            return False
        return bool(seen.json()["status"] == "PAID" and stock.json()["in_stock"] == 4)

    await eventually(goes_through, within=SERVES_AGAIN.get(name, 20), what="a paid order")
    await eventually(lambda: compose.is_healthy(name), within=90, what=f"{name} healthy")


@pytest.mark.timeout(300)
async def test_down_and_up_again_keeps_everything(
    compose: Compose, market: Market, stack: Json
) -> None:
    buyer, product = await market.new_customer(), await market.make_product(stock=5)
    order = await market.place_order(buyer, product)
    compose("down")
    compose("up", "-d", "--wait")
    assert (await market.pay(buyer, order)).status_code == 201
    await market.wait_for_order(order, "PAID", within=30)
    await market.place_order(buyer, product)
    await market.wait_for_stock(product, 4, 1)


def test_compose_takes_an_env_file_as_windows_writes_it(
    compose: Compose, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = (compose.folder / "deploy" / ".env.example").read_text(encoding="utf-8")
    file = tmp_path_factory.mktemp("env") / "windows.env"
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    command = ["docker", "compose", "-f", "deploy/docker-compose.yaml", "--env-file", str(file)]
    done = subprocess.run(
        [*command, "config", "--format", "json"],
        cwd=compose.folder,
        env={**compose.plain_env, "SERVICES_ENV_FILE": str(file)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    services = json.loads(done.stdout)["services"]
    assert services["order"]["environment"]["SVC_INTERNAL_KEY"] == "devkey"
    assert services["order"]["environment"]["POSTGRES_DSN"].endswith("@postgres:5432/appdb")
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"] == "postgres"


async def test_dead_letters_are_kept_until_somebody_has_seen_to_them(stack: Json) -> None:
    """By real Kafka's default they would be gone after a week."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stack["kafka"])
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.endswith(".dlq")]
        asked = [
            ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": None}) for name in names
        ]
        answers = await admin.describe_configs(asked)
    finally:
        await admin.close()
    kept = {found[3]: found[4][0][1] for answer in answers for found in answer.resources}
    assert kept == dict.fromkeys([f"{topic}.dlq" for topic in TOPICS], "-1")
