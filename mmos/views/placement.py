"""Reads from a reply why the fleet chose its host, and how long the call took there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmos.events import ModelReplied

TERMS = ("wait", "others", "read", "write")
"""The terms that a call waits for itself, in the order in which it does. `others`: the calls of other clients."""


@dataclass(frozen=True)
class Elsewhere:
    """A host that could have served the call."""

    host: str
    seconds: float | None
    """Until the answer, as expected. None: the host was closed."""
    wait: float
    why: str
    """`busy`, `load`, `closed`, `cache` or `slower`."""


@dataclass(frozen=True)
class Loading:
    """The load of the model that was decided for the call, or just before it."""

    victims: tuple[str, ...]
    ready: float
    """The seconds that it should take."""
    gain: float
    """The seconds of waiting that it should save, all calls together."""
    loss: float
    """The seconds of waiting that it should cost the calls of its victims."""
    back: float
    """The seconds that a victim needs to be back."""


@dataclass(frozen=True)
class Placed:
    """The place of one call. All times are seconds on the host's clock."""

    host: str
    queued: float
    terms: Mapping[str, float]
    """Those that are not zero. `saved`, `displaced` and `reluctance` are no time of the call itself."""
    expected: float
    took: float
    elsewhere: tuple[Elsewhere, ...] = ()
    """The best other hosts, the best first."""
    load: Loading | None = None

    @classmethod
    def of(cls, event: ModelReplied) -> Placed | None:
        """None: a version of MMOS wrote it that did not keep this yet."""
        kept = event.placement
        if "took" not in kept or "expected" not in kept:
            return None
        terms = {name: _number(kept[name]) for name in (*TERMS, "saved", "displaced", "reluctance") if name in kept}
        load, elsewhere = kept.get("load"), kept.get("elsewhere")
        return cls(
            event.host,
            _number(kept.get("queue_seconds")),
            terms,
            _number(kept["expected"]),
            _number(kept["took"]),
            tuple(_elsewhere(one) for one in elsewhere if isinstance(one, dict)) if isinstance(elsewhere, list) else (),
            _loading(load) if isinstance(load, dict) else None,
        )


def _elsewhere(one: Mapping[str, Any]) -> Elsewhere:
    seconds = one.get("seconds")
    return Elsewhere(
        str(one.get("host", "")), None if seconds is None else _number(seconds), _number(one.get("wait")), str(one.get("why", ""))
    )


def _loading(one: Mapping[str, Any]) -> Loading:
    victims = one.get("victims")
    names = tuple(map(str, victims)) if isinstance(victims, list) else ()
    return Loading(names, *(_number(one.get(name)) for name in ("ready", "gain", "loss", "back")))


def _number(value: Any) -> float:
    """A journal may come from a stranger."""
    return float(value) if isinstance(value, int | float) else 0.0
