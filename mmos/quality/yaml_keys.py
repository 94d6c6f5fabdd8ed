"""Finds keys that stand twice in a mapping of YAML: one value is lost, or the file is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

MERGE = "<<"
"""May stand several times."""


@dataclass
class _Open:
    """A mapping or a list whose end has not come."""

    is_mapping: bool
    is_outer: bool
    keys: set[str] = field(default_factory=set)
    nodes: int = 0
    """How many keys and values it has."""


def twice(events: Iterable[Any], lines: Sequence[str]) -> tuple[int, str, bool] | None:
    """The line of a key that its mapping has already, and what is wrong. Reads all events, so faults of the syntax raise.

    Outer keys do not count, nor keys below a comment: an answer may show two ways one below the other.
    """
    import yaml

    stack: list[_Open] = []
    found: tuple[int, str, bool] | None = None
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            stack.pop()
        elif isinstance(event, yaml.NodeEvent):
            around = stack[-1] if stack else None
            is_key = around is not None and around.is_mapping and around.nodes % 2 == 0
            if around is not None:
                around.nodes += 1
            if found is None and around is not None and is_key and isinstance(event, yaml.ScalarEvent) and event.start_mark:
                found = _again(around, event.value, event.start_mark.line, lines)
            if isinstance(event, yaml.CollectionStartEvent):
                stack.append(_Open(isinstance(event, yaml.MappingStartEvent), not stack))
    return found


def _again(around: _Open, key: str, line: int, lines: Sequence[str]) -> tuple[int, str, bool] | None:
    is_second = key in around.keys and key != MERGE and not around.is_outer
    around.keys.add(key)
    is_shown_below = line > 0 and line <= len(lines) and lines[line - 1].lstrip().startswith("#")
    return (line + 1, f"the key {key!r} stands twice in its mapping", False) if is_second and not is_shown_below else None
