"""Writes events as JSON, and reads them again in this version, an older or a newer one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import orjson

from mmos.checking import is_deep, sound
from mmos.events import Event, Reason, Unknown
from mmos.messages import File, Message, Usage

DEEPEST = 200
"""Levels of lists and objects in an event. Deeper ones cannot be written as JSON again."""

KINDS: dict[str, type[Event]] = {cls.kind: cls for cls in Event.__subclasses__() if cls is not Unknown}

_NESTED: dict[str, Callable[[Any], Any]] = {
    "message": Message.from_json,
    "raw": Message.from_json,
    "usage": Usage.from_json,
    "reason": Reason.from_json,
    "options": lambda value: tuple(value) if isinstance(value, list) else value,
    "files": tuple,
    "file": File.from_json,
    "servers": tuple,
    "unserved": tuple,
    "done": tuple,
    "judges": tuple,
    "findings": tuple,
    "reasons": tuple,
    "rules": tuple,
    "candidates": tuple,
    "why": tuple,
    "holding": tuple,
    "participants": tuple,
    "claims": tuple,
    "shown": tuple,
    "members": tuple,
    "models": tuple,
    "between": tuple,
    "passages": tuple,
    "queries": tuple,
    "who": lambda value: tuple(value) if isinstance(value, list) else value,
}


def encode(event: Event) -> bytes:
    """The event as JSON, without fields that start with an underscore."""
    if isinstance(event, Unknown):
        return orjson.dumps(event.data)
    return orjson.dumps(event)


def decode(kind: str, data: bytes) -> Event:
    """The event that `encode` wrote, in this version, an older or a newer one."""
    return from_json(kind, load(data))


def load(data: bytes) -> Any:
    """JSON that can be written again."""
    raw = orjson.loads(data)
    if data.count(b"[") + data.count(b"{") > DEEPEST and is_deep(raw, DEEPEST):
        raise ValueError("nested too deeply")
    return raw


def from_json(kind: str, raw: Mapping[str, Any]) -> Event:
    """The event with these fields."""
    cls = KINDS.get(kind)
    if cls is None:
        return Unknown(kind, raw)
    values = {}
    for spec in fields(cls):  # type: ignore[arg-type]
        if spec.name in raw:
            value, convert = raw[spec.name], _NESTED.get(spec.name)
            plain = value is None or spec.type == "str"  # the reason of a change of phase is a text
            values[spec.name] = value if convert is None or plain else convert(value)
    return sound(cls(**values))
