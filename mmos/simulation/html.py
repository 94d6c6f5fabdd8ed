"""Writes a picture as a complete HTML page with SVG, without external files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from mmos.simulation.shapes import Area, Box, Line, Picture, Shape, Text

STYLE = (
    "body{margin:24px auto;max-width:1240px;padding:0 16px;font:14px/1.45 system-ui,sans-serif;color:#24292f;background:#fff}"
    "svg{width:100%;height:auto}h1{font-size:20px}h2{font-size:15px;margin:28px 0 8px}"
    "table{border-collapse:collapse}th,td{padding:3px 14px 3px 0;text-align:right;border-bottom:1px solid #d8dee4}"
    "th:first-child,td:first-child{text-align:left}th{font-weight:600}p{color:#57606a}"
)
Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""A table: title, column heads, rows."""


def page(title: str, note: str, picture: Picture, tables: Iterable[Table]) -> str:
    parts = [
        "<!DOCTYPE html>",
        f'<html lang="en"><head><meta charset="utf-8"/><title>{escape(title)}</title><style>{STYLE}</style></head><body>',
        f"<h1>{escape(title)}</h1><p>{escape(note)}</p>",
        svg(picture),
        *(_table(*table) for table in tables),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def svg(picture: Picture) -> str:
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {picture.width} {picture.height}" role="img" '
        f'font-family="system-ui, sans-serif"><rect width="{picture.width}" height="{picture.height}" fill="#ffffff"/>'
    )
    return "\n".join([opening, *map(_shape, picture.shapes), "</svg>"])


def _shape(shape: Shape) -> str:
    match shape:
        case Box(x, y, width, height, fill, hint):
            return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"{_hint("rect", hint)}'
        case Line(x1, y1, x2, y2, stroke):
            return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}"/>'
        case Area(points, fill, hint):
            corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            return f'<polygon points="{corners}" fill="{fill}"{_hint("polygon", hint)}'
        case Text(x, y, text, size, fill, anchor, bold):
            weight = ' font-weight="600"' if bold else ""
            return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'


def _hint(tag: str, hint: str) -> str:
    return f"><title>{escape(hint)}</title></{tag}>" if hint else "/>"


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<h2>{escape(title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
