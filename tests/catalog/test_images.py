"""`/v1/products/{id}/image`, on the stack's S3 server."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from .replicas import Stack
from .shop import PNG, Shop

MOST = 5 * 1024 * 1024

IMAGES = {
    "image/png": PNG + b"\x00\r\n\xff" * 9,
    "image/jpeg": b"\xff\xd8\xff\xe0" + b"\x00" * 9,
    "image/gif": b"GIF89a" + b"\x01" * 9,
    "image/webp": b"RIFF\x10\x00\x00\x00WEBPVP8 ",
}


async def put(shop: Shop, product_id: int, content: bytes, **headers: str) -> Any:
    path = f"/v1/products/{product_id}/image"
    return await shop.admin.put(path, content=content, headers=headers)


@pytest.fixture(scope="session")
async def product_id(shop: Shop) -> int:
    """One for tests that look at no other's image."""
    [product_id] = await shop.make_ids(0)
    return product_id


@pytest.mark.parametrize("content_type", IMAGES)
async def test_an_image_comes_back_as_it_was_sent(
    shop: Shop, product_id: int, content_type: str
) -> None:
    content = IMAGES[content_type]
    stored = await put(shop, product_id, content, **{"Content-Type": "text/plain"})
    assert stored.status_code == 200
    shown = await shop.anyone.get(f"/v1/products/{product_id}/image")
    assert shown.content == content
    assert shown.headers["Content-Type"] == content_type
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Cache-Control"] == "public, no-cache"


async def test_the_image_url_works_through_the_gateway(
    shop: Shop, product_id: int, stack: Stack
) -> None:
    stored = await put(shop, product_id, PNG)
    url = stored.json()["image_url"]
    assert url == f"/catalog/v1/products/{product_id}/image"
    product = (await shop.anyone.get(f"/v1/products/{product_id}")).json()
    assert product["image_url"] == url
    assert (await shop.anyone.get(f"{stack['gateway']}{url}")).content == PNG


async def test_a_client_with_the_current_copy_gets_304(shop: Shop, product_id: int) -> None:
    await put(shop, product_id, PNG + b"first")
    path = f"/v1/products/{product_id}/image"
    etag = (await shop.anyone.get(path)).headers["ETag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await shop.anyone.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    await put(shop, product_id, PNG + b"second")
    changed = await shop.anyone.get(path, headers={"If-None-Match": etag})
    assert (changed.status_code, changed.content) == (200, PNG + b"second")
    assert changed.headers["ETag"] != etag


async def test_a_replaced_image_leaves_no_object_behind(
    shop: Shop, objects: Callable[[int], list[bytes]]
) -> None:
    [product_id] = await shop.make_ids(0)
    for content in (PNG + b"first", PNG + b"second"):
        await put(shop, product_id, content)
    assert objects(product_id) == [PNG + b"second"]


async def test_images_put_at_once_end_as_one_of_them(
    shop: Shop, objects: Callable[[int], list[bytes]]
) -> None:
    """And readers get one of them all the while, however often it is replaced as they read."""
    [product_id] = await shop.make_ids(0)
    path = f"/v1/products/{product_id}/image"
    await put(shop, product_id, PNG)
    done = asyncio.Event()

    async def read() -> set[int]:
        seen = set()
        while not done.is_set():
            seen.add((await shop.anyone.get(path)).status_code)
        return seen

    async def write(writer: int) -> set[int]:
        contents = [PNG + bytes([writer, number]) for number in range(6)]
        return {(await put(shop, product_id, content)).status_code for content in contents}

    async with asyncio.TaskGroup() as group:
        readers = [group.create_task(read()) for _ in range(16)]
        written = await asyncio.gather(*(write(number) for number in range(6)))
        done.set()
    assert set().union(*written) == {200}
    assert set().union(*(reader.result() for reader in readers)) == {200}
    assert objects(product_id) == [(await shop.anyone.get(path)).content]


async def test_5_mib_is_the_most(shop: Shop, product_id: int) -> None:
    largest = PNG.ljust(MOST, b"x")
    assert (await put(shop, product_id, largest)).status_code == 200
    shown = await shop.anyone.get(f"/v1/products/{product_id}/image")
    assert hashlib.sha256(shown.content).digest() == hashlib.sha256(largest).digest()
    assert (await put(shop, product_id, largest + b"x")).status_code == 413


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PNG", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"RIFF    WAVE"],
)
async def test_what_is_no_image_is_refused(shop: Shop, product_id: int, content: bytes) -> None:
    answer = await put(shop, product_id, content, **{"Content-Type": "image/png"})
    assert answer.status_code == 415
    assert answer.json()["code"] == "not_an_image"


async def test_what_is_not_there_is_not_found(shop: Shop) -> None:
    [product_id] = await shop.make_ids(0)
    without = await shop.anyone.get(f"/v1/products/{product_id}/image")
    assert (without.status_code, without.json()["code"]) == (404, "image_not_found")
    assert (await shop.anyone.get(f"/v1/products/{2**62}/image")).status_code == 404
    assert (await put(shop, 2**62, PNG)).status_code == 404
    assert (await put(shop, 2**63, PNG)).status_code == 422


async def test_only_an_admin_puts_images(shop: Shop, product_id: int) -> None:
    path = f"/v1/products/{product_id}/image"
    assert (await shop.anyone.put(path, content=PNG)).status_code == 401
    assert (await shop.customer.put(path, content=PNG)).status_code == 403


@pytest.fixture
def objects(stack: Stack) -> Callable[[int], list[bytes]]:
    """The contents of the objects that are stored for a product."""
    client = boto3.client(
        "s3",
        endpoint_url=stack["s3_endpoint"],
        aws_access_key_id=stack["env"]["S3_ACCESS_KEY"],
        aws_secret_access_key=stack["env"]["S3_SECRET_KEY"],
        region_name="us-east-1",
    )
    bucket = stack["env"]["S3_BUCKET"]

    def objects(product_id: int) -> list[bytes]:
        listed = client.list_objects_v2(Bucket=bucket, Prefix=f"products/{product_id}/")
        keys = [found["Key"] for found in listed.get("Contents", [])]
        return [client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]

    return objects
