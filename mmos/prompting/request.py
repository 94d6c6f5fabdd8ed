"""Makes requests to models from events alone: those that MMOS sends, and later the same bytes again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import orjson

from mmos.calls.channels import in_words
from mmos.errors import UsageError
from mmos.events import Entry, FrameKept, ModelAsked, ModelReplied
from mmos.hosts.face import ChatRequest
from mmos.messages import Message
from mmos.prompting.attachments import with_files
from mmos.prompting.frame import Frame
from mmos.views.conversation import Conversation, Lane


def request_of(event: ModelAsked, frame: Frame, lane: Lane, *, doubled: bool = True, guarded: bool = False) -> ChatRequest:
    """The request that an event stands for. `lane` is as it was at that event. `doubled`: whether two messages of the user may follow each other."""
    messages = [*lane.before(event.skipped), *lane.messages]
    if frame.wording:
        messages = [_with_files(message, event, frame) if message.files else message for message in messages]
    if frame.channel == "schema":
        messages = [in_words(message) for message in messages]
    if frame.system.content:  # an empty system text would replace the model's own
        messages.insert(0, frame.system)
    if event.tail:
        _put_before_last_words(messages, lane, event.tail)
    if event.words:
        messages.append(Message("user", event.words))
    return ChatRequest(
        event.model, alternating(messages) if doubled else messages, event.window, frame.tools, frame.format,
        frame.options, frame.think, frame.keep_alive, guarded=guarded,
    )  # fmt: skip


def _with_files(message: Message, event: ModelAsked, frame: Frame) -> Message:
    key = f"files:{event.sees}:{event.viewers}"
    return message.form(key, lambda plain: with_files(plain, frame.wording, sees=event.sees, viewers=event.viewers))


def _put_before_last_words(messages: list[Message], lane: Lane, tail: str) -> None:
    """Put the tail there and not at the beginning. So the host can use its cache for the messages before it."""
    places = [number for number, message in enumerate(lane.messages, -len(lane.messages)) if message.role == "user"]
    if not places:  # in the journal of a stranger
        return
    place = places[-1]
    body = orjson.loads(messages[place].wire)
    messages[place] = Message.verbatim({**body, "content": f"{tail}\n\n{body['content']}"})


def requests_of(entries: Iterable[Entry]) -> Iterator[tuple[Entry, ChatRequest | None]]:
    """Every request in the entries of a thread, with the entry of its `ModelAsked`. None: the journal lacks or spoils what it needs."""
    entries = list(entries)
    windows = {(entry.run, entry.event.ask): entry.event.window for entry in entries if isinstance(entry.event, ModelReplied)}
    conversation, frames = Conversation(), dict[tuple[str, str], Frame]()
    for entry in entries:
        conversation.apply(entry)
        match entry.event:
            case FrameKept() as event:
                with suppress(ValueError):  # a stranger may have written it
                    frames[entry.run, event.frame] = Frame.of(event)
            case ModelAsked() as event:
                frame = frames.get((entry.run, event.frame))
                lane = conversation.lanes.get((entry.run, event.shows or event.lane))
                asked = replace(event, window=windows.get((entry.run, event.ask)) or event.window)
                yield entry, _remade(asked, frame, lane) if frame and lane else None


def _remade(event: ModelAsked, frame: Frame, lane: Lane) -> ChatRequest | None:
    try:
        return request_of(event, frame, lane)
    except (KeyError, UsageError):  # a stranger's wording of files lacks a text, or has a place that nothing fills, or makes too much
        return None


def alternating(messages: Sequence[Message]) -> Sequence[Message]:
    """The messages, with neighbouring ones of the user joined, as Ollama joins them. Strict chat templates refuse two in a row."""
    if not any(one.role == other.role == "user" for one, other in pairwise(messages)):
        return messages
    result: list[Message] = []
    for message in messages:
        if result and result[-1].role == message.role == "user":
            result[-1] = _join(result[-1], message)
        else:
            result.append(message)
    return result


def _join(one: Message, other: Message) -> Message:
    images = [image for message in (one, other) for image in orjson.loads(message.wire).get("images", ())]
    return Message.verbatim({"role": "user", "content": f"{one.content}\n\n{other.content}", **({"images": images} if images else {})})
