"""Field types of the wire shapes, with the bounds that DESIGN sets; integers are strict."""

import re
import unicodedata
from functools import cache
from typing import Annotated

import pycountry
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

MAX_ID = 2**63 - 1
MAX_PRICE_CENTS = 10**9
MAX_QUANTITY = 10**6


def _storable(text: str) -> str:
    """Postgres text takes no NUL, and UTF-8 no lone surrogate."""
    if "\x00" in text:
        raise ValueError("must not contain NUL characters")
    return text


def _plain_digits(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,4000}", value, re.ASCII):
        raise ValueError("must be a whole number, in digits")
    return value


def _currency(code: str) -> str:
    if code not in _currencies():
        raise ValueError("must be an ISO 4217 currency code in upper case, such as EUR")
    return code


def _country(code: str) -> str:
    if code not in _countries():
        raise ValueError("must be an ISO 3166 country code of two upper-case letters, such as IE")
    return code


@cache
def _currencies() -> frozenset[str]:
    return frozenset(currency.alpha_3 for currency in pycountry.currencies)


@cache
def _countries() -> frozenset[str]:
    return frozenset(country.alpha_2 for country in pycountry.countries)


def nfc(text: str) -> str:
    """The composed form, so that the same text has the same characters."""
    return unicodedata.normalize("NFC", text)


StoredText = Annotated[str, AfterValidator(_storable)]
"""Any text that the database can hold; bound its length with `Field(max_length=...)`."""

RequiredText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_storable)
]
"""Text of at least one visible character, trimmed."""

Id = Annotated[int, Field(strict=True, ge=1, le=MAX_ID)]
"""An id in a JSON body."""

UrlInteger = Annotated[int, BeforeValidator(_plain_digits)]
"""A whole number in a path or a query string: digits only, no `+1`, `1.0` or `1_0`."""

PathId = Annotated[UrlInteger, Field(ge=1, le=MAX_ID)]
"""An id in a path or a query string."""

Cents = Annotated[int, Field(strict=True, ge=0, le=MAX_PRICE_CENTS)]
"""Money in the currency's hundredths, as a price."""

TotalCents = Annotated[int, Field(strict=True, ge=0, le=MAX_ID)]
"""Money in the currency's hundredths, as a sum."""

Quantity = Annotated[int, Field(strict=True, ge=1, le=MAX_QUANTITY)]
Currency = Annotated[str, AfterValidator(_currency)]
Country = Annotated[str, AfterValidator(_country)]
