"""Reads the facts about the newest answers in a run, for routing rules: empty, refused, failed, how sure, how good."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from mmos.messages import Message
from mmos.views.conversation import Conversation, Lane
from mmos.views.run import RunView

_STATED = re.compile(
    r"\bconfidence\b[\"*_]*\s*(?:(?:level|score)\s*)?(?::|=|is)?[\s\"*_]*(?:(\d{1,3}(?:\.\d+)?)\s*%|([01](?:\.\d+)?)(?!\s*[/%]|\.?\d))",
    re.IGNORECASE,
)
"""How an answer states how sure it is: `Confidence: 80%`, `"confidence": 0.8`."""
QUIET: Mapping[str, bool] = dict.fromkeys(("unclear_tool_calls", "empty", "refused", "failed"), False)


class Response(NamedTuple):
    """What came of asking a model."""

    text: str | None
    """None: it wrote nothing, not even an empty text."""
    failed: bool = False
    unclear: bool = False
    """Whether it was sent back, because it could not be read."""


def response_facts(view: RunView, conversation: Conversation, names: Collection[str]) -> dict[str, Any]:
    """The facts that rules name, of what has come since the last turn. Of several answers a flag is true for one of them, and a number is the lowest."""
    found = [*_newest(view, conversation)]
    facts: dict[str, Any] = {
        **QUIET,
        "unclear_tool_calls": any(one.unclear for one in found),
        "empty": any(one.text is not None and not one.text.strip() for one in found),
        "failed": any(one.failed for one in found),
    }
    for name, of in _READ.items():
        if name in names:
            facts[name] = of(found, view)
    return facts


def _newest(view: RunView, conversation: Conversation) -> Iterator[Response]:
    """The answers of those whom the last turn asked, or the last reply itself if it was sent back."""
    lane = conversation.roots.get(view.run)
    results, reply = _since_reply(lane) if lane is not None else ([], None)
    if lane is not None and lane.setbacks and reply is not None and any(message.role == "user" for message in results):
        yield Response(reply.content, unclear=True)
    for message in results:
        opened, end = view.lanes.get(message.call_id), view.finished_calls.get(message.call_id)
        if opened and end is not None:
            inner = conversation.lanes.get((view.run, opened[-1].lane))
            _, answer = _since_reply(inner) if inner is not None else ([], None)
            yield Response(answer.content if answer is not None else None, not end.ok)


def _since_reply(lane: Lane) -> tuple[list[Message], Message | None]:
    """What has come since the last reply of the model, and that reply."""
    place = next((number for number in reversed(range(len(lane.messages))) if lane.messages[number].role == "assistant"), None)
    return ([], None) if place is None else (lane.messages[place + 1 :], lane.messages[place])


def _texts(found: list[Response]) -> list[str]:
    return [one.text for one in found if one.text is not None]


def _refused(found: list[Response], _view: RunView) -> bool:
    from mmos.quality.answer import read  # only such a rule needs it
    from mmos.quality.completeness import completeness
    from mmos.quality.finding import Subject

    return any(finding.kind == "refusal" for text in _texts(found) for finding in completeness(read(Subject("", text))))


def _confidence(found: list[Response], _view: RunView) -> float | None:
    return min((share for text in _texts(found) if (share := stated(text)) is not None), default=None)


def _quality(found: list[Response], view: RunView) -> float | None:
    """The score that checks without a model give."""
    from mmos.quality.checks import check  # only such a rule needs it
    from mmos.quality.finding import Subject
    from mmos.quality.score import score_of

    return min((score_of(check(Subject(view.task, text))) for text in _texts(found)), default=None)


def stated(text: str) -> float | None:
    """How sure an answer says that it is, from 0 to 1: the last such statement. None: it does not say."""
    values = [float(percent) / 100 if percent else float(share) for percent, share in _STATED.findall(text)]
    return values[-1] if values and 0 <= values[-1] <= 1 else None


_READ: Mapping[str, Callable[[list[Response], RunView], Any]] = {"refused": _refused, "confidence": _confidence, "quality": _quality}
"""The facts that cost more to read."""
