"""A mail server whose ways depend on the recipient, and that can be away."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.processes import free_port

Answer = Callable[[int], str]
"""From how often this recipient was tried before to the server's answer."""

HANG_UP = "hang up"
STAY_SILENT = "stay silent"
TAKE_LATER = "take later"
"""It answers 250 once the test says `go_on`."""


@dataclass
class OddServer:
    port: int = field(default_factory=free_port)
    on_recipient: dict[str, Answer] = field(default_factory=dict)
    on_data: dict[str, Answer] = field(default_factory=dict)
    refuses_sender: bool = False
    received: list[tuple[str, EmailMessage]] = field(default_factory=list)
    connections: int = 0
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    _tried: Counter[tuple[str, str]] = field(default_factory=Counter)
    _server: asyncio.Server | None = None
    _sessions: list[SMTP] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()

    async def up(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", self.port)

    async def down(self) -> None:
        """Hang up on everybody, and listen no more."""
        if self._server:
            self._server.close()
            self._server = None
        for session in self._sessions:
            _hang_up(session)
        self._sessions.clear()

    def to(self, recipient: str) -> list[EmailMessage]:
        return [mail for address, mail in self.received if address == recipient]

    def _session(self) -> SMTP:
        self.connections += 1
        session = SMTP(self, ident="odd", loop=asyncio.get_running_loop())
        self._sessions.append(session)
        return session

    async def handle_MAIL(  # noqa: N802
        self, _: SMTP, __: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refuses_sender:
            return "550 not from you"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _: Session, envelope: Envelope, address: str, __: list[str]
    ) -> str:
        answer = await self._answer(server, self.on_recipient, address)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, _: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        recipient = str(envelope.rcpt_tos[0])
        mail = message_from_bytes(content, EmailMessage, policy=policy.default)
        self.received.append((recipient, mail))
        return await self._answer(server, self.on_data, recipient)

    async def _answer(self, server: SMTP, answers: dict[str, Answer], recipient: str) -> str:
        times = self._tried[str(id(answers)), recipient]
        self._tried[str(id(answers)), recipient] += 1
        answer = answers[recipient](times) if recipient in answers else "250 OK"
        if answer == STAY_SILENT:
            await asyncio.sleep(120)
        if answer == TAKE_LATER:
            await self.go_on.wait()
            return "250 OK"
        if answer == HANG_UP:
            _hang_up(server)
        return answer


def _hang_up(session: SMTP) -> None:
    if session.transport:
        session.transport.close()
