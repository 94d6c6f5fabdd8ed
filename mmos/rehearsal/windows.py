"""Fits a prompt into a window as Ollama does: it renders the prompt in parts, counts it, and refuses or cuts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mmos.rehearsal.decoding import Ask, RefusalError, nested_error
from mmos.rehearsal.profiles import Profile
from mmos.rehearsal.runner import Runner
from mmos.rehearsal.tokens import count

SHIFT_OFF = (
    "the prompt is longer than the context length currently available to the model; shorten the prompt, "
    "adjust the context length in settings, or use a model with a longer context length"
)

TOO_LONG = "the input length exceeds the context length"
IMAGE_TOKENS = 7


@dataclass(frozen=True)
class FittedPrompt:
    """The prompt that reaches the model."""

    messages: Sequence[Mapping[str, Any]]
    parts: Sequence[str]
    """The prompt in parts that stay the same from turn to turn: the tools, then each message."""
    tokens: int


def render(message: Mapping[str, Any]) -> str:
    """A message as a part of the prompt."""
    calls = message.get("tool_calls")
    calls_text = "".join(_render_call(call) for call in calls) if calls else ""
    return f"<|{message.get('role', '')}|>\n{message.get('content') or ''}{calls_text}\n"


def _render_call(call: Mapping[str, Any]) -> str:
    function = call.get("function") or {}
    return f"<call>{function.get('name', '')} {orjson.dumps(function.get('arguments') or {}).decode()}</call>"


def fit(ask: Ask, runner: Runner, rules: Profile, *, cut: float = 0.0) -> FittedPrompt:
    """The whole prompt if it fits. If not, the truncated prompt when the request allows that, or an error.

    `cut`: if not 0, the host cuts each prompt to a window that is so many times smaller, whatever the request says.
    """
    tools, parts = _parts(ask)
    tokens = sum(map(count, tools)) + sum(map(count, parts)) + IMAGE_TOKENS * ask.images
    if cut and tokens > (window := int(runner.window / cut)):
        return _truncated(ask, tools, parts, (window, tail(window, rules)))
    if tokens <= runner.window:
        return FittedPrompt(ask.messages, [*tools, *parts], tokens)
    if not ask.shift and rules.shift_off_refuses:
        raise RefusalError(400, SHIFT_OFF)
    if not ask.truncate or (rules.native and runner.model.path == "native"):
        raise RefusalError(400, _too_long(tokens, runner.window, rules))
    return _truncated(ask, tools, parts, (runner.window, tail(runner.window, rules)))


def tail(window: int, rules: Profile) -> int:
    """How much stays of a last message that is too long."""
    return window if rules.tail == "window" else window // 2 + 3


def _too_long(tokens: int, window: int, rules: Profile) -> str:
    if rules.too_long == "plain":
        return TOO_LONG
    message = f"request ({tokens} tokens) exceeds the available context size ({window} tokens), try increasing it"
    return nested_error(message, "exceed_context_size_error", n_prompt_tokens=tokens, n_ctx=window)


def messages_in_prompt(ask: Ask, runner: Runner) -> Sequence[Mapping[str, Any]]:
    """The messages that the server writes into a prompt. It drops whole messages, and the engine cuts the last one."""
    if not ask.truncate:
        return ask.messages
    tools, parts = _parts(ask)
    keep, _ = _messages_that_fit(ask, tools, parts, runner.window)
    return [ask.messages[place] for place in keep]


def _parts(ask: Ask) -> tuple[list[str], list[str]]:
    return [orjson.dumps(ask.tools).decode()] if ask.tools else [], [render(message) for message in ask.messages]


def _messages_that_fit(ask: Ask, tools: list[str], parts: list[str], window: int) -> tuple[dict[int, str], int]:
    """The places of the kept messages, and their tokens. Whole messages are dropped, oldest first. System messages and the last message stay."""
    keep = dict(enumerate(parts))
    tokens = sum(map(count, tools)) + sum(map(count, parts))
    for place, message in enumerate(ask.messages[:-1]):
        if tokens <= window:
            break
        if message.get("role") != "system":
            tokens -= count(keep.pop(place))
    return keep, tokens


def _truncated(ask: Ask, tools: list[str], parts: list[str], room: tuple[int, int]) -> FittedPrompt:
    """The rest of the messages. If that is still too long, the end of the last one."""
    window, rest = room
    keep, tokens = _messages_that_fit(ask, tools, parts, window)
    messages = [ask.messages[place] for place in keep]
    if tokens <= window:
        return FittedPrompt(messages, [*tools, *keep.values()], tokens)
    last = dict(messages[-1])
    last["content"] = (last.get("content") or "")[-3 * rest :]
    return FittedPrompt([*messages[:-1], last], [render(last)], rest)
