"""Follows `$ref` within a schema and detects circular references."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

IN_PLACE = ("anyOf", "oneOf", "allOf")
MOST_STEPS = 20


def resolved(part: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a part after its references. Keys beside a reference stay."""
    for _ in range(MOST_STEPS):
        if not isinstance(part, Mapping):
            return {}
        reference = part.get("$ref")
        if not isinstance(reference, str):
            return part
        part = {**_pointed(root, reference), **{key: part[key] for key in part if key != "$ref"}}
    return {}


def points(root: Mapping[str, Any], reference: str) -> bool:
    """Whether a reference leads to a place in its own schema, by a path or to an anchor."""
    if not reference.startswith("#"):
        return False
    place = unquote(reference[1:])
    return _at(root, f"#{place}") is not None if place[:1] in ("", "/") else place in _anchors(root)


def _anchors(part: Any) -> set[str]:
    if isinstance(part, list):
        return set().union(*map(_anchors, part))
    if not isinstance(part, Mapping):
        return set()
    own = {name for word in ("$anchor", "$dynamicAnchor") if isinstance(name := part.get(word), str)}
    return own.union(*map(_anchors, part.values()))


def _pointed(root: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    found = _at(root, reference)
    return found if isinstance(found, Mapping) else {}


def _at(root: Mapping[str, Any], reference: str) -> Any:
    """The part at the place that a reference names. None: there is none."""
    found: Any = root
    if not reference.startswith("#"):
        return None
    for step in reference[1:].split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list):
            found = found[int(name)] if name.isascii() and name.isdigit() and int(name) < len(found) else None
        else:
            found = found.get(name) if isinstance(found, Mapping) else None
    return found


def without_circles(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without circular definitions. Such a definition becomes one that allows anything."""
    known: set[str] = set()
    for start in [f"#/{place}/{name}" for place in ("$defs", "definitions") for name in schema.get(place, {})]:
        for circle in _circles(schema, start, known):
            _, place, name = circle.split("/", 2)
            schema[place][name] = {}
    return schema


def _circles(schema: Mapping[str, Any], start: str, known: set[str]) -> set[str]:
    """The definitions to which references lead back from here. `known` has the definitions that were visited before."""
    found: set[str] = set()
    way = {} if start in known else {start: iter(_defined(schema, start))}
    while way:
        last = next(reversed(way))
        known.add(last)
        reference = next(way[last], None)
        if reference is None:
            del way[last]
        elif reference in way:
            found.add(reference)
        elif reference not in known:
            way[reference] = iter(_defined(schema, reference))
    return found


def _defined(schema: Mapping[str, Any], reference: str) -> list[str]:
    _, place, name = reference.split("/", 2)
    return _followed(schema.get(place, {}).get(name, {}))


def _followed(part: Any) -> list[str]:
    """The references that the check of the same value follows."""
    if not isinstance(part, Mapping):
        return []
    inner = [each for word in IN_PLACE for each in part.get(word, ())] + [
        part[word] for word in ("not", "if", "then", "else") if word in part
    ]
    own = [part["$ref"]] if "$ref" in part else []
    return own + [reference for each in inner for reference in _followed(each)]
