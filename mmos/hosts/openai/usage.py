"""The cost of a call: tokens as the server counts them, and seconds from the server or from our clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmos.hosts import reading
from mmos.messages import Usage

_MILLI = 1000.0


def usage(told: Mapping[str, Any], timings: Mapping[str, Any], times: tuple[float, float | None, float]) -> Usage:
    """`timings` is what llama.cpp's server adds; `times` are our begin, first piece and end."""
    begun, first, end = times
    first = end if first is None else first
    prompt_ms, output_ms = reading.number(timings.get("prompt_ms")), reading.number(timings.get("predicted_ms"))
    return Usage(
        prompt_tokens=reading.tokens(told.get("prompt_tokens")),
        output_tokens=reading.tokens(told.get("completion_tokens")) or reading.tokens(timings.get("predicted_n")),
        prompt_seconds=first - begun if prompt_ms is None else prompt_ms / _MILLI,
        output_seconds=end - first if output_ms is None else output_ms / _MILLI,
        total_seconds=end - begun,
        cached_tokens=_cached(told, timings),
    )


def _cached(told: Mapping[str, Any], timings: Mapping[str, Any]) -> int | None:
    details = reading.part(told.get("prompt_tokens_details"))
    places = (details.get("cached_tokens"), told.get("prompt_cache_hit_tokens"), timings.get("cache_n"))
    return next((found for place in places if (found := reading.count(place, reading.TOKENS)) is not None), None)
