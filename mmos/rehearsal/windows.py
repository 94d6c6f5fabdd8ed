"""How a prompt fits a window: rendered in parts, counted, refused or cut as Ollama does it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mmos.rehearsal.decoding import Ask, RefusalError, nested_error
from mmos.rehearsal.tokens import count

SHIFT_OFF = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt, "
    "adjust the context length in settings, or use a model with a longer context length"
)


@dataclass(frozen=True)
class Fitted:
    """What reaches the model."""

    messages: Sequence[Mapping[str, Any]]
    parts: Sequence[str]
    """The prompt in pieces that stay the same from turn to turn: the tools, then each message."""
    tokens: int


def render(message: Mapping[str, Any]) -> str:
    """A message as a part of the prompt."""
    calls = message.get("tool_calls")
    told = "".join(_render_call(call) for call in calls) if calls else ""
    return f"<|{message.get('role', '')}|>\n{message.get('content') or ''}{told}\n"


def _render_call(call: Mapping[str, Any]) -> str:
    function = call.get("function") or {}
    return f"<call>{function.get('name', '')} {orjson.dumps(function.get('arguments') or {}).decode()}</call>"


def fit(ask: Ask, window: int) -> Fitted:
    """The whole prompt where it fits; else a refusal, or, where the request allows it, what is left after truncation."""
    tools = [orjson.dumps(ask.tools).decode()] if ask.tools else []
    parts = [render(message) for message in ask.messages]
    tokens = sum(map(count, tools)) + sum(map(count, parts))
    if tokens <= window:
        return Fitted(ask.messages, [*tools, *parts], tokens)
    if not ask.shift:
        raise RefusalError(400, SHIFT_OFF)
    if not ask.truncate:
        message = f"request ({tokens} tokens) exceeds the available context size ({window} tokens), try increasing it"
        raise RefusalError(400, nested_error(message, "exceed_context_size_error", n_prompt_tokens=tokens, n_ctx=window))
    return _truncated(ask, tools, parts, window)


def _truncated(ask: Ask, tools: list[str], parts: list[str], window: int) -> Fitted:
    """Whole messages go, oldest first, system messages and the last one stay; where even that is too long, its tail stays."""
    keep = dict(enumerate(parts))
    left = sum(map(count, tools)) + sum(map(count, parts))
    for place, message in enumerate(ask.messages[:-1]):
        if left <= window:
            break
        if message.get("role") != "system":
            left -= count(keep.pop(place))
    messages = [ask.messages[place] for place in keep]
    if left <= window:
        return Fitted(messages, [*tools, *keep.values()], left)
    last = dict(messages[-1])
    tail = window // 2 + 2
    last["content"] = (last.get("content") or "")[-3 * tail :]
    return Fitted([*messages[:-1], last], [render(last)], tail)
