"""Texts that make a pattern slow, if anything can: for each repetition in it, what stands before, and one character or what is repeated many times."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from re import _compiler, _parser  # type: ignore[attr-defined]
from typing import Any

SIGNS = " \t\na0_-.:=<>|[]{}()\"'`~*#,\\"
CHANCE = random.Random(5)


def pumped(pattern: re.Pattern[str], length: int) -> Iterator[str]:
    tree = _parser.parse(pattern.pattern, pattern.flags)
    yield from {_times(_text(tree, tree.state), length) for _ in range(4)}
    seen: set[tuple[str, str]] = set()
    for before, unit in _repeats(tree, "", tree.state):
        for each in (unit, unit + " ", *SIGNS):
            if (before, each) not in seen:
                seen.add((before, each))
                yield before + _times(each, length) + "\0"


def _times(unit: str, length: int) -> str:
    return unit * (length // len(unit)) if unit else ""


def _repeats(items: Any, before: str, state: Any) -> Iterator[tuple[str, str]]:
    """For each repetition within: a text that leads to it, and a text that it repeats."""
    for kind, held in items:
        inner: tuple[Any, ...] = ()
        if str(kind).endswith("_REPEAT"):
            if held[1] > 3:
                yield before, _text(held[2], state)
            inner = (held[2],)
        elif str(kind) in ("BRANCH", "SUBPATTERN", "ASSERT", "ATOMIC_GROUP"):
            inner = tuple(held[1]) if str(kind) == "BRANCH" else (held if str(kind) == "ATOMIC_GROUP" else held[-1],)
        for part in inner:
            yield from _repeats(part, before, state)
        before += _text([(kind, held)], state)


def _text(items: Any, state: Any) -> str:
    """A text that these parts of a pattern match, assertions aside."""
    return "".join(_part(str(kind), held, (kind, held), state) for kind, held in items)


def _part(kind: str, held: Any, node: Any, state: Any) -> str:
    if kind in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
        one = _compiler.compile(_parser.SubPattern(state, [node]), 0)
        fitting = [sign for sign in (chr(held) if kind == "LITERAL" else SIGNS) if one.match(sign)]
        return CHANCE.choice(fitting or ["é"])
    if kind == "BRANCH":
        return _text(CHANCE.choice(held[1]), state)
    if kind.endswith("_REPEAT"):
        return _text(held[2], state) * min(int(held[1]), int(held[0]) + CHANCE.randint(0, 1))
    if kind in ("SUBPATTERN", "ATOMIC_GROUP"):
        return _text(held if kind == "ATOMIC_GROUP" else held[-1], state)
    return _text(held[1], state) if kind == "ASSERT" and held[0] > 0 else ""
