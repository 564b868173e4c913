"""Use cases: give a product an image, and show it."""

import hashlib
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import RowMapping, select

from libs.db import Database
from libs.logging import fields, get_logger

from ..exceptions import ImageNotFound, ImageStoreUnavailable, NotAnImage
from ..image_store import ImageStore
from ..models import Product
from .products import get_product, lock_product, no_product, show_product

log = get_logger(__name__)

MAX_IMAGE_BYTES = 5 * 1024 * 1024
_MOST_REPLACED = 20

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")


class Image(NamedTuple):
    key: str
    etag: str
    content_type: str


def image_type(content: bytes) -> str:
    """By the bytes themselves, whatever the client calls them. Raises NotAnImage."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    for signature, content_type in _SIGNATURES:
        if content.startswith(signature):
            return content_type
    raise NotAnImage("The body is not a PNG, JPEG, GIF or WebP image.")


async def put_image(
    database: Database, store: ImageStore, product_id: int, content: bytes
) -> RowMapping:
    """Store the image, then point the product to it, then drop the one before.

    A crash in between leaves an object that nothing points to, never a product without its image.
    """
    image = Image(
        key=f"products/{product_id}/{uuid4().hex}",
        etag=hashlib.sha256(content).hexdigest()[:32],
        content_type=image_type(content),
    )
    async with database.autocommit() as reader:
        await get_product(reader, product_id)
    await store.put(image.key, content, content_type=image.content_type)
    async with database.session() as session:
        product = await lock_product(session, product_id)
        before = product.show_image(**image._asdict())
        await session.flush()
        shown = await show_product(session, product_id)
    if before:
        await _drop(store, before)
    return shown


async def find_image(database: Database, product_id: int) -> Image:
    """Raises ProductNotFound or ImageNotFound."""
    query = select(Product.image_key, Product.image_etag, Product.image_type)
    async with database.expressions() as reader:
        row = (await reader.execute(query.where(Product.id == product_id))).one_or_none()
    if row is None:
        raise no_product(product_id)
    if row.image_key is None:
        raise ImageNotFound(f"Product {product_id} has no image.")
    return Image(row.image_key, row.image_etag, row.image_type)


async def load_image(
    database: Database, store: ImageStore, product_id: int, image: Image
) -> tuple[Image, bytes]:
    """The image with its bytes, or the one that has replaced it meanwhile: several, one after
    the other, when many are put at once."""
    for _ in range(_MOST_REPLACED):
        try:
            return image, await store.get(image.key)
        except ImageNotFound:
            newer = await find_image(database, product_id)
            if newer == image:
                raise
            image = newer
    return image, await store.get(image.key)


async def _drop(store: ImageStore, key: str) -> None:
    """Nothing points to it any more; when it can't be deleted, it only takes room."""
    try:
        await store.delete(key)
    except (ImageStoreUnavailable, ImageNotFound):
        log.warning("an object is left behind", extra=fields(key=key))
