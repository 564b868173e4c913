"""The mails that the stand-in received: the latest ones, bounded in number and in bytes."""

import base64
import json
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LIMIT = 20_000
LIMIT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Mail:
    id: str
    sender: str
    recipients: tuple[str, ...]
    data: bytes
    created: float

    def dump(self) -> str:
        data = base64.b64encode(self.data).decode()
        return json.dumps([self.id, self.sender, self.recipients, data, self.created])

    @classmethod
    def load(cls, line: str) -> "Mail":
        identity, sender, recipients, data, created = json.loads(line)
        return cls(identity, sender, tuple(recipients), base64.b64decode(data), created)


class MailStore:
    """In memory, and in a file, so that a restart of this server loses nothing."""

    def __init__(self, path: Path | None = None, limit: int = LIMIT) -> None:
        self.path = path
        self.limit = limit
        self.mails: deque[Mail] = deque()
        self.size = 0
        self.lines = 0
        self._load()

    def __len__(self) -> int:
        return len(self.mails)

    def newest_first(self) -> Iterator[Mail]:
        return reversed(self.mails)

    def page(self, start: int, limit: int) -> list[Mail]:
        last = len(self.mails) - 1 - start
        return [self.mails[i] for i in range(last, max(-1, last - limit), -1)]

    def find(self, identity: str) -> Mail | None:
        return next((mail for mail in self.newest_first() if mail.id == identity), None)

    def add(self, mail: Mail) -> None:
        self._keep(mail)
        if self.path:
            with self.path.open("a") as file:
                file.write(mail.dump() + "\n")
            self.lines += 1
            if self.lines > 2 * self.limit:
                self._rewrite()

    def remove(self, identity: str) -> bool:
        mail = self.find(identity)
        if mail:
            self.mails.remove(mail)
            self.size -= len(mail.data)
            self._rewrite()
        return mail is not None

    def clear(self) -> None:
        self.mails.clear()
        self.size = 0
        self._rewrite()

    def _keep(self, mail: Mail) -> None:
        self.mails.append(mail)
        self.size += len(mail.data)
        while len(self.mails) > self.limit or (self.size > LIMIT_BYTES and len(self.mails) > 1):
            self.size -= len(self.mails.popleft().data)

    def _load(self) -> None:
        if not self.path or not self.path.exists():
            return
        with self.path.open() as file:
            for line in file:
                with suppress(ValueError):  # a line that a crash cut short
                    self._keep(Mail.load(line))
        self._rewrite()

    def _rewrite(self) -> None:
        if self.path:
            fresh = self.path.with_suffix(".new")
            fresh.write_text("".join(mail.dump() + "\n" for mail in self.mails))
            fresh.replace(self.path)
            self.lines = len(self.mails)


def created_text(mail: Mail) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(mail.created))
    return f"{whole}.{int(mail.created % 1 * 1e6):06d}Z"
