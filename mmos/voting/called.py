"""Reads the calls in an answer: a list of calls, the message of a server, or a text that may contain calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmos.calls.dialect import specs_of
from mmos.calls.naming import Names
from mmos.calls.text import RawReply, read_text
from mmos.voting.structures import is_call, parsed


def names_of(tools: Any) -> Names | None:
    """The tools that were offered. None: the question does not say. Raises `UsageError` for a list that cannot be used."""
    return None if tools is None else Names(specs_of(tools))


def called(answer: Any, names: Names | None) -> str | Sequence[Any] | None:
    """The calls of an answer, or its text if it has none. None: it is neither."""
    if isinstance(answer, str):
        return _in_text(answer, names)
    if isinstance(answer, Sequence):
        return answer
    if is_call(answer):
        return [answer]
    if not isinstance(answer, Mapping):
        return None
    calls = answer.get("tool_calls", answer.get("calls"))
    if isinstance(calls, Sequence) and calls and not isinstance(calls, str):
        return calls
    text = answer.get("content", answer.get("text"))
    return _in_text(text, names) if isinstance(text, str) else calls


def _in_text(text: str, names: Names | None) -> str | Sequence[Any]:
    """Without the tools, only a text that is nothing but calls in JSON has calls."""
    if names is not None:
        read = read_text(RawReply(text, names)).calls
        return [{"name": call.name, "arguments": call.arguments} for call in read] or text
    value = parsed(text)
    calls = value if isinstance(value, list) else [value]
    return calls if calls and all(is_call(call) for call in calls) else text
