"""The object store is away at the start, comes, and goes again: only images fail."""

import asyncio

from .replicas import OwnCatalog
from .shop import PNG


async def test_only_images_fail_while_the_store_is_away(own_catalog: OwnCatalog) -> None:
    shop = own_catalog.shops[0]
    [product_id] = await shop.make_ids(3)
    path = f"/v1/products/{product_id}/image"
    refused = await shop.admin.put(path, content=PNG)
    assert refused.status_code == 503
    assert refused.json()["code"] == "image_store_unavailable"
    assert refused.headers["Retry-After"]
    assert (await shop.anyone.get(path)).status_code == 404
    health = await shop.anyone.get("/health")
    assert health.status_code == 200
    assert health.json()["checks"]["object store"] != "ok"
    assert await shop.stock(product_id) == (3, 0)

    # It comes, without the bucket; four requests to two replicas make it at once.
    await own_catalog.store.up()
    ids = await shop.make_ids(0, 0, 0, 0)
    puts = [
        own_catalog.shops[number % 2].admin.put(f"/v1/products/{id_}/image", content=PNG)
        for number, id_ in enumerate(ids)
    ]
    assert {answer.status_code for answer in await asyncio.gather(*puts)} == {200}
    path = f"/v1/products/{ids[0]}/image"
    etag = (await shop.anyone.get(path)).headers["ETag"]

    await own_catalog.store.down()
    assert (await shop.anyone.get(path)).status_code == 503
    known = await shop.anyone.get(path, headers={"If-None-Match": etag})
    assert known.status_code == 304
