"""Finds the parts in which two requests, or two texts, differ, and names each."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mmos.messages import Message

MOST_LINES = 40
"""Lines of a text diff."""
_CONTEXT = 1
WINDOW = "num_ctx"


@dataclass(frozen=True)
class Difference:
    """One part of a step, as it was and as it is now."""

    part: str
    """Such as `system text`, `tool look: description`, `option temperature` or `message 3 (user)`."""
    then: str | None
    """None: it was not there."""
    now: str | None

    def lines(self, most: int = MOST_LINES) -> list[str]:
        """A short unified diff: lines that begin with `-`, `+` or a space."""
        before, after = ([] if text is None else text.splitlines() or [""] for text in (self.then, self.now))
        found = [line for line in difflib.unified_diff(before, after, n=_CONTEXT, lineterm="") if not line.startswith(("---", "+++", "@@"))]
        return found if len(found) <= most else [*found[:most], f"  … {len(found) - most} more lines"]


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    """The parts in which two bodies of `/api/chat` differ."""
    yield from _value("model", then.get("model"), now.get("model"))
    (old_system, old), (new_system, new) = (_without_system(body.get("messages", ())) for body in (then, now))
    yield from _value("system text", old_system, new_system)
    yield from _tools(then.get("tools", ()), now.get("tools", ()))
    yield from _value("format", then.get("format"), now.get("format"))
    before, after = (body.get("options", {}) for body in (then, now))
    for name in dict.fromkeys([*before, *after]):
        yield from _value("window" if name == WINDOW else f"option {name}", before.get(name), after.get(name))
    for name in ("think", "keep_alive"):
        yield from _value(name, then.get(name), now.get(name))
    yield from _messages(old, new)


def of_texts(part: str, then: str | None, now: str | None) -> tuple[Difference, ...]:
    """The difference of two texts, if there is one."""
    return tuple(_value(part, then, now))


def _value(part: str, then: Any, now: Any) -> Iterator[Difference]:
    if then != now:
        yield Difference(part, written(then), written(now))


def written(value: Any) -> str | None:
    """A value as lines of text."""
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _without_system(messages: Sequence[Mapping[str, Any]]) -> tuple[str | None, Sequence[Mapping[str, Any]]]:
    if messages and messages[0]["role"] == "system":
        return messages[0]["content"], messages[1:]
    return None, messages


def _tools(then: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> Iterator[Difference]:
    before, after = ({tool["function"]["name"]: tool["function"] for tool in tools} for tools in (then, now))
    for name in dict.fromkeys([*before, *after]):
        if name not in before or name not in after:
            yield Difference(f"tool {name}", written(before.get(name)), written(after.get(name)))
            continue
        for key in dict.fromkeys([*before[name], *after[name]]):
            yield from _value(f"tool {name}: {key}", before[name].get(key), after[name].get(key))
    if list(before) != list(after) and before.keys() == after.keys():
        yield Difference("order of the tools", "\n".join(before), "\n".join(after))


def _messages(then: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> Iterator[Difference]:
    """The messages that differ. Those that only one of the requests has, at its beginning or in between, do not move the others."""
    matcher = difflib.SequenceMatcher(None, [orjson.dumps(one) for one in then], [orjson.dumps(one) for one in now], autojunk=False)
    for kind, first, last, start, end in matcher.get_opcodes():
        if kind == "equal":
            continue
        for place in range(max(last - first, end - start)):
            before = then[first + place] if first + place < last else None
            after = now[start + place] if start + place < end else None
            number, role = (first if before else start) + place + 1, (before or after or {}).get("role")
            yield Difference(f"message {number} ({role})", _words(before), _words(after))


def _words(message: Mapping[str, Any] | None) -> str | None:
    """A message as lines: its text, its calls, and how many images it has."""
    if message is None:
        return None
    calls = [f"→ {call['function']['name']} {written(call['function']['arguments'])}" for call in message.get("tool_calls", ())]
    images = [f"images: {len(message['images'])}"] if message.get("images") else []
    return "\n".join([*([message["content"]] if message.get("content") else []), *calls, *images])


def said(message: Message) -> str:
    """A reply as lines: its text and its calls."""
    return "\n".join(
        [*([message.content] if message.content else []), *(f"→ {call.name} {written(call.arguments)}" for call in message.calls)]
    )
