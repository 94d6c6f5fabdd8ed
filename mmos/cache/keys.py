"""Makes the keys of requests: the same request to the same model has the same key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from mmos.cache.likeness import form_of
from mmos.messages import Message

SIZE = 16
"""Bytes of a digest: two requests never share one by chance."""


@dataclass(frozen=True)
class Frame:
    """What a request has beside its messages, as far as it changes the reply."""

    tools: bytes = b""
    format: bytes = b""
    options: Mapping[str, Any] | None = None
    think: bool | str | None = None
    window: int = 0


@dataclass(frozen=True)
class Key:
    """How an answer of one model is found again."""

    exact: bytes
    """Of the whole request."""
    rest: bytes = b""
    """Of the request without the words of its last message. Empty: only the same request finds it."""
    form: bytes = b""
    """Of those words, without what does not change their meaning."""
    words: str = ""
    """The words themselves."""


def keys_of(digests: Iterable[str], messages: Sequence[Message], frame: Frame, *, alike: bool = False) -> list[Key]:
    """The keys of a request, one for each digest of its model, in order. `alike`: whether a request in other words may find it, too."""
    parts = [_part(message) for message in _with_plain_ids(messages)]
    settings = orjson.dumps([frame.options, frame.think, frame.window], option=orjson.OPT_SORT_KEYS)
    same = _digest([frame.tools, frame.format, settings])
    words, form = messages[-1].content, None
    if alike and messages[-1].role == "user":
        form = form_of(words)
    if form is None:
        return [Key(_digest([digest.encode(), same, *parts])) for digest in digests]
    others = [*parts[:-1], orjson.dumps({**orjson.loads(parts[-1]), "content": ""})]
    return [
        Key(
            _digest([(name := digest.encode()), same, *parts]),
            _digest([name, same, *others]),
            _digest([part.encode() for part in form]),
            words,
        )
        for digest in digests
    ]


def _part(message: Message | bytes) -> bytes:
    return message if isinstance(message, bytes) else message.wire


def _with_plain_ids(messages: Iterable[Message]) -> Iterable[Message | bytes]:
    """The messages, with numbers in place of the ids of calls: ids are made by chance, and say nothing."""
    numbers: dict[str, str] = {}
    for message in messages:
        if not message.calls and not message.call_id:
            yield message
            continue
        body = orjson.loads(message.wire)
        for call in body.get("tool_calls") or ():
            call["id"] = numbers.setdefault(call.get("id", ""), str(len(numbers)))
        if message.call_id:
            body["tool_call_id"] = numbers.setdefault(message.call_id, str(len(numbers)))
        yield orjson.dumps(body)


def _digest(parts: Iterable[bytes]) -> bytes:
    """A digest of parts. Each goes in with its length, so that no two lists of parts are mixed up."""
    digest = blake2b(digest_size=SIZE)
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()
