"""Retells what was said so far, for a participant that was not there: the tasks and answers of the thread, and what the asking participant has read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mmos.fences import fenced
from mmos.messages import Message
from mmos.plurals import counted
from mmos.prompting.budget import MARGIN, estimate
from mmos.prompting.digest import digest
from mmos.prompting.templates import Templates
from mmos.scope import Scope


class Part(NamedTuple):
    """One thing that somebody said."""

    who: str
    text: str


def history_for(scope: Scope, templates: Templates, *, tokens: float, reader: str = "", own: bool = True) -> str:
    """What was said so far, oldest first, in at most so many tokens. Empty: nothing was said.

    `reader`: the role that reads it and remembers what it was asked in this thread, so it gets only what is new. Empty: somebody who
    remembers nothing. `own`: with what the participant of this lane has read and written in it.
    """
    parts = [*_of_thread(scope, templates, reader), *(_of_lane(scope, templates, reader) if own else ())]
    texts = [templates.fill("said_before", who=part.who, text=fenced(part.text)) for part in parts]
    if not texts:
        return ""
    kept = _newest(texts, tokens)
    if not kept:  # at least the newest, in short
        kept, texts[-1] = 1, templates.fill("said_before", who=parts[-1].who, text=fenced(digest(parts[-1].text)))
    gap = counted(len(texts) - kept, "older message") if kept < len(texts) else ""
    if gap:
        scope.warn_once(f"{reader or 'a participant'}: {gap} of the conversation did not fit into its window", "MMOS left them out.")
    left_out = templates.fill("left_out", count=gap) if gap else ""
    return templates.fill("history", messages="\n\n".join(filter(None, (left_out, *texts[-kept:]))))


def _newest(texts: Sequence[str], tokens: float) -> int:
    """How many of the newest texts fit."""
    room, kept = tokens / MARGIN, 0
    for text in reversed(texts):
        room -= estimate(text)
        if room < 0:
            break
        kept += 1
    return kept


# ---------------------------------------------------------------- the thread


def _of_thread(scope: Scope, templates: Templates, reader: str) -> Iterator[Part]:
    """The tasks and the answers of earlier runs. A reader that was asked in one of them gets that one and what came after it."""
    root = scope.conversation.roots.get(scope.run)
    if root is None or (reader and _was_asked(scope, reader)):
        return
    history, asker = root.history, root.role
    for number in range(_first_new(scope, history.runs[: root.past], reader), root.past):
        exchange = history.messages[history.place(number) : history.place(number + 1)]
        task = next((message.content for message in exchange if message.role == "user"), "")
        answer = next((message.content for message in reversed(exchange) if message.content and message.role != "user"), "")
        yield from (Part(templates.fill("the_user"), task), Part(asker, answer))


def _first_new(scope: Scope, runs: Sequence[str], reader: str) -> int:
    """The first of these runs of which the reader does not know the end."""
    own = scope.conversation.histories.get(("thread", reader)) if reader else None
    known = set(own.runs) - {scope.run} if own else ()
    return max((number for number, run in enumerate(runs) if run in known), default=0)


def _was_asked(scope: Scope, reader: str) -> bool:
    """Whether an earlier turn of this run asked the reader. Calls of the turn under way do not count: all of them get the same."""
    open_calls = {call.id for call in scope.exchange.open}
    return any(
        lane.role == reader and lane.memory == "thread"
        for call, lanes in scope.view.lanes.items()
        if call not in open_calls
        for lane in lanes
    )


# ---------------------------------------------------------------- the lane


def _of_lane(scope: Scope, templates: Templates, reader: str) -> Iterator[Part]:
    """What the participant of the lane has read and written after its task. A reader does not get again what it knows."""
    messages = scope.exchange.settled
    answered = {place for place, message in enumerate(messages) if reader and _is_by(scope, message, reader)}
    asked = max(answered, default=0)
    first = max((place for place in range(asked) if messages[place].role == "assistant"), default=-1) + 1
    for place, message in enumerate(messages):
        is_task = place == 0 and not scope.depth
        if place >= first and place not in answered and not is_task and message.content:
            yield Part(_author(scope, templates, message), message.content)


def _is_by(scope: Scope, message: Message, reader: str) -> bool:
    """Whether it is the result of a call that the reader answered."""
    return message.role == "tool" and any(
        lane.role == reader and lane.memory == "thread" for lane in scope.view.lanes.get(message.call_id, ())
    )


def _author(scope: Scope, templates: Templates, message: Message) -> str:
    if message.role == "tool":
        return templates.fill("result_of", tool=message.tool_name)
    return scope.role if message.role == "assistant" else templates.fill("asked_of", role=scope.role)
