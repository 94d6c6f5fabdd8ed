"""Reads a model's reply: calls, text, or neither; the one place that turns a reply into calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import orjson

from mmos.calls.coerce import coerce
from mmos.calls.naming import Names
from mmos.calls.resolve import Notes, resolve
from mmos.calls.seen import Seen
from mmos.calls.shapes import Draft, drafts
from mmos.calls.text import Heard, promising, read_text
from mmos.errors import HostError, MalformedCall, NoHost
from mmos.messages import Message, Reply, ToolCall, clean

REFUSED = "call_malformed"
"""Why a reply is done that its own host could not parse."""


@dataclass(frozen=True)
class Repair:
    """Something that had to be set right to read a call."""

    stage: Literal["extract", "repair", "interpreter", "arbiter"]
    what: str


@dataclass(frozen=True)
class Unclear:
    """What was wrong with a reply: the name of a text in `prompts/` that the model reads, and the values of its places."""

    text: str = ""
    """Empty when the reply is clear."""
    places: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.text)


CLEAR = Unclear()
QUOTED = Unclear("quoted_call")


@dataclass(frozen=True)
class Reading:
    """The turn as the program understands it: the message for the thread, and why it may be unclear."""

    message: Message
    unclear: Unclear = CLEAR
    repairs: tuple[Repair, ...] = ()
    suspect: bool = False
    """Whether a call was meant that could not be read: then others may say which. An empty answer, or one that was cut off, is none."""
    quoted: tuple[str, ...] = ()
    """The tools whose calls stand in what the participant was given, and so stayed text."""


def read(reply: Reply, names: Names, seen: Seen | None = None) -> Reading:
    """Calls that are clean stand as they came, and so does plain text; everything else goes through the reader."""
    message = reply.message
    if not message.calls and not promising(message.content, names):
        if message.content.strip():
            return Reading(message)
        return _silent(reply, message, offered=bool(names.specs))
    if not names.specs and not message.calls:
        return Reading(message)
    return _served(message, names, seen) if message.calls else _written(reply, names, seen)


def _served(message: Message, names: Names, seen: Seen | None) -> Reading:
    """The server's calls; one that cannot be saved stays as it is, and its failure tells the model why."""
    notes = Notes()
    calls = tuple(_mended(call, names, notes, seen) for call in message.calls)
    if calls == message.calls:
        return Reading(message)
    return Reading(replace(message, calls=calls), repairs=_told(notes.repairs))


def _mended(call: ToolCall, names: Names, notes: Notes, seen: Seen | None) -> ToolCall:
    spec = names.specs.get(call.name)
    if spec is not None:
        coerced = coerce(call.arguments, spec.parameters, spec.problems)
        if not coerced.changes and not coerced.problems:
            return call
    found = drafts({"name": call.name, "arguments": call.arguments}, names) or [Draft(call.name, call.arguments)]
    made = resolve(found[0], names, notes) if len(found) == 1 else None
    if made is None or (made.name != call.name and seen and seen.quotes(made.name, made.arguments, written=call.name)):
        return call  # who only copied the call has to name the tool
    return replace(call, name=made.name, arguments=made.arguments)


def _written(reply: Reply, names: Names, seen: Seen | None) -> Reading:
    """Calls that stand in the text, and not in what the participant was given as well."""
    message = reply.message
    made = read_text(Heard(message.content, names, done_reason=reply.done_reason, seen=seen))
    repairs = _told(made.repairs)
    if made.calls:
        calls = tuple(ToolCall("", call.name, call.arguments) for call in made.calls)
        left = (Repair("extract", f"left out: {made.unclear}"),) if made.unclear else ()
        return Reading(replace(message, content=made.content, calls=calls), repairs=(*repairs, *left), quoted=made.quoted)
    if made.quoted and not made.unclear:
        return Reading(replace(message, content=made.content), QUOTED if made.bare else CLEAR, repairs, made.bare, made.quoted)
    if made.unclear or reply.done_reason == REFUSED:
        unclear = Unclear("unread_call", {"why": made.unclear}) if made.unclear else Unclear("unparsed_call")
        return Reading(message, unclear, repairs, reply.done_reason != "length", made.quoted)
    if not made.content.strip():
        return _silent(reply, replace(message, content=""), offered=bool(names.specs))
    return Reading(message if made.content == message.content else replace(message, content=made.content), repairs=repairs)


def _told(repairs: Iterable[tuple[str, str]]) -> tuple[Repair, ...]:
    return tuple(Repair("extract" if stage == "extract" else "repair", what) for stage, what in repairs)


def rescued(error: HostError, model: str) -> Reply | None:
    """What a model had written when the parser of its own host gave up on it, as a reply that is still to be read."""
    faults = error.said.values() if isinstance(error, NoHost) else (error,)
    for fault in faults:
        if isinstance(fault, MalformedCall) and fault.raw:
            return Reply(Message("assistant", fault.raw), model, fault.host, done_reason=REFUSED)
    return None


def _silent(reply: Reply, message: Message, *, offered: bool) -> Reading:
    if reply.done_reason == "length":
        return Reading(message, Unclear("cut_off_reply"))
    if offered and reply.usage.output_tokens > 1:  # the end of the answer is a token, too
        # A host swallows a call that names an unknown tool or has broken arguments: it answers nothing, and calls it success.
        return Reading(message, Unclear("silent_call"), suspect=True)
    return Reading(message, Unclear("empty_reply"))


def writable(reading: Reading) -> Reading:
    """What no JSON can hold again, as it is sent back and kept: arguments that are nested hundreds deep are no call."""
    try:
        _ = reading.message.wire
    except orjson.JSONEncodeError:
        bare = replace(reading.message, content=clean(reading.message.content), calls=())
        return Reading(bare, Unclear("deep_call") if reading.message.calls else reading.unclear, reading.repairs, reading.suspect)
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
