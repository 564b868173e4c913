"""Catalog, over HTTP: what the products of a cart are called and cost today."""

from collections.abc import Iterable, Mapping
from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel

from libs.http import ServiceClient


class Product(BaseModel):
    id: int
    title: str
    price_cents: int
    currency: str
    active: bool


Products = Mapping[int, Product | None]
"""By id; None for one that Catalog does not know."""


class _ProductList(BaseModel):
    products: list[Product]


class CatalogClient:
    def __init__(self, http: ServiceClient) -> None:
        self._http = http

    async def find_products(self, ids: Iterable[int]) -> Products:
        """The products with these ids (100 at most), in one call; none for no ids.

        Raises DependencyUnavailable when Catalog gives no answer.
        """
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        response = await self._http.get("/internal/products", params={"ids": wanted})
        found = _ProductList.model_validate_json(response.content).products
        return dict.fromkeys(wanted) | {product.id: product for product in found}


async def _get_catalog_client(request: Request) -> CatalogClient:
    catalog: CatalogClient = request.app.state.catalog
    return catalog


CatalogClientDep = Annotated[CatalogClient, Depends(_get_catalog_client)]
