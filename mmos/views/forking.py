"""Makes of what one role has read and written the memory of another role: calls and results become plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from mmos.fences import fenced, one_line
from mmos.messages import Message

LONGEST_NAME = 100


def retold(messages: Sequence[Message]) -> list[Message]:
    """The messages for a role that does not hold the tools of the one that wrote them. Its template may leave out calls and results."""
    return [message.form("retold", _retold) for message in messages]


def _retold(message: Message) -> Message:
    if message.role == "tool":
        return Message("user", f"Result of {one_line(message.tool_name)[:LONGEST_NAME]}:\n{fenced(message.content)}")
    if not message.calls:
        return message
    calls = [f"[Call of {call.name}: {orjson.dumps(call.arguments).decode()}]" for call in message.calls]
    return Message("assistant", "\n".join(filter(None, (message.content, *calls))))


def turns(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """An exchange in parts, each with what was read and the reply to it. A part that does not fit into a window can be left out."""
    part: list[Message] = []
    for message in messages:
        if part and part[-1].role == "assistant" and message.role != "assistant":
            yield part
            part = []
        part.append(message)
    if part:
        yield part
