"""Words for talks between participants: lines for somebody who watches, and lines of a record."""

from __future__ import annotations

from collections.abc import Iterator

from mmos.cli.output import one_line
from mmos.cli.text import flat
from mmos.event import Event
from mmos.talk_events import ConclusionProposed, MessageReviewed, MessageSent, TalkClosed, TalkNoticed, TalkOpened, TalkSteered
from mmos.views.talks import DONE, TOOL

LIVE = 200
"""Characters of a message while the run goes on."""
BRIEF = 80
"""Characters of a verdict while the run goes on: the answer follows."""
RECORDED = 1000
"""Characters of a message in a record: whoever looks at it wants to read it."""

SAYING = frozenset({"say", "conclude", "review", "decide", "next_speaker"})
"""Tools of those who take part. What they say is shown by the events of the talk."""

_ENDS = {
    "agreement": "they agree",
    "verdict": "the arbiter decided",
    "no_progress": "nobody had anything new to say",
    "budget": "its limit was reached",
    "failed": "nobody could answer",
}


def watched(event: Event) -> str:
    """What an event of a talk says to somebody who watches the run. Empty: nothing, or it is of something else."""
    match event:
        case MessageReviewed(action="pass", verified=True):
            return ""
        case TalkNoticed(detail=detail):
            return _harmless(f"  ! {one_line(detail, LIVE)}")
    return _harmless(_told(event, LIVE if not isinstance(event, TalkClosed) else BRIEF))


def recorded(event: Event) -> list[str]:
    """The lines of a record about an event of a talk: what was written, and what a review made of it."""
    first = _told(event, RECORDED)
    return [flat(line) for line in (first, *_changes(event))] if first else []


def _harmless(line: str) -> str:
    """The line with its indentation. A name may hold control signs and line breaks."""
    return line[: len(line) - len(line.lstrip(" "))] + flat(line)


def _told(event: Event, width: int) -> str:
    match event:
        case TalkOpened():
            return opened(event, width)
        case MessageSent(sender=sender, query=query, text=text) if query:
            return f"  {sender}, asked {one_line(query, width // 2)}: {one_line(text, width)}"
        case MessageSent(sender=sender, to=to, text=text):
            stance = f" ({event.stance})" if event.stance and event.stance != "new" else ""
            return f"  {sender} → {to}{stance}: {one_line(text, width)}"
        case MessageReviewed():
            return f"    {reviewed(event, width)}"
        case ConclusionProposed(by=by, verdict=verdict, accepted=accepted, reason=reason):
            decision = "accepted" if accepted else f"not accepted: {one_line(reason, width)}"
            return f"  {by} proposes to conclude: {one_line(verdict, width)} · {decision}"
        case TalkSteered(text=text):
            return f"  you → all: {one_line(text, width)}"
        case TalkNoticed(what=what, detail=detail):
            return f"noticed: {what.replace('_', ' ')}: {one_line(detail, width)}"
        case TalkClosed():
            return closed(event, width)
    return ""


def opened(event: TalkOpened, width: int) -> str:
    who = " and ".join(filter(None, (", ".join(event.participants[:-1]), *event.participants[-1:])))
    return f"conversation of {who}: {one_line(event.topic, width)}"


def reviewed(event: MessageReviewed, width: int) -> str:
    """What a review did, who decided, and why."""
    done = f"{DONE[event.action]} by {event.by}" + (f" to {event.to}" if event.action == "redirect" else "")
    doubt = "" if event.verified else ", unchecked"
    return f"message {event.number} {done}{doubt}" + (f": {one_line(event.reason, width)}" if event.reason else "")


def closed(event: TalkClosed, width: int) -> str:
    verdict = f" · {one_line(event.verdict, width)}" if event.verdict else ""
    return f"conversation ended, {_ENDS.get(event.ended, event.ended)}{verdict}"


def cause(tool: str, key: str) -> str:
    """Why somebody was asked in a talk, by the key of the question. Empty: it was in no talk."""
    name, _, number = key.rpartition("-")
    if tool != TOOL:
        return ""
    if key == "own-verdict":
        return "wrote down its own verdict"
    if key == "conclude":
        return "concluded the conversation"
    if name == "review":
        return f"reviewed message {number}"
    if name == "decide":
        return "decided about a conclusion"
    if name.startswith("next"):
        return "chose who writes next"
    return "wrote its first message" if number == "0" else f"wrote in round {number}"


def _changes(event: Event) -> Iterator[str]:
    match event:
        case MessageSent(claims=claims) if claims:
            yield f"claims: {one_line('; '.join(claims), RECORDED)}"
        case MessageReviewed(action="modify" | "redirect" | "drop", quote=quote, text=text):
            if quote:
                yield f"about: {one_line(quote, RECORDED)}"
            if event.action == "modify":
                yield f"others read: {one_line(text, RECORDED)}"
            if event.claims is not None:
                yield f"claims that others read: {one_line('; '.join(event.claims), RECORDED) or 'none'}"
        case ConclusionProposed(dissent=dissent) | TalkClosed(dissent=dissent) if dissent:
            yield f"dissent: {one_line(dissent, RECORDED)}"
    if isinstance(event, TalkClosed):
        yield from _of_record(event)


def _of_record(event: TalkClosed) -> Iterator[str]:
    if event.own_verdict:
        yield f"what the arbiter thought before: {one_line(event.own_verdict, RECORDED)}"
    for name, found in event.record.items():
        for one in found:
            who, numbers = ", ".join(one.get("who", ())), one.get("evidence", ())
            where = f" ({who}{', ' if who and numbers else ''}{_messages(numbers)})" if who or numbers else ""
            yield f"{name.replace('_', ' ')}: {one_line(str(one.get('text', '')), RECORDED)}{where}"


def _messages(numbers: object) -> str:
    if not isinstance(numbers, list | tuple) or not numbers:
        return ""
    return f"message{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
