"""Reads the moments that options of a command name: a date, a time, or how long ago."""

from __future__ import annotations

import datetime
import re
import time
from typing import Any

import click

from mmos.config.scalars import duration

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """Converts `2026-11-30`, `2026-11-30 14:30`, `2h` or `3d` to seconds since 1970. Dates are in the time zone of this machine."""

    name = "moment"

    def __init__(self, *, end: bool = False) -> None:
        self._end = end
        """Whether a date means the end of the day."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if not isinstance(value, str):
            return float(value)
        ago = duration(value.removesuffix(" ago"), "smhdw")
        moment = _of_date(value, self._end) if ago is None else time.time() - ago
        if moment is None:
            self.fail(
                f"{value!r} is no date and no duration. Write 2026-11-30, '2026-11-30 14:30', or how long ago, like 2h or 3d.", param, ctx
            )
        return moment


def _of_date(text: str, end: bool) -> float | None:
    try:
        moment = datetime.datetime.fromisoformat(text)
        if end and _DATE.fullmatch(text):
            moment += datetime.timedelta(days=1, microseconds=-1)
        return moment.timestamp()
    except (ValueError, OverflowError, OSError):
        return None
