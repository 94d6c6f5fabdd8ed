"""What a model's turn amounts to: calls, text, or neither; the one place where calls are read out of a reply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import orjson

from mmos.messages import Message, Reply, clean


@dataclass(frozen=True)
class Repair:
    """Something that had to be set right to read a call."""

    stage: Literal["extract", "repair", "interpreter", "arbiter"]
    what: str


@dataclass(frozen=True)
class Reading:
    """The turn as the program understands it: the message for the thread, and why it may be unclear."""

    message: Message
    unclear: str = ""
    """What was wrong, in words for the model; empty when the turn is clear."""
    repairs: tuple[Repair, ...] = ()


def read(reply: Reply, *, offered: bool) -> Reading:
    """Structured calls stand as they came. Calls written as text, and what else models do to them, are read here."""
    message = reply.message
    if not message.calls and not message.content.strip():
        return Reading(message, unclear=_silence(reply, offered=offered))
    return Reading(message)


def _silence(reply: Reply, *, offered: bool) -> str:
    if reply.done_reason == "length":
        return "Your reply was cut off before any answer came. Answer more briefly."
    if offered and reply.usage.output_tokens > 1:  # the end of the answer is a token, too
        # A host swallows a call that names an unknown tool or has broken arguments: it answers nothing, and calls it success.
        return "Your tool call could not be read, so nothing happened. Call one of the offered tools by its exact name, or answer in plain text."
    return "Your reply was empty. Answer in plain text."


def writable(reading: Reading) -> Reading:
    """What no JSON can hold again, as it is sent back and kept: arguments that are nested hundreds deep are no call."""
    try:
        _ = reading.message.wire
    except orjson.JSONEncodeError:
        bare = replace(reading.message, content=clean(reading.message.content), calls=())
        unclear = "The arguments of your tool call are nested too deeply, so nothing happened. Call it with simpler ones."
        return Reading(bare, unclear if reading.message.calls else reading.unclear, reading.repairs)
    return reading


def distinct(message: Message, taken: Callable[[str], bool], new: Callable[[], str]) -> Message:
    """The message with ids that no earlier call of the run has: hosts may hand out the same one twice, or none."""
    seen: set[str] = set()
    calls = []
    for call in message.calls:
        name = call.id
        while not name or name in seen or taken(name):
            name = new()
        seen.add(name)
        calls.append(call if name == call.id else replace(call, id=name))
    return message if tuple(calls) == message.calls else replace(message, calls=tuple(calls))
