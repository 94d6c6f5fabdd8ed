"""Matches the patterns of schemas with work that is counted, so that no pattern can hang."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from mmos.calls.patience import Patience

LONGEST = 2_000
"""A longer pattern is refused."""
PLACES_A_STEP = 8
"""Places of a text that one step can check."""

_CATEGORIES: dict[str, Callable[[str], bool]] = {
    "DIGIT": str.isdecimal,
    "SPACE": str.isspace,
    "WORD": lambda sign: sign.isalnum() or sign == "_",
}


class UnknownPattern(ValueError):
    """The text is no pattern, or one with parts that MMOS does not support, such as a reference to a group."""


class _Walk:
    """One text, and the limit of work for it."""

    def __init__(self, text: str, patience: Patience) -> None:
        self.text = text
        self.patience = patience

    def at_word(self, place: int) -> bool:
        return 0 <= place < len(self.text) and _CATEGORIES["WORD"](self.text[place])


Ends = Callable[[_Walk, set[int]], set[int]]
"""The places where a part of a pattern may end, from the places where it may begin."""


def search(pattern: str, text: str, patience: Patience | None = None) -> bool:
    """Whether the pattern matches anywhere in the text. Raises UnknownPattern, or Misread when it takes too much work."""
    patience = patience or Patience(len(text))
    return bool(parse(pattern)(_Walk(text, patience), set(range(len(text) + 1))))


def fits(pattern: str, text: str, patience: Patience | None = None) -> bool:
    """The same for a check. A pattern that MMOS cannot match forbids nothing."""
    try:
        return search(pattern, text, patience)
    except UnknownPattern:
        return True


@lru_cache(maxsize=256)
def parse(pattern: str) -> Ends:
    """Prepare a pattern. The match follows all ways through a text at once. Raises UnknownPattern."""
    if len(pattern) > LONGEST:
        raise UnknownPattern("it is too long")
    try:
        tree = _tree(pattern)
        return _sequence(tree, folds=_folds(tree.state.flags & ~re.UNICODE))
    except (re.error, OverflowError, RecursionError) as error:
        raise UnknownPattern(str(error)) from None


def literal(pattern: str) -> str:
    """The longest run of plain characters that every match has. Empty: there is none. It finds at once where a match is possible."""
    runs = [""]
    for kind, argument in _tree(pattern):
        if str(kind) == "LITERAL" and argument < 128:
            runs[-1] += chr(argument)
        else:
            runs.append("")
    return max(runs, key=len)


def _tree(pattern: str) -> Any:
    with warnings.catch_warnings():  # a model wrote the pattern: no warning about it helps the user
        warnings.simplefilter("ignore")
        return _parser.parse(pattern)


def _folds(flags: int) -> bool:
    if flags & ~re.IGNORECASE:
        raise UnknownPattern("it sets a flag")
    return bool(flags & re.IGNORECASE)


def _sequence(items: Any, *, folds: bool) -> Ends:
    parts = [_part(str(kind), argument, folds) for kind, argument in items]

    def ends(walk: _Walk, places: set[int]) -> set[int]:
        for part in parts:
            walk.patience.spend(len(places) / PLACES_A_STEP)
            places = part(walk, places)
        return places

    return ends


def _part(kind: str, argument: Any, folds: bool) -> Ends:
    if kind in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
        fits = _sign(kind, argument, folds)
        return lambda walk, places: {at + 1 for at in places if at < len(walk.text) and fits(walk.text[at])}
    if kind == "BRANCH":
        ways = [_sequence(way, folds=folds) for way in argument[1]]
        return lambda walk, places: set().union(*(way(walk, places) for way in ways))
    if kind == "SUBPATTERN":
        _, added, removed, inner = argument
        return _sequence(inner, folds=(folds or _folds(added)) and not _folds(removed))
    if kind in ("MAX_REPEAT", "MIN_REPEAT"):
        least, most, inner = argument
        return _repeat(_sequence(inner, folds=folds), least, most)
    if kind in ("ASSERT", "ASSERT_NOT"):
        return _look(argument[0], argument[1], folds=folds, positive=kind == "ASSERT")
    if kind == "AT" and (stands := _PLACES.get(str(argument))):
        return lambda walk, places: {at for at in places if stands(walk, at)}
    raise UnknownPattern(f"it uses {kind.lower()}")


def _repeat(inner: Ends, least: int, most: int) -> Ends:
    def ends(walk: _Walk, places: set[int]) -> set[int]:
        for _ in range(least):
            after = inner(walk, places)
            if after == places:
                break
            places = after
        reached, newest = set(places), places
        for _ in range(most - least):
            newest = inner(walk, newest) - reached
            if not newest:
                break
            reached |= newest
        return reached

    return ends


def _look(direction: int, inner: Any, *, folds: bool, positive: bool) -> Ends:
    ends = _sequence(inner, folds=folds)
    back = inner.getwidth()[0] if direction < 0 else 0

    def stands(walk: _Walk, at: int) -> bool:
        reached = ends(walk, {at - back}) if at >= back else set()
        return bool(reached) if direction > 0 else at in reached

    return lambda walk, places: {at for at in places if stands(walk, at) == positive}


_PLACES: dict[str, Callable[[_Walk, int], bool]] = {
    "AT_BEGINNING": lambda _, at: at == 0,
    "AT_BEGINNING_STRING": lambda _, at: at == 0,
    "AT_END": lambda walk, at: at == len(walk.text),
    "AT_END_STRING": lambda walk, at: at == len(walk.text),
    "AT_BOUNDARY": lambda walk, at: walk.at_word(at - 1) != walk.at_word(at),
    "AT_NON_BOUNDARY": lambda walk, at: walk.at_word(at - 1) == walk.at_word(at),
}


def _sign(kind: str, argument: Any, folds: bool) -> Callable[[str], bool]:
    """The test for one character."""
    if kind == "ANY":
        return lambda sign: sign != "\n"
    members = argument if kind == "IN" else [("LITERAL", argument)]
    tests = [_member(str(each), value) for each, value in members if str(each) != "NEGATE"]
    without = kind == "NOT_LITERAL" or len(tests) < len(members)

    def fits(sign: str) -> bool:
        forms: Sequence[str] = (sign, sign.lower(), sign.upper()) if folds else (sign,)
        return any(test(form) for test in tests for form in forms) != without

    return fits


def _member(kind: str, argument: Any) -> Callable[[str], bool]:
    if kind == "LITERAL":
        return lambda sign: sign == chr(argument)
    if kind == "RANGE":
        return lambda sign: chr(argument[0]) <= sign <= chr(argument[1])
    name = str(argument).removeprefix("CATEGORY_")
    if name.removeprefix("NOT_") not in _CATEGORIES:
        raise UnknownPattern(f"it uses {name.lower()}")
    test = _CATEGORIES[name.removeprefix("NOT_")]
    return test if not name.startswith("NOT_") else lambda sign: not test(sign)
