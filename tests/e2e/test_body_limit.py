"""How large a body may be, through the gateway."""

import asyncio
import http.client
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.market import Market

MIB = 1024 * 1024
PNG = b"\x89PNG\r\n\x1a\n"


async def test_the_largest_image_passes_and_a_byte_more_is_refused_by_the_service(
    market: Market,
) -> None:
    product = await market.make_product(stock=0)
    path = f"/catalog/v1/products/{product['id']}/image"
    largest = PNG + b"\0" * (5 * MIB - len(PNG))
    assert (await market.admin.request("PUT", path, content=largest)).status_code == 200
    refused = await market.admin.request("PUT", path, content=largest + b"\0")
    assert (refused.status_code, refused.json()["code"]) == (413, "content_too_large")
    assert (await market.api.get(path)).content == largest


@pytest.mark.parametrize("length", ["6300000", "10000000", "007000000", "99999999999"])
async def test_the_gateway_refuses_by_the_head_what_no_service_takes(
    stack: dict[str, Any], length: str
) -> None:
    """A client that waits for `100 Continue`, as curl does, sends none of it."""

    def announce() -> tuple[int, str | None]:
        connection = http.client.HTTPConnection(urlsplit(stack["gateway"]).netloc, timeout=5)
        connection.putrequest("PUT", "/catalog/v1/products/1/image")
        connection.putheader("Content-Length", length)
        connection.putheader("Expect", "100-continue")
        connection.endheaders()
        answer = connection.getresponse()
        connection.close()
        return answer.status, answer.getheader("X-Request-ID")

    assert await asyncio.to_thread(announce) == (413, None)
