"""`/v1/products/{product_id}/image`"""

from typing import Any

from fastapi import Request, Response

from libs.db import DatabaseDep
from libs.routing import read_body, service_router
from libs.types import PathId

from ..image_store import ImageStoreDep
from ..schemas import ProductRead
from ..service import images
from .access import AdminOnly, PublicPrefix

router = service_router(prefix="/v1/products/{product_id}/image", tags=["images"])

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_CONTENT: dict[str, Any] = dict.fromkeys(images.IMAGE_TYPES, _BINARY)


@router.put(
    "",
    dependencies=[AdminOnly],
    openapi_extra={"requestBody": {"required": True, "content": _CONTENT}},
)
async def put_image(
    product_id: PathId,
    request: Request,
    database: DatabaseDep,
    store: ImageStoreDep,
    prefix: PublicPrefix,
) -> ProductRead:
    """Give the product an image (PNG, JPEG, GIF or WebP, 5 MiB at most), or another one."""
    content = await read_body(request, limit=images.MAX_IMAGE_BYTES)
    return ProductRead.of(await images.put_image(database, store, product_id, content), prefix)


@router.get(
    "",
    response_class=Response,
    responses={200: {"content": _CONTENT}, 304: {"description": "The client's copy is current"}},
)
async def get_image(
    product_id: PathId, request: Request, database: DatabaseDep, store: ImageStoreDep
) -> Response:
    """The image. A cached copy is asked about each time (304), so a new image shows at once."""
    image = await images.find_image(database, product_id)
    if _matches(request.headers.get("if-none-match", ""), image.etag):
        return Response(status_code=304, headers=_headers(image))
    image, content = await images.load_image(database, store, product_id, image)
    return Response(content, media_type=image.content_type, headers=_headers(image))


def _headers(image: images.Image) -> dict[str, str]:
    return {
        "ETag": f'"{image.etag}"',
        "Cache-Control": "public, no-cache",
        "X-Content-Type-Options": "nosniff",
    }


def _matches(if_none_match: str, etag: str) -> bool:
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in ("*", f'"{etag}"') for tag in tags)
