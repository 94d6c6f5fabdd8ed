"""Decides what a model is good at: the configuration counts more than a measurement, that more than its hosts, and they more than its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mmos.catalog import naming
from mmos.catalog.evidence import Measured, OnHost
from mmos.config.models_schema import Model

LARGE_WINDOW = 65536
"""Tokens. A model with such a window or a larger one has LARGE_CONTEXT."""
CALLS_WELL = 0.4
"""The share of right tool calls in the fitness test from which a model counts as one that calls tools. Below it is more often wrong than right."""

_LISTED = {"tools": "TOOL_CALLING", "vision": "VISION", "embedding": "EMBEDDING"}
"""What hosts list. What a host does not list, the model cannot do there."""
_LISTED_IF_THERE = {"thinking": "REASONING"}
"""Older hosts do not list it, so a missing word says nothing."""


class Claim(NamedTuple):
    """One source's word on a capability."""

    has: bool
    why: str


Claims = Mapping[str, Claim]


def claims(name: str, entries: Mapping[str, Model], there: Sequence[OnHost], measured: Sequence[Measured], window: int | None) -> Claims:
    """The last word on each capability of which anything is known."""
    return {**by_name(name), **by_hosts(there, window), **by_measurement(measured), **by_configuration(entries)}


def disputed(entries: Mapping[str, Model], measured: Sequence[Measured]) -> dict[str, str]:
    """Capabilities on which the configuration and a measurement differ, each with the measurement."""
    configured, found = by_configuration(entries), by_measurement(measured)
    return {name: found[name].why for name in configured.keys() & found.keys() if configured[name].has != found[name].has}


def by_name(name: str) -> Claims:
    return {capability: Claim(True, f"its name says {part}") for capability, part in naming.said(name).items()}


def by_hosts(there: Sequence[OnHost], window: int | None) -> Claims:
    found = dict(_listed(there))
    if window is not None:
        found["LARGE_CONTEXT"] = Claim(window >= LARGE_WINDOW, f"its window has {window:,} tokens")
    return found


def _listed(there: Sequence[OnHost]) -> Iterator[tuple[str, Claim]]:
    """The word of the host that lists most. A host that lists less may be an older version."""
    telling = [one for one in there if one.model.capabilities is not None]
    if not telling:
        return
    best = max(telling, key=lambda one: len(one.model.capabilities or ()))
    listed = best.model.capabilities or frozenset()
    for word, capability in _LISTED.items():
        yield capability, Claim(word in listed, f"{best.host} lists {word}" if word in listed else f"{best.host} does not list {word}")
    for word, capability in _LISTED_IF_THERE.items():
        if word in listed:
            yield capability, Claim(True, f"{best.host} lists {word}")


def by_measurement(measured: Sequence[Measured]) -> Claims:
    found: dict[str, Claim] = {}
    tested = [one for one in measured if one.calls is not None]
    if tested:
        worst = min(tested, key=lambda one: one.calls or 0.0)
        share = worst.calls or 0.0
        found["TOOL_CALLING"] = Claim(share >= CALLS_WELL, f"{share:.0%} of its calls were right: {worst.by} on {worst.host}")
    for one in measured:
        if one.window is not None and one.window < LARGE_WINDOW:
            found["LARGE_CONTEXT"] = Claim(False, f"{one.host} reads only {one.window:,} tokens: {one.by}")
    return found


def by_configuration(entries: Mapping[str, Model]) -> Claims:
    found: dict[str, Claim] = {}
    for key, entry in entries.items():
        why = f"configuration: models.{key}"
        found |= {name: Claim(True, why) for name in entry.capabilities}
        found |= {name: Claim(False, why) for name in entry.lacks}
    return found
