"""What arrived at the stack's mail server, and who asks Notifications about it."""

from email import message_from_string, policy
from email.message import EmailMessage
from typing import Any

import httpx

from tests.support.people import Customer
from tests.support.waiting import eventually

NOTIFICATIONS = "/notifications/v1/notifications"


class Mailbox:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def to(self, address: str) -> list[EmailMessage]:
        """Newest first."""
        query = {"kind": "to", "query": address, "limit": "50"}
        found = (await self._client.get("/api/v2/search", params=query)).json()
        return [
            message_from_string(mail["Raw"]["Data"], EmailMessage, policy=policy.default)
            for mail in found["items"]
        ]

    async def wait_for(self, address: str) -> EmailMessage:
        """The one mail to this address."""
        mails = await eventually(lambda: self.to(address), what=f"a mail to {address}")
        assert len(mails) == 1
        return mails[0]


class Reader:
    """A user who reads the list of mails."""

    def __init__(self, user: Customer) -> None:
        self.id, self.email = user.id, user.email
        self._user = user

    async def get(self, path: str = NOTIFICATIONS, **query: Any) -> httpx.Response:
        return await self._user.get(path, params=query)

    async def page(self, **query: Any) -> dict[str, Any]:
        response = await self.get(**query)
        assert response.status_code == 200, response.text
        page: dict[str, Any] = response.json()
        return page

    async def wait_for(self, count: int, status: str = "SENT") -> list[dict[str, Any]]:
        """All of one's mails, once `count` of them have this status."""

        async def enough() -> dict[str, Any] | None:
            page = await self.page(status=status, limit=100)
            return page if page["total"] >= count else None

        await eventually(enough, what=f"{count} mails {status}")
        items: list[dict[str, Any]] = (await self.page(limit=100))["items"]
        return items


def text_of(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None, f"no {kind} part"
    content: str = part.get_content()
    return content.replace("\r\n", "\n")
