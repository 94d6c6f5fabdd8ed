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
from mmos.calls.text import RawReply, promising, read_text
from mmos.errors import HostError, MalformedCall, NoHost
from mmos.messages import Message, Reply, ToolCall, clean

REFUSED = "call_malformed"
"""The `done_reason` of a reply that its own host could not parse."""


@dataclass(frozen=True)
class Repair:
    """A change that was needed to read a call."""

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
    """A reply as MMOS understands it: the message for the thread, and why it may be unclear."""

    message: Message
    unclear: Unclear = CLEAR
    repairs: tuple[Repair, ...] = ()
    suspect: bool = False
    """Whether the reply may contain a call that could not be read. Then the interpreter is asked. An empty or incomplete answer contains none."""
    quoted: tuple[str, ...] = ()
    """The tools whose calls are quotations of what the participant has read. They stay text."""


def read(reply: Reply, names: Names, seen: Seen | None = None) -> Reading:
    """The calls and the text of a reply. Valid calls and plain text stay unchanged."""
    message = reply.message
    if not message.calls and not promising(message.content, names):
        if message.content.strip():
            return Reading(message)
        return _silent(reply, message, has_tools=bool(names.specs))
    if not names.specs and not message.calls:
        return Reading(message)
    return _read_calls(message, names, seen) if message.calls else _read_content(reply, names, seen)


def _read_calls(message: Message, names: Names, seen: Seen | None) -> Reading:
    """The server's calls. A call that cannot be repaired stays unchanged, and the model reads why it failed."""
    notes = Notes()
    calls = tuple(_repaired(call, names, notes, seen) for call in message.calls)
    if calls == message.calls:
        return Reading(message)
    return Reading(replace(message, calls=calls), repairs=_repairs(notes.repairs))


def _repaired(call: ToolCall, names: Names, notes: Notes, seen: Seen | None) -> ToolCall:
    spec = names.specs.get(call.name)
    if spec is not None:
        coercion = coerce(call.arguments, spec.parameters, spec.problems)
        if not coercion.changes and not coercion.problems:
            return call
    candidates = drafts({"name": call.name, "arguments": call.arguments}, names) or [Draft(call.name, call.arguments)]
    resolved = resolve(candidates[0], names, notes) if len(candidates) == 1 else None
    if resolved is None or (resolved.name != call.name and seen and seen.quotes(resolved.name, resolved.arguments, spelling=call.name)):
        return call  # a participant that copies a call must name the tool exactly
    return replace(call, name=resolved.name, arguments=resolved.arguments)


def _read_content(reply: Reply, names: Names, seen: Seen | None) -> Reading:
    """The calls in the text, without quotations of what the participant has read."""
    message = reply.message
    result = read_text(RawReply(message.content, names, done_reason=reply.done_reason, seen=seen))
    repairs = _repairs(result.repairs)
    if result.calls:
        calls = tuple(ToolCall("", call.name, call.arguments) for call in result.calls)
        rest = (Repair("extract", f"left out: {result.unclear}"),) if result.unclear else ()
        return Reading(replace(message, content=result.content, calls=calls), repairs=(*repairs, *rest), quoted=result.quoted)
    if result.quoted and not result.unclear:
        return Reading(replace(message, content=result.content), QUOTED if result.bare else CLEAR, repairs, result.bare, result.quoted)
    if result.unclear or reply.done_reason == REFUSED:
        unclear = Unclear("unread_call", {"why": result.unclear}) if result.unclear else Unclear("unparsed_call")
        return Reading(message, unclear, repairs, reply.done_reason != "length", result.quoted)
    if not result.content.strip():
        return _silent(reply, replace(message, content=""), has_tools=bool(names.specs))
    return Reading(message if result.content == message.content else replace(message, content=result.content), repairs=repairs)


def _repairs(repairs: Iterable[tuple[str, str]]) -> tuple[Repair, ...]:
    return tuple(Repair("extract" if kind == "extract" else "repair", what) for kind, what in repairs)


def rescued(error: HostError, model: str) -> Reply | None:
    """The text that the parser of the model's own host could not read, as a reply."""
    faults = error.said.values() if isinstance(error, NoHost) else (error,)
    for fault in faults:
        if isinstance(fault, MalformedCall) and fault.raw:
            return Reply(Message("assistant", fault.raw), model, fault.host, done_reason=REFUSED)
    return None


def _silent(reply: Reply, message: Message, *, has_tools: bool) -> Reading:
    if reply.done_reason == "length":
        return Reading(message, Unclear("cut_off_reply"))
    if has_tools and reply.usage.output_tokens > 1:  # the end of the answer is a token, too
        # A host drops a call that names an unknown tool or has broken arguments. It then sends an empty reply without an error.
        return Reading(message, Unclear("silent_call"), suspect=True)
    return Reading(message, Unclear("empty_reply"))


def writable(reading: Reading) -> Reading:
    """The reading, without calls that JSON cannot contain, such as arguments that are nested hundreds of levels deep."""
    try:
        _ = reading.message.wire
    except orjson.JSONEncodeError:
        bare = replace(reading.message, content=clean(reading.message.content), calls=())
        return Reading(bare, Unclear("deep_call") if reading.message.calls else reading.unclear, reading.repairs, reading.suspect)
    return reading


def says_the_same(one: Message, other: Message) -> bool:
    """Whether two messages have the same text and the same calls, whatever the ids of the calls are."""
    if one is other or (not one.calls and not other.calls):
        return one.content == other.content
    return one.content == other.content and [(call.name, call.arguments) for call in one.calls] == [
        (call.name, call.arguments) for call in other.calls
    ]


def distinct(message: Message, is_taken: Callable[[str], bool], new: Callable[[], str]) -> Message:
    """The message with a new id for each call whose id is missing or not unique in the run."""
    seen: set[str] = set()
    calls = []
    for call in message.calls:
        name = call.id
        while not name or name in seen or is_taken(name):
            name = new()
        seen.add(name)
        calls.append(call if name == call.id else replace(call, id=name))
    return message if tuple(calls) == message.calls else replace(message, calls=tuple(calls))
