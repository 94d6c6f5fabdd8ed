"""Writes an event as a list of values. The journal stores once what the values mean: the names of the fields, with their usual values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, get_type_hints

import orjson

from mmos import encoding
from mmos.encoding import KINDS
from mmos.events import CallFinished, Event, LaneClosed, LaneOpened, ModelReplied, Prompted, Unknown

_OF_CALL = ("message.tool_name", "message.call_id")
"""The message of a finished call mostly names its tool and its id once more."""
_ADDRESS = ("parent", "call", "key")
"""The address of a lane mostly consists of these."""
_USUAL: dict[type[Any], dict[str, str | None]] = {
    LaneOpened: {"message.role": "user", **dict.fromkeys(_ADDRESS)}, Prompted: {"message.role": "user"}, LaneClosed: {"status": "answered"},
    ModelReplied: {"message.role": "assistant"}, CallFinished: {"message.role": "tool", **dict.fromkeys(_OF_CALL)},
}  # fmt: skip
"""Usual values of fields without a default."""
_SELDOM = ("frame", "tools")
"""Fields that nearly never have their usual value."""
_RARE = ("raw", "own", "specs")
"""Fields that mostly have their usual value, also when those of the message have not."""
_MOST_KEYS = 16

Values = Callable[[Any], Sequence[Any]]


@dataclass(frozen=True, eq=False)
class Shape:
    """What the values of an event mean."""

    kind: str
    version: int
    fields: str
    """As JSON: a name for each value, or a name and its usual value. `message.role` is a field of a field."""
    values: Values
    tails: tuple[bytes, ...]
    """How data ends if its last values are the usual ones: a few such ends, the longest first."""


def encode(event: Event) -> tuple[Shape, bytes]:
    """The event without the usual values at the end."""
    if isinstance(event, Unknown):
        return _unknown(event.name), encoding.encode(event)
    shape = _replied(tuple(event.placement)) if isinstance(event, ModelReplied) else _shape(event.kind)
    data = orjson.dumps(shape.values(event))
    for tail in shape.tails:
        if data.endswith(tail):
            return shape, data[: -len(tail)] + b"]"
    return shape, data


def decode(kind: str, fields: str, data: bytes) -> Event:
    """The event of data in this shape, or of an object. Raises `ValueError`, `TypeError`, `LookupError` or `AttributeError` if it makes no sense."""
    values = encoding.load(data)
    if type(values) is not list:
        return encoding.from_json(kind, values)
    names, usual = _parsed(fields)
    if missing := len(names) - len(values):
        values += orjson.loads(b"[%b]" % b",".join(usual[-missing:]))
    found: dict[str, Any] = {}
    for (name, inner), value in zip(names, values, strict=True):
        if inner:
            found.setdefault(name, {})[inner] = value
        else:
            found[name] = value
    _put_back(kind, found)
    return encoding.from_json(kind, found)


def value_of(field: str, fields: str, data: bytes) -> Any:
    """The value of a short field in data whose texts are not put in. Raises `ValueError`, `TypeError` or `LookupError` if it makes no sense."""
    values = orjson.loads(data.translate(_PLAIN))
    if type(values) is not list:
        return values[field]
    names, usual = _parsed(fields)
    place = names.index((field, ""))
    return values[place] if place < len(values) else orjson.loads(usual[place - len(names)])


_PLAIN = bytes.maketrans(b"\x01\x02\x03", b"   ")
"""References to texts have signs that JSON does not allow."""


@lru_cache(maxsize=256)
def _parsed(fields: str) -> tuple[list[tuple[str, str]], list[bytes]]:
    """The names, and the usual values of the last ones as JSON."""
    found = [[one] if isinstance(one, str) else one for one in orjson.loads(fields)]
    return [(name.partition(".")[0], name.partition(".")[2]) for name, *_ in found], [
        orjson.dumps(usual) for _, *rest in found for usual in rest
    ]


@cache
def _replied(keys: tuple[str, ...]) -> Shape:
    """The shape of replies whose placement has these keys, which are mostly the same."""
    return _shape(ModelReplied.kind, keys if len(keys) <= _MOST_KEYS and all(key.isidentifier() for key in keys) else ())


@cache
def _shape(kind: str, placed: tuple[str, ...] = ()) -> Shape:
    cls = KINDS[kind]
    known = _USUAL.get(cls, {})
    found = sorted(((one[0], known[one[0]]) if one[0] in known else one for one in _fields(cls)), key=_rank)
    if placed:
        found = [(f"placement.{key}",) for key in placed] + [one for one in found if one[0] != "placement"]
    ends = [found[place:] for place in range(1, len(found)) if len(found[place]) > 1 and _rank(found[place]) != _rank(found[place - 1])]
    tails = tuple(b",%b]" % b",".join(orjson.dumps(usual) for _, usual in end) for end in ends)
    text = orjson.dumps([one if len(one) > 1 else one[0] for one in found]).decode()
    names = [name for name, *_ in found[len(placed) :]]
    values = _values(names, placed=bool(placed))
    if cls is CallFinished:
        values = _without_copies(values, _names_call, names.index(_OF_CALL[0]), len(_OF_CALL))
    if cls is LaneOpened:
        values = _without_copies(values, _is_address, names.index(_ADDRESS[0]), len(_ADDRESS))
    return Shape(kind, cls.version, text, values, tails)


def _values(names: list[str], *, placed: bool) -> Values:
    if len(names) < 2:
        return lambda event: [getattr(event, name) for name in names]
    get = attrgetter(*names)
    return (lambda event: (*event.placement.values(), *get(event))) if placed else get


def _without_copies(values: Values, copies: Callable[[Any], bool], place: int, count: int) -> Values:
    """Put None for values, from this place on, that say what another one says."""

    def shorter(event: Any) -> Sequence[Any]:
        found = values(event)
        return (*found[:place], *[None] * count, *found[place + count :]) if copies(event) else found

    return shorter


def _names_call(event: CallFinished) -> bool:
    return (event.message.tool_name, event.message.call_id) == (event.tool, event.call)


def _is_address(event: LaneOpened) -> bool:
    return event.lane == f"{event.parent}/{event.call}/{event.key}"


def _put_back(kind: str, found: dict[str, Any]) -> None:
    """Put values in place of None. Raises `ValueError` or `LookupError` if there are none."""
    if kind == CallFinished.kind and found["message"]["call_id"] is None:
        found["message"] |= {"tool_name": found["tool"], "call_id": found["call"]}
    elif kind == LaneOpened.kind and found["key"] is None:
        found["parent"], found["call"], found["key"] = found["lane"].rsplit("/", 2)


def _rank(one: tuple[Any, ...]) -> tuple[bool, ...]:
    """Numbers mostly differ. Texts and lists with a usual value mostly have it, above all those of a message, except for its call."""
    name, *usual = one
    value = (*usual, 0)[0]
    number = isinstance(value, int | float | dict) and not isinstance(value, bool)
    return bool(usual) and name not in _SELDOM, name in _RARE, not number, name.startswith("message."), name not in _OF_CALL


def _fields(cls: type[Any]) -> Iterator[tuple[Any, ...]]:
    """The names of the fields, each with its usual value if it has one. The fields of a message or of a usage count, too."""
    hints = get_type_hints(cls)
    for spec in fields(cls):
        if is_dataclass(hints[spec.name]):
            yield from ((f"{spec.name}.{name}", *usual) for name, *usual in _fields(hints[spec.name]))
        elif spec.default is not MISSING and spec.init:
            yield spec.name, spec.default
        elif spec.default_factory is not MISSING:
            yield spec.name, spec.default_factory()
        elif spec.init:
            yield (spec.name,)


@cache
def _unknown(kind: str) -> Shape:
    """Events from a newer version keep the names of their fields."""
    return Shape(kind, 1, "[]", lambda _: (), ())
