"""A cart as it is kept; its changes are the scripts."""

from collections.abc import Mapping
from dataclasses import dataclass

MAX_LINES = 100


@dataclass(frozen=True, slots=True)
class Cart:
    """Quantities by product id; an empty cart has neither a currency nor a token."""

    lines: Mapping[int, int]
    currency: str | None
    checkout_token: str | None

    @classmethod
    def of(cls, stored: Mapping[str, str]) -> "Cart":
        """From the fields of its hash, with the lines in product order."""
        lines = sorted((int(field), int(qty)) for field, qty in stored.items() if field.isdigit())
        return cls(dict(lines), stored.get("currency"), stored.get("checkout_token"))
