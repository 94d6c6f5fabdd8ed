"""Replaces `${NAME}` in texts by the environment's value or a default, and notes variables that are not set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmos.config.wording import FromEnvironment, Place, shown

_REFERENCE = re.compile(
    r"(?P<escaped>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^{}]*))?\}|(?P<broken>\$\{[^}]{0,40}\}?)"
)

MOST_CHARACTERS = 1 << 20
"""The most that the environment may add to one file: short references can repeat a long value."""


def has_reference(text: str) -> bool:
    return any(match["name"] for match in _REFERENCE.finditer(text))


def references(text: str) -> list[str]:
    """The variables that a text names."""
    return list(dict.fromkeys(match["name"] for match in _REFERENCE.finditer(text) if match["name"]))


def is_reference(text: str) -> bool:
    """Whether the text is one reference and nothing beside it."""
    match = _REFERENCE.fullmatch(text)
    return match is not None and bool(match["name"])


def escaped(text: str) -> str:
    """`text` with every `${` escaped, so that it contains no reference."""
    return text.replace("${", "$${")


@dataclass
class Expansion:
    """Replaces references in data, and keeps the problems that it finds."""

    environ: Mapping[str, str]
    broken: list[tuple[Place, str]] = field(default_factory=list)
    unset: list[tuple[Place, str]] = field(default_factory=list)
    overfull: Place | None = None
    """The place where the environment had added more than it may."""
    _filled: int = 0

    def expand(self, value: Any, place: Place = ()) -> Any:
        if isinstance(value, dict):
            entries = {key: self.expand(entry, (*place, key)) for key, entry in value.items()}
            return {key: entry for key, entry in entries.items() if not _is_left_out(key, entry)}
        if isinstance(value, list):
            return [self.expand(entry, (*place, index)) for index, entry in enumerate(value)]
        return self._text(value, place) if isinstance(value, str) and "${" in value else value

    def _text(self, text: str, place: Place) -> str:
        names: dict[str, None] = {}
        unset: dict[str, None] = {}
        values: dict[str, None] = {}

        def fill(match: re.Match[str]) -> str:
            if match["escaped"]:
                return "${"
            if match["broken"]:
                self.broken.append((place, shown(match["broken"])))
                return ""
            names[match["name"]] = None
            value = self.environ.get(match["name"], "")
            if value:
                values[value] = None
            if match["default"] is not None:
                value = value or match["default"]
            elif match["name"] not in self.environ:
                unset[match["name"]] = None
            return self._bounded(value, place)

        result = _REFERENCE.sub(fill, text)
        self.unset += [(place, name) for name in unset]
        return FromEnvironment(result, tuple(names), tuple(unset), tuple(values)) if names else result

    def _bounded(self, value: str, place: Place) -> str:
        self._filled += len(value)
        if self._filled <= MOST_CHARACTERS:
            return value
        self.overfull = self.overfull or place
        return ""


def _is_left_out(key: str, value: Any) -> bool:
    # A key whose whole value is an unset variable counts as left out, so its default applies. An address has no
    # default: it stays, and its host cannot be reached.
    return key != "url" and isinstance(value, FromEnvironment) and value == "" and bool(value.unset)
