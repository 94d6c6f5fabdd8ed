"""Defines the type of options that take a duration: seconds as a number, or a text such as `5m`."""

from __future__ import annotations

from typing import Any

import click

from mmos.config.scalars import LONGEST, duration, plain


class Seconds(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """Converts `90`, `1.5`, `30s`, `5m` or `1h30m` to seconds."""

    name = "seconds"

    def __init__(self, least: float = 0.0) -> None:
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        seconds = seconds_of(value, self._least) if isinstance(value, str) else float(value)
        if seconds is None:
            least = f"at least {self._least:g}" if self._least else "more than 0"
            self.fail(f"{value!r} is not a duration. Write seconds, {least}, as a number or like 30s, 5m or 1h30m.", param, ctx)
        return seconds


def seconds_of(text: str, least: float = 0.0) -> float | None:
    """Convert a text to seconds. None if it is not a duration that a program can wait for."""
    number = plain(text) if (seconds := duration(text)) is None else seconds
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return float(number) if max(least, 1e-9) <= number <= LONGEST else None
