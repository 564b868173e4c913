"""Starts the stack, keeps it up, and stops it, whatever happens in between."""

import asyncio
import os
import signal
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import IO

from . import postgres, ready
from .display import Display
from .errors import StackError
from .plan import Options, Plan
from .ports import choose_ports
from .processes import Command, Process, Warden, sweep
from .servers import SERVERS, Server, topics
from .services import PRELOAD, find_services, migrations, service
from .state import Folder, OwnerInfo, ProcessInfo, StackInfo, shown
from .table import render
from .tasks import Runner, describe, first_error, first_of, in_words

START_LIMIT = 60.0
STOP_GRACE = 4.0
FIRST_PAUSE, LONGEST_PAUSE, STEADY_AFTER = 0.2, 10.0, 30.0


class Supervisor:
    def __init__(self, options: Options, display: Display) -> None:
        self.options = options
        self.display = display
        self.folder = Folder(options.folder)
        self.plan: Plan
        self.owner: Warden
        self.host: Warden  # forks the services from one set of imports
        self.is_up = False
        self.stop_code: asyncio.Future[int]
        self.pauses: dict[str, tuple[float, float]] = {}  # name to (pause, time of last start)
        self.restarts: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """The exit code: 130 after Ctrl-C, 0 after another request to stop, 1 when it failed."""
        self.stop_code = asyncio.get_running_loop().create_future()
        self._listen()
        with ExitStack() as held:
            try:
                mine, shared = self.folder.hold()
                held.enter_context(mine)
                held.enter_context(shared)
                await self._plan(held, shared)
            except (StackError, OSError) as error:
                self.display.error(in_words(error))
                return 1
            try:
                return await self._start_and_stay()
            finally:
                await self._shut_down()

    async def _plan(self, held: ExitStack, lock: IO[str]) -> None:
        if left_over := self.folder.read():
            sweep(left_over["marker"])
            self.folder.forget()
        services = find_services(self.options.services_folder)
        ports = choose_ports(services, self.options.port_base)
        held.callback(ports.release)
        self.plan = Plan(self.options, services, ports, self.folder.new_logs())
        self.owner = await self._warden(lock)
        self.host = await self._warden(lock, PRELOAD if self.options.preload else ())

    async def _warden(self, lock: IO[str], preload: tuple[str, ...] = ()) -> Warden:
        env = self.plan.base_env
        marker = self.plan.marker
        warden = await Warden.start(marker=marker, lock=lock.fileno(), env=env, preload=preload)
        warden.on_death = lambda: self._fail("the process that owns the stack's processes is gone")
        return warden

    async def _start_and_stay(self) -> int:
        starting = asyncio.ensure_future(self._start())
        try:
            await first_of(starting, self.stop_code)
            if starting.done():
                await starting
                self._announce()
            return await self.stop_code
        except (StackError, OSError) as error:
            self.display.error(in_words(error))
            return 1
        finally:
            starting.cancel()
            with suppress(asyncio.CancelledError, StackError, OSError):
                await starting

    async def _start(self) -> None:
        if not self.options.keep:
            await asyncio.to_thread(self.folder.empty_data)
        self.plan.data.mkdir(exist_ok=True)
        runner = Runner(self.owner)
        async with first_error() as group:
            servers = [group.create_task(self._server(server, runner)) for server in SERVERS]
            group.create_task(self._services(runner, servers))

    async def _services(self, runner: Runner, servers: list[asyncio.Task[None]]) -> None:
        needed = [task for task, server in zip(servers, SERVERS, strict=True) if server.needed]
        await asyncio.gather(*needed, asyncio.shield(self.host.ready))
        async with first_error() as group:
            for command in migrations(self.plan):
                group.create_task(self._migrate(command))
            for name in self.plan.services:
                group.create_task(self._service(name))
        await asyncio.gather(*servers)
        await self._routes()

    async def _server(self, server: Server, runner: Runner) -> None:
        if server.name == "postgres":
            await postgres.prepare(self.plan, runner)
        if server.name == "kafka" and self.options.keep:
            await ready.until(ready.s3(self.plan.ports["s3"]))
        process = await self._launch(server.command(self.plan), self.owner)
        await runner.ready(process, server.check(self.plan), START_LIMIT)
        if server.name == "kafka":
            await self._topics()
        self.display.stage(f"{server.name} is ready")

    async def _topics(self) -> None:
        """Only before any client is there: made again under their hands, Tansu's topics lose
        messages. After a restart the clients' own requests make them."""
        runs = [await self.owner.run(command) for command in topics(self.plan)]
        await asyncio.gather(*(process.wait() for process in runs))

    async def _migrate(self, command: Command) -> None:
        await Runner(self.host).run(self._program(command))
        self.display.stage(f"{command.name} is done")

    async def _service(self, name: str) -> None:
        process = await self._launch(self._program(service(self.plan, name)), self.host)
        check = ready.http(self.plan.ports[name], "/health")
        await Runner(self.host).ready(process, check, START_LIMIT)
        self.display.stage(f"{name} is healthy")

    def _program(self, command: Command) -> Command:
        return command if self.options.preload else command.as_plain()

    async def _routes(self) -> None:
        """The gateway reads its routes a moment after it answers."""
        path = f"/{self.plan.services[0]}/health"
        process = self.owner.processes["gateway"]
        check = ready.http(self.plan.ports["gateway"], path)
        await Runner(self.owner).ready(process, check, START_LIMIT)

    async def _launch(self, command: Command, warden: Warden) -> Process:
        self.pauses.setdefault(command.name, (FIRST_PAUSE, time.monotonic()))
        return await warden.run(command, self._ended)

    def _ended(self, process: Process) -> None:
        """While the stack starts, the start itself notices; later the process is started again."""
        if not self.is_up or self.stop_code.done():
            return
        name = process.command.name
        pause, started = self.pauses[name]
        if time.monotonic() - started > STEADY_AFTER:
            pause = FIRST_PAUSE
        code = describe(process.exited.result())
        log = shown(process.command.log)
        self.display.notice(f"{name} ended ({code}); starting it again in {pause:.1f} s, see {log}")
        task = asyncio.ensure_future(self._restart(process.command, pause))
        self.restarts.add(task)
        task.add_done_callback(self.restarts.discard)

    async def _restart(self, command: Command, pause: float) -> None:
        await asyncio.sleep(pause)
        self.pauses[command.name] = (min(pause * 2, LONGEST_PAUSE), time.monotonic())
        try:
            await self.owner.run(command.as_plain(), self._ended)
        except StackError as error:
            self._fail(str(error))
            return
        self._write_state()

    def _announce(self) -> None:
        self.is_up = True
        info = self._write_state()
        self.display.finish()
        self.display.show(render(info, self.plan.ports.moved, self.display))
        for process in self._processes():
            if process.exited.done():
                self._ended(process)

    def _write_state(self) -> StackInfo:
        info = self._info()
        self.folder.write(info)
        return info

    def _processes(self) -> list[Process]:
        by_name = {**self.host.processes, **self.owner.processes}
        wanted = (*(server.name for server in SERVERS), *self.plan.services)
        return [by_name[name] for name in wanted]

    def _info(self) -> StackInfo:
        plan = self.plan
        pids = {process.command.name: process.pid for process in self._processes()}
        services = {
            name: ProcessInfo(url=plan.url(name), pid=pids[name], port=plan.ports[name])
            for name in plan.services
        }
        ports = {server.name: plan.ports[server.port or server.name] for server in SERVERS}
        return StackInfo(
            ready=True,
            gateway=plan.url("gateway"),
            dashboard=plan.url("dashboard"),
            mailhog=plan.url("mailhog"),
            smtp=plan.address("smtp"),
            kafka=plan.address("kafka"),
            postgres_dsn=plan.postgres_dsn,
            redis_url=plan.redis_url,
            s3_endpoint=plan.url("s3"),
            services=services,
            servers={name: ProcessInfo(pid=pids[name], port=ports[name]) for name in ports},
            logs=str(plan.logs),
            env=plan.service_env,
            keep=self.options.keep,
            supervisor=OwnerInfo(pid=os.getpid()),
            marker=plan.marker,
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    async def _shut_down(self) -> None:
        self.folder.forget()
        for task in self.restarts:
            task.cancel()
        self.display.stage("stopping")
        died = [warden for warden in (self.owner, self.host) if warden.closed.is_set()]
        await self._close_the_door()
        await self.host.stop(STOP_GRACE)
        await self.owner.stop(STOP_GRACE)
        if died:
            await asyncio.to_thread(sweep, self.plan.marker)
        self.display.finish()

    async def _close_the_door(self) -> None:
        """The gateway first, so that what the services still work on is all that comes."""
        gateway = self.owner.processes.get("gateway")
        if gateway and gateway.running:
            self.owner.signal("gateway", signal.SIGTERM)
            await asyncio.wait({gateway.exited}, timeout=STOP_GRACE / 2)

    def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)):
            loop.add_signal_handler(number, self._asked_to_stop, code)
        if self.options.parent_fd is not None:
            loop.add_reader(self.options.parent_fd, self._parent_gone)

    def _parent_gone(self) -> None:
        """The parent holds the other end of a pipe, and never writes to it."""
        if self.options.parent_fd is not None:
            asyncio.get_running_loop().remove_reader(self.options.parent_fd)
        self._asked_to_stop(0)

    def _asked_to_stop(self, code: int) -> None:
        if self.stop_code.done():  # asked twice: no more waiting
            for warden in (self.host, self.owner):
                warden.hurry()
            return
        self.stop_code.set_result(code)

    def _fail(self, message: str) -> None:
        self.display.error(message)
        if not self.stop_code.done():
            self.stop_code.set_result(1)
