"""Checks the arguments of `Fleet.ask` before anything is sent, and converts them to MMOS's types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from mmos.calls.spec import Spec, encode_offer
from mmos.errors import UsageError
from mmos.messages import Message
from mmos.names import canonical


def message(value: Message | Mapping[str, Any]) -> Message:
    """The message. A mapping must have the format of `/api/chat`."""
    if isinstance(value, Message):
        return value
    if not isinstance(value.get("role"), str) or not isinstance(value.get("content") or "", str):
        raise UsageError("A message needs a role and a content, both text.", next_step="Use the format of Ollama's /api/chat.")
    try:
        return Message.verbatim(value)
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"A message does not have the format of /api/chat: {type(error).__name__}: {error}.") from error


def models(value: str | Sequence[str]) -> tuple[str, ...]:
    """The models, each once."""
    names = (value,) if isinstance(value, str) else tuple(dict.fromkeys(value))
    if not names or not all(isinstance(name, str) for name in names):
        raise UsageError("`model` names no model.", next_step="Use the name of a model, or a list of names.")
    return tuple({canonical(name): name for name in reversed(names)}.values())[::-1]


def check_numbers(num_ctx: int | None, options: Mapping[str, Any] | None) -> None:
    try:
        orjson.dumps([num_ctx, dict(options or {})])
    except TypeError as error:
        raise UsageError(
            f"The window or an option of the model cannot be sent: {error}.", next_step="Use only numbers, texts, true and false."
        ) from None


def offer(tools: Sequence[Mapping[str, Any]]) -> bytes:
    try:
        return encode_offer(_spec(tool) for tool in tools)
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"A tool does not have the format of /api/chat: {type(error).__name__}: {error}.") from None


def _spec(tool: Mapping[str, Any]) -> Spec:
    function = tool.get("function", tool)
    return Spec(function["name"], function.get("description", ""), function.get("parameters") or {"type": "object", "properties": {}})
