"""Times as a user types them."""

import argparse
import re
from datetime import UTC, datetime, timedelta

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def moment(text: str) -> datetime:
    """`10m` (ago; also s, h, d) or ISO 8601, in UTC unless it says otherwise."""
    if ago := re.fullmatch(r"(\d{1,9})([smhd])", text):
        return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time like 10m (ago) or 2026-01-31T12:00:00"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
