"""Draws a picture as PNG with Pillow, if it is installed."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmos.simulation.shapes import Area, Box, Line, Picture, Shape, Text

SHARPNESS = 2
"""Pixels of the PNG for each unit of the picture."""
ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}
MISSING = "MMOS drew no PNG, because Pillow is not installed. Install it with `pip install pillow`. The HTML page has the same picture."


def can_draw() -> bool:
    return find_spec("PIL") is not None


def write_png(picture: Picture, path: Path) -> None:
    size = (picture.width * SHARPNESS, picture.height * SHARPNESS)
    image = import_module("PIL.Image").new("RGB", size, "#ffffff")
    pen = import_module("PIL.ImageDraw").Draw(image)
    fonts = import_module("PIL.ImageFont")
    for shape in picture.shapes:
        _draw(pen, fonts, shape)
    image.save(path, "PNG", optimize=True)


def _draw(pen: Any, fonts: Any, shape: Shape) -> None:
    s = SHARPNESS
    match shape:
        case Box(x, y, width, height, fill):
            pen.rectangle((x * s, y * s, max(x * s, (x + width) * s - 1), (y + height) * s - 1), fill=fill)
        case Line(x1, y1, x2, y2, stroke):
            pen.line((x1 * s, y1 * s, x2 * s, y2 * s), fill=stroke, width=s // 2)
        case Area(points, fill):
            pen.polygon([(x * s, y * s) for x, y in points], fill=fill)
        case Text(x, y, text, size, fill, anchor, bold):
            font = fonts.load_default(size * s)
            pen.text((x * s, y * s), text, fill=fill, font=font, anchor=ANCHORS[anchor], stroke_width=int(bold), stroke_fill=fill)
