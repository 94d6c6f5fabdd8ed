"""What the stories of recoveries share: short ways to write a suggestion, and what they look at."""

from __future__ import annotations

from typing import Any

import mmos
from mmos.testing import Call, Stage

WHY = {"reason": "This should help."}
EMPTY = [""] * 3
"""So many empty replies end an exchange."""


def suggest(name: str, **arguments: Any) -> Call:
    return Call(name, {**arguments, **WHY})


def approach(text: str) -> Call:
    return suggest("suggest_alternative_approach", approach=text)


@mmos.tool(after_crash="repeat")
def read(path: str) -> str:
    """Read a file."""
    if path != "right.txt":
        raise ValueError(f"there is no {path}")
    return "the content"


written: list[str] = []


def write(path: str) -> str:
    """Write a file."""
    written.append(path)
    return "written"


def gist(answer: mmos.Answer) -> list[tuple[Any, ...]]:
    return [(one["failure"], one["suggestion"], one["by"], one["helped"]) for one in answer.document()["recoveries"]]


def spoken(on: Stage, role: str) -> list[str]:
    """The last prompt of a role: what each message says."""
    return [message["content"] for message in on.sent(role)[-1]["messages"][1:]]
