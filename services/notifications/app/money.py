"""Money for people to read."""

_DECIMALS = {
    **dict.fromkeys(
        (
            *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"),
            *("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
"""ISO 4217's minor units, where a currency does not have two."""


def format_money(amount: int, currency: str) -> str:
    """`amount` in the currency's smallest unit, such as `1,234.50 EUR` or `1,234 JPY`."""
    decimals = _DECIMALS.get(currency, 2)
    whole, fraction = divmod(abs(amount), 10**decimals)
    digits = f"{whole:,}.{fraction:0{decimals}}" if decimals else f"{whole:,}"
    return f"{'-' if amount < 0 else ''}{digits} {currency}"
