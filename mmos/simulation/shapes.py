"""Describes a picture as a list of shapes, which other modules write in any format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Box:
    x: float
    y: float
    width: float
    height: float
    fill: str
    hint: str = ""
    """The text that shows when the pointer is over it."""


@dataclass(frozen=True, slots=True)
class Text:
    x: float
    y: float
    """The height of the base line."""
    text: str
    size: int = 12
    fill: str = "#24292f"
    anchor: Anchor = "start"
    bold: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    x1: float
    y1: float
    x2: float
    y2: float
    stroke: str = "#d8dee4"


@dataclass(frozen=True, slots=True)
class Area:
    """A filled outline."""

    points: Sequence[tuple[float, float]]
    fill: str
    hint: str = ""


Shape: TypeAlias = Box | Text | Line | Area


@dataclass
class Picture:
    width: int
    height: int = 0
    shapes: list[Shape] = field(default_factory=list)

    def draw(self, *shapes: Shape) -> None:
        self.shapes += shapes
