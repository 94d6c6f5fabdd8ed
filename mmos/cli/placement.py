"""Writes in words why a call ran on its host, and what it would have taken elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mmos.cli.output import how_long
from mmos.cli.text import flat
from mmos.events import ModelReplied
from mmos.views.placement import Elsewhere, Loading, Placed

NAMES = {"wait": "wait", "others": "wait for other clients", "read": "reading", "write": "writing"}
AGAINST = {
    "busy": ", because it was busy",
    "load": ", because it would load the model first",
    "cache": ", because it has no part of the prompt in its cache",
}
"""What was against a host. If it is only slower, the seconds show it."""
LEAST = 0.05
"""A shorter part of the expected time is not named."""


def reason(event: ModelReplied, *, most: int = 1) -> str:
    """What was expected, what it took, and how long `most` other hosts would have taken. Empty: the journal does not say."""
    placed = Placed.of(event)
    if placed is None:
        return _kept(event) if event.cached else ""
    terms = [f"{how_long(placed.terms[name])} {word}" for name, word in NAMES.items() if placed.terms.get(name, 0.0) >= LEAST]
    told = [f"{' + '.join(terms) or how_long(placed.expected)} expected, took {how_long(placed.took)}"]
    if placed.load is not None and placed.load.victims:
        told.append(_load(placed.load))
    return "; ".join([*told, *map(_elsewhere, placed.elsewhere[:most])])


def _kept(event: ModelReplied) -> str:
    """Say which answer of the cache it is."""
    kept = event.placement
    words = "to the same request" if kept.get("cached") == "exact" else f"to a request in other words ({kept.get('likeness')} alike)"
    saved = kept.get("saved_seconds")
    spared = f", which took {how_long(float(saved))}" if isinstance(saved, int | float) else ""
    return f"the answer of {flat(str(kept.get('of')))} {words} in run {flat(str(kept.get('run')))}{spared}"


def _load(load: Loading) -> str:
    victims = " and ".join(flat(model).removesuffix(":latest") for model in load.victims)
    return f"{victims} had to leave: that saves {how_long(load.gain)} of waiting and costs {how_long(load.loss)}"


def _elsewhere(other: Elsewhere) -> str:
    if other.seconds is None:
        return f"{flat(other.host)} got no calls, because it had failed"
    return f"{flat(other.host)} would have taken {how_long(other.seconds)}{AGAINST.get(other.why, '')}"


def as_json(event: ModelReplied) -> dict[str, Any]:
    """The place of a call for JSON documents. What an older MMOS did not keep is null."""
    placed = Placed.of(event)
    unknown: dict[str, Any] = {"queued": None, "terms": {}, "expected": None, "took": None, "elsewhere": [], "load": None}
    if event.cached:
        unknown["cached"] = dict(event.placement)
    return {"ask": event.ask, "role": event.role, "model": event.model, **(asdict(placed) if placed else {"host": event.host, **unknown})}
