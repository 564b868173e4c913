"""Paging: `limit` and `offset` in, `{items, total, limit, offset}` out."""

from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel

from .types import MAX_ID, UrlInteger

ItemT = TypeVar("ItemT")


class Page(BaseModel, Generic[ItemT]):
    items: list[ItemT]
    total: int
    limit: int
    offset: int


class PageRequest(BaseModel):
    limit: int
    offset: int


Limit = Annotated[UrlInteger, Query(ge=1, le=100)]


async def _page_request(
    limit: Limit = 20, offset: Annotated[UrlInteger, Query(ge=0, le=MAX_ID)] = 0
) -> PageRequest:
    return PageRequest.model_construct(limit=limit, offset=offset)


Paging = Annotated[PageRequest, Depends(_page_request)]
