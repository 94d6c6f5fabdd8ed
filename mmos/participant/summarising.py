"""Has the oldest exchanges of a conversation summarised. What the user said in them stays word for word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import orjson

from mmos.context import Participant, Question
from mmos.errors import HostError, LimitReached, NoAnswer, NotFound, ToolError
from mmos.messages import Message
from mmos.participant.cast import Role
from mmos.participant.excess import Excess
from mmos.plurals import counted
from mmos.prompting.budget import count, count_message
from mmos.prompting.templates import Templates
from mmos.views.history import History
from mmos.window_events import SUMMARY, HistorySummarised

WRITERS = ("analysis", "arbiter")
"""Whose model summarises: that of the first of these roles that there is."""
KEPT = 0.5
"""The share of the room for a prompt that it has after a summary, at most, if exchanges can be left out of it."""
WORDS_SHARE = 0.08
"""The words that a summary may have, for each token of the window."""
MOST_WORDS = 400
QUOTED_SHARE = 0.6
"""The characters that the words of the user may have in a prompt, for each token of the window."""
QUOTATIONS = (1 << 30, 600, 300, 120, 60)
"""How long a message of the user may be. If all of them are too long together, the next length is tried."""
READ_SHARE = 1.5
"""The characters that the exchanges may have for whoever summarises, for each token of its window."""

FAULTS = (HostError, NoAnswer, LimitReached, ToolError, NotFound)
"""Why nobody summarises. The oldest exchanges are then left out."""


async def summarise(excess: Excess) -> bool:
    """Put a summary in the place of the oldest exchanges. False: there are none, or nobody could write it."""
    history, scope, exchanges = excess.lane.history, excess.composer.scope, _how_many(excess)
    if exchanges <= history.skipped:
        return False
    try:
        event = await summary_of(excess, exchanges)
    except FAULTS as error:
        scope.warn(f"{scope.role}: no model could summarise its oldest exchanges. {error}")
        return False
    scope.record(replace(event, lane=scope.lane))
    return True


async def summary_of(excess: Excess, exchanges: int) -> HistorySummarised:
    """A summary of the oldest exchanges, with what the user said in them."""
    lane, history, before, templates = excess.lane, excess.lane.history, excess.length(), excess.composer.member.templates
    whole = transcript(history, history.summarised, exchanges, templates)
    text, by = await _written(excess, whole, exchanges)
    past, scope = excess.composer.experience.scale.past, excess.composer.scope
    gone = excess.tokens(past(lane, history.skipped)) - excess.tokens(past(lane, exchanges))
    if history.summary is not None:  # the new one stands for it, too
        gone += excess.tokens(count_message(history.summary))
    artifact = scope.keep("", whole)
    event = placed(history, exchanges, text, artifact, templates, excess.space.window)
    after = max(1, int(before - gone + excess.tokens(count(event.text))))
    return replace(event, role=scope.role, by=by, before=before, after=after)


def _how_many(excess: Excess) -> int:
    """How many of the oldest exchanges the summary stands for: as few as leave a good piece of the window free."""
    lane, scale = excess.lane, excess.composer.experience.scale
    skipped = lane.history.skipped
    most = excess.target * KEPT
    least = excess.length() - excess.tokens(scale.past(lane, skipped))
    return next(
        (number for number in range(skipped + 1, lane.past + 1) if least + excess.tokens(scale.past(lane, number)) <= most), lane.past
    )


async def _written(excess: Excess, whole: str, exchanges: int) -> tuple[str, str]:
    """A summary of the oldest exchanges, and the model that wrote it. `whole`: what was said in those without a summary."""
    composer, room, history, templates = excess.composer, excess.room, excess.lane.history, excess.composer.member.templates
    writer = next((room.cast[name].role for name in WRITERS if name in room.cast), composer.role)
    words = min(MOST_WORDS, max(60, int(excess.space.window * WORDS_SHARE)))
    text = whole if history.summary is None else f"{history.summary.content}\n\n{whole}"
    text = shorter(text, int(composer.experience.window(writer.model, writer.window) * READ_SHARE), templates)
    message = Message("user", templates.fill("summarise", words=str(words), text=text))
    question = Question(_participant(writer, words), message, f"{SUMMARY}-{exchanges}", named=True, memory="none")
    answer = await room.ask(composer.scope.bind(depth=0), question, call=SUMMARY)
    summary = shorter(answer.text.strip(), words * 12, templates)
    if not summary:
        raise NoAnswer(f"{writer.model} wrote an empty summary.")
    return summary, writer.model


def _participant(writer: Role, words: int) -> Participant:
    """Who summarises: the model of a role, without the text and the tools of the role."""
    options = {"temperature": 0, "num_predict": words * 4}
    return Participant(
        SUMMARY, writer.model, servers=writer.servers, options=options, think=False, keep_alive=writer.keep_alive, timeout=writer.timeout
    )


def placed(history: History, exchanges: int, summary: str, artifact: str, templates: Templates, window: int) -> HistorySummarised:
    """The text that stands in the place of the oldest exchanges, and how many messages of the user it does not have word for word."""
    asked = [history.messages[start].content for start in history.starts[:exchanges]]
    words, shortened = quoted(asked, int(window * QUOTED_SHARE), templates)
    references = [*history.artifacts, artifact]
    text = templates.fill("summary", exchanges=counted(exchanges, "exchange"), artifact=", ".join(references), summary=summary, words=words)
    return HistorySummarised("", exchanges=exchanges, text=text, artifact=artifact, shortened=shortened)


# ---------------------------------------------------------------- the exchanges as a text


def transcript(history: History, first: int, end: int, templates: Templates) -> str:
    """The exchanges from `first` up to `end`, as a text."""
    return "\n\n".join(_line(message, templates) for message in history.messages[history.place(first) : history.place(end)])


def _line(message: Message, templates: Templates) -> str:
    said = f"{_opening(message, templates)} {message.content}" if message.content else ""
    calls = (f"{call.name} {orjson.dumps(call.arguments).decode()}" for call in message.calls)
    return "\n".join(filter(None, (said, *(templates.fill("summarised_call", call=call) for call in calls))))


def _opening(message: Message, templates: Templates) -> str:
    """What stands before the words of a message."""
    match message.role:
        case "user":
            return templates.fill("summarised_question")
        case "assistant":
            return templates.fill("summarised_answer")
        case "tool":
            return templates.fill("summarised_result", tool=message.tool_name)
        case _:
            return f"{message.role}:"


def shorter(text: str, most: int, templates: Templates) -> str:
    """The text, if need be without its middle."""
    if len(text) <= most:
        return text
    head = most * 2 // 3
    middle = templates.fill("summarised_middle", characters=f"{len(text) - most:,}")
    return f"{text[:head]}\n{middle}\n{text[len(text) - (most - head) :]}"


def quoted(messages: Sequence[str], most: int, templates: Templates) -> tuple[str, int]:
    """The messages word for word, one after the other, and how many are not whole. The longest are shortened first. The first one stays: it often says what all is about."""
    for length in QUOTATIONS:
        texts = [_quotation(message, length, templates) for message in messages]
        if sum(map(len, texts)) <= most:
            break
    whole = sum(len(message) <= length for message in messages)
    first, *rest = texts or [""]
    kept = _newest(rest, most - len(first))
    gap = len(rest) - len(kept)
    lines = [f"1. {first}", *([templates.fill("summary_left_out", messages=counted(gap, "message"))] if gap else [])]
    return "\n".join(lines + [f"{number}. {text}" for number, text in enumerate(kept, gap + 2)]), max(len(messages) - whole, gap)


def _quotation(message: str, length: int, templates: Templates) -> str:
    if len(message) <= length:
        return message
    head = length * 2 // 3
    size = templates.fill("summary_shortened", characters=f"{len(message):,}")
    return f"{message[:head]} … {message[len(message) - (length - head) :]} {size}"


def _newest(texts: Sequence[str], most: int) -> list[str]:
    """As many of the newest as there is room for."""
    sizes = list(accumulate(len(text) for text in reversed(texts)))
    number = sum(size <= most for size in sizes)
    return list(texts[len(texts) - number :])
