"""Checks the entries of `models` against each other, on the data as written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from mmos.config.capabilities import spelled
from mmos.config.scalars import gigabytes
from mmos.config.wording import Place, mapping, with_type
from mmos.names import canonical

Findings = Iterator[tuple[Place, str]]

_ONE_FOR_A_MODEL: dict[str, Callable[[str], Any]] = {"memory_usage": gigabytes, "family": str.casefold}
"""Keys that say something of the model itself, so that entries of one model must agree."""


def entries(orchestration: dict[str, Any]) -> Findings:
    found = {key: mapping(orchestration, "models", key) for key in mapping(orchestration, "models") if isinstance(key, str)}
    models = {key: canonical(model) for key, entry in found.items() if isinstance(model := entry.get("model"), str)}
    for key, entry in found.items():
        place = ("models", key)
        if "num_ctx" in mapping(entry, "options"):
            yield (*place, "options", "num_ctx"), "'num_ctx' is not allowed here; write 'context_window' beside 'model' instead"
        yield from _clashes(place, key, models)
        earlier = [other for other in _before(key, found) if models.get(other) == models.get(key)]
        yield from _unlike(place, entry, {other: found[other] for other in earlier if key in models})
        yield from _both(place, entry, {other: found[other] for other in [*earlier, key]})


def _before(key: str, found: dict[str, Any]) -> list[str]:
    keys = list(found)
    return keys[: keys.index(key)]


def _clashes(place: Place, key: str, models: dict[str, str]) -> Findings:
    """A key that is the name of another model: nobody could tell which one is meant."""
    other = next((other for other, model in models.items() if model == canonical(key) and models.get(key) != model), "")
    if other:
        yield place, f"'{key}' is the name of the model of '{other}', so it cannot be the key of another model; choose another key"


def _unlike(place: Place, entry: dict[str, Any], earlier: dict[str, dict[str, Any]]) -> Findings:
    for name, read in _ONE_FOR_A_MODEL.items():
        for other, values in earlier.items():
            if name in entry and name in values and read(str(entry[name])) != read(str(values[name])):
                text = f"found {with_type(entry[name])}, but '{other}' is the same model and has {with_type(values[name])}"
                yield (*place, name), f"{text}; write it once, or the same in both"


def _both(place: Place, entry: dict[str, Any], those: dict[str, dict[str, Any]]) -> Findings:
    """A capability that one entry of a model has, and one of the same model lacks."""
    for name, opposite in (("capabilities", "lacks"), ("lacks", "capabilities")):
        for index, capability in enumerate(_words(entry.get(name))):
            for other, values in those.items():
                if name == "lacks" and values is entry:
                    continue  # said once
                if capability in _words(values.get(opposite)):
                    where = "the same entry" if values is entry else f"'{other}', the same model,"
                    yield (*place, name, index), f"{where} has {capability} under '{opposite}'; write it under one of them"


def _words(value: Any) -> list[str]:
    return [spelled(word) for word in value if isinstance(word, str)] if isinstance(value, list) else []
