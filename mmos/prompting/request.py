"""Makes requests to models from events alone: those that MMOS sends, and later the same bytes again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import orjson

from mmos.calls.channels import in_words
from mmos.events import Entry, FrameKept, ModelAsked
from mmos.hosts.face import ChatRequest
from mmos.messages import Message
from mmos.prompting.attachments import with_files
from mmos.prompting.frame import Frame
from mmos.views.conversation import Conversation, Lane


def request_of(asked: ModelAsked, frame: Frame, lane: Lane, *, doubled: bool = True, guarded: bool = False) -> ChatRequest:
    """The request. `lane` is as it was when the model was asked. `doubled`: whether two messages of the user may follow each other."""
    messages = [frame.system] if frame.system.content else []  # an empty system text would replace the model's own
    past = [*lane.before(asked.skipped), *lane.messages]
    if frame.wording:
        form = f"files:{asked.sees}:{asked.viewers}"
        past = [
            message.form(form, lambda plain: with_files(plain, frame.wording, sees=asked.sees, viewers=asked.viewers))
            if message.files
            else message
            for message in past
        ]
    if frame.channel == "schema":
        past = [in_words(message) for message in past]
    messages += past
    if asked.tail:
        _put_before_last_words(messages, lane, asked.tail)
    if asked.words:
        messages.append(Message("user", asked.words))
    return ChatRequest(
        asked.model, alternating(messages) if doubled else messages, asked.window, frame.tools, frame.format,
        frame.options, frame.think, frame.keep_alive, guarded=guarded,
    )  # fmt: skip


def _put_before_last_words(messages: list[Message], lane: Lane, tail: str) -> None:
    """What changes from turn to turn stands here and not at the beginning, so the host can use its cache for what comes before."""
    places = [number for number, message in enumerate(lane.messages, -len(lane.messages)) if message.role == "user"]
    if not places:  # in the journal of a stranger
        return
    place = places[-1]
    given = orjson.loads(messages[place].wire)
    messages[place] = Message.as_given({**given, "content": f"{tail}\n\n{given['content']}"})


def requests_of(entries: Iterable[Entry]) -> Iterator[tuple[Entry, ChatRequest]]:
    """Every request in the entries of a thread, with its `ModelAsked`."""
    conversation, frames = Conversation(), dict[tuple[str, str], Frame]()
    for entry in entries:
        conversation.apply(entry)
        match entry.event:
            case FrameKept() as kept:
                frames[entry.run, kept.frame] = Frame.of(kept)
            case ModelAsked() as asked:
                frame = frames.get((entry.run, asked.frame))
                lane = conversation.lanes.get((entry.run, asked.shows or asked.lane))
                if frame and lane:  # the journal of a stranger may lack them
                    yield entry, request_of(asked, frame, lane)


def alternating(messages: Sequence[Message]) -> Sequence[Message]:
    """Neighbouring messages of the user as one, as Ollama joins them. Strict chat templates refuse two in a row."""
    if not any(one.role == other.role == "user" for one, other in pairwise(messages)):
        return messages
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1].role == message.role == "user":
            joined[-1] = _joined(joined[-1], message)
        else:
            joined.append(message)
    return joined


def _joined(one: Message, other: Message) -> Message:
    images = [image for message in (one, other) for image in orjson.loads(message.wire).get("images", ())]
    return Message.as_given({"role": "user", "content": f"{one.content}\n\n{other.content}", **({"images": images} if images else {})})
