"""The cost of a call: tokens as the server counts them, and seconds from the server or from our clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmos.messages import Usage

_MILLI = 1000.0


def usage(told: Mapping[str, Any], timings: Mapping[str, Any], times: tuple[float, float | None, float]) -> Usage:
    """`timings` is what llama.cpp's server adds; `times` are our begin, first piece and end."""
    begun, first, end = times
    first = end if first is None else first
    reading, writing = _number(timings, "prompt_ms"), _number(timings, "predicted_ms")
    return Usage(
        prompt_tokens=int(_number(told, "prompt_tokens") or 0),
        output_tokens=int(_number(told, "completion_tokens") or _number(timings, "predicted_n") or 0),
        prompt_seconds=first - begun if reading is None else reading / _MILLI,
        output_seconds=end - first if writing is None else writing / _MILLI,
        total_seconds=end - begun,
        cached_tokens=_cached(told, timings),
    )


def _cached(told: Mapping[str, Any], timings: Mapping[str, Any]) -> int | None:
    details = told.get("prompt_tokens_details")
    places = ((details if isinstance(details, dict) else {}, "cached_tokens"), (told, "prompt_cache_hit_tokens"), (timings, "cache_n"))
    found = next((number for place, name in places if (number := _number(place, name)) is not None), None)
    return None if found is None else int(found)


def _number(place: Mapping[str, Any], name: str) -> float | None:
    value = place.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None
