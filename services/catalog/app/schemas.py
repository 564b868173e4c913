"""Request and response bodies."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    field_validator,
)
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy import RowMapping

from libs.types import Cents, Currency, Id, PathId, Quantity, RequiredText, StoredText, nfc

MAX_LINES = 100

Sku = Annotated[RequiredText, StringConstraints(max_length=64), AfterValidator(nfc)]
Title = Annotated[RequiredText, StringConstraints(max_length=200), AfterValidator(nfc)]
Description = Annotated[StoredText, Field(max_length=10_000)]


class CategoryCreate(BaseModel):
    name: Annotated[RequiredText, StringConstraints(max_length=100), AfterValidator(nfc)]


class CategoryRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str


class ProductCreate(BaseModel):
    title: Title
    description: Description = ""
    price_cents: Cents
    currency: Currency
    sku: Sku
    category_id: Id | None = None
    active: StrictBool = True


class ProductUpdate(BaseModel):
    """Any of the fields; only `category_id` can be null (no category)."""

    title: Title | SkipJsonSchema[None] = None
    description: Description | SkipJsonSchema[None] = None
    price_cents: Cents | SkipJsonSchema[None] = None
    currency: Currency | SkipJsonSchema[None] = None
    sku: Sku | SkipJsonSchema[None] = None
    category_id: Id | None = None
    active: StrictBool | SkipJsonSchema[None] = None

    @field_validator("title", "description", "price_cents", "currency", "sku", "active")
    @classmethod
    def _not_null(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("must not be null; leave it out to keep what is there")
        return value

    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


class ProductRead(BaseModel):
    id: int
    sku: str
    title: str
    description: str
    price_cents: int
    currency: str
    category_id: int | None
    active: bool
    in_stock: int
    available: int
    image_url: str | None
    created_at: datetime

    @classmethod
    def of(cls, product: Mapping[str, Any] | RowMapping, prefix: str) -> "ProductRead":
        """From a row of the product query; `prefix` is where the gateway serves Catalog."""
        image = f"{prefix}/v1/products/{product['id']}/image" if product["image_etag"] else None
        return cls.model_construct(**product, image_url=image)


ProductSort = Literal["title", "-title", "price", "-price", "created", "-created"]


class ProductFilter(BaseModel):
    """The query of a product list; prices in cents, inclusive."""

    q: str = ""
    category_id: int | None = None
    min_price: int | None = None
    max_price: int | None = None
    sort: ProductSort = "-created"


class StockLine(BaseModel):
    product_id: Id
    qty: Quantity


StockLines = Annotated[list[StockLine], Field(min_length=1, max_length=MAX_LINES)]


class RestockCreate(BaseModel):
    items: StockLines


class StockRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    product_id: int
    in_stock: int
    reserved: int
    available: int


class RestockRead(BaseModel):
    items: list[StockRead]


class ReservationCreate(BaseModel):
    reservation_id: UUID
    request_key: UUID
    items: StockLines


class ReservationLineRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    product_id: int
    title: str
    qty: int
    unit_price_cents: int
    currency: str


class ReservationRead(BaseModel):
    reservation_id: UUID
    items: list[ReservationLineRead]


class ReservationStatusRead(BaseModel):
    status: str


class ProductSummary(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    price_cents: int
    currency: str
    active: bool
    available: int


class ProductSummaries(BaseModel):
    products: list[ProductSummary]


SummaryIds = Annotated[list[PathId], Query(min_length=1, max_length=100)]
