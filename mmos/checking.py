"""Checks values that were read from a host or a file: the kinds of their fields, the size of numbers, the depth of lists, names of models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

MOST = 2**40
"""No count of tokens, no time and no duration is larger. The sum of a whole journal then fits into 64 bits."""

_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]")
"""Characters that nobody sees, and that Python calls printable."""

Value = TypeVar("Value")


def sound(value: Value) -> Value:
    """The value, if all its fields are of the right kinds. Raises `TypeError` if not.

    A number that is negative or too large becomes the nearest that is allowed, so that one number makes no journal unreadable.
    """
    kind: type = type(value)
    for name, kinds, of_texts in _kinds(kind):
        part = getattr(value, name)
        if not isinstance(part, kinds) or (of_texts and not {*map(type, getattr(value, name))} <= {str}):
            raise TypeError(f"{name}: {type(part).__name__}")
        if isinstance(part, int | float) and not 0 <= part <= MOST and object not in kinds:
            object.__setattr__(value, name, type(part)(min(max(part, 0), MOST)))
    return value


@cache
def _kinds(kind: type) -> tuple[tuple[str, tuple[type, ...], bool], ...]:
    """Each field that the journal keeps: its name, the types that it may have, and whether it is a tuple of texts."""
    hints = get_type_hints(kind)
    names = [spec.name for spec in fields(kind) if spec.init]
    return tuple((name, tuple(_types(hints[name])), hints[name] == tuple[str, ...]) for name in names)


def _types(hint: Any) -> Iterator[type]:
    origin = get_origin(hint)
    if origin is UnionType:
        for part in get_args(hint):
            yield from _types(part)
    elif origin is Literal:  # a newer version may have more
        yield str
    elif hint is Any:
        yield object
    elif hint is float:
        yield from (int, float)
    else:
        yield origin or hint


def is_deep(tree: Any, most: int) -> bool:
    """Whether it has more levels of lists and objects than `most`."""
    level = [tree]
    for _ in range(most):
        inside = (node.values() if isinstance(node, dict) else node for node in level if isinstance(node, (dict, list)))
        level = [node for nodes in inside for node in nodes if isinstance(node, (dict, list))]
        if not level:
            return False
    return True


def is_model_name(text: str) -> bool:
    """Whether people see every character of it, and no command reads it as an option."""
    return text.isprintable() and not text.startswith("-") and not _UNSEEN.search(text)
