"""A letter as plain text, and as HTML with everything escaped."""

import re
from collections.abc import Sequence
from html import escape

from .templates import Letter, Row

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_GREETING = "Hello,"
_SIGNATURE = "Your demo shop"
_FONT = "font-family:system-ui,-apple-system,Segoe UI,Roboto,sans-serif"

_PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{subject}</title></head>
<body style="margin:0;padding:24px;background:#f3f4f6;color:#1f2937;{font}">
<div style="max-width:560px;margin:auto;padding:28px;background:#fff;border-radius:10px">
<h1 style="margin:0 0 16px;font-size:22px">{subject}</h1>
<p>{greeting}</p>
<p style="line-height:1.5">{intro}</p>
{tables}
<p style="margin:24px 0 0;color:#6b7280">{signature}</p>
</div>
</body>
</html>
"""
_TABLE = '<table style="width:100%;margin-top:16px;border-collapse:collapse">\n{rows}\n</table>'
_ITEM = (
    '<tr><td style="padding:8px 0;border-bottom:1px solid #e5e7eb">{label}</td>'
    '<td style="padding:8px 0;border-bottom:1px solid #e5e7eb;text-align:right;'
    'white-space:nowrap">{value}</td></tr>'
)
_FACT = (
    '<tr><td style="padding:4px 12px 4px 0;color:#6b7280;white-space:nowrap">{label}</td>'
    '<td style="padding:4px 0;text-align:right;font-weight:600">{value}</td></tr>'
)


def clean(text: str) -> str:
    """One line that a header, a text body and the database can take."""
    return _CONTROLS.sub(" ", text).strip()


def render_text(letter: Letter) -> str:
    items = [_text_item(row) for row in letter.items]
    facts = [f"{row.label}: {clean(row.value)}" for row in letter.facts]
    blocks = [[_GREETING], [letter.intro], items, facts, [_SIGNATURE]]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def render_html(letter: Letter) -> str:
    tables = (_table(letter.items, _ITEM), _table(letter.facts, _FACT))
    return _PAGE.format(
        subject=_escaped(letter.subject),
        greeting=_GREETING,
        intro=_escaped(letter.intro),
        tables="\n".join(table for table in tables if table),
        signature=_SIGNATURE,
        font=_FONT,
    )


def _text_item(row: Row) -> str:
    label = f"  {clean(row.label)}"
    return f"{label:<50}  {clean(row.value)}" if row.value else label


def _table(rows: Sequence[Row], template: str) -> str:
    lines = [template.format(label=_escaped(r.label), value=_escaped(r.value)) for r in rows]
    return _TABLE.format(rows="\n".join(lines)) if lines else ""


def _escaped(text: str) -> str:
    return escape(clean(text))
