"""Writes down, for those who take part in a talk, the messages that reach them. What others wrote is data between lines of its own."""

from __future__ import annotations

from operator import itemgetter

from mmos.conversing.place import Place
from mmos.fences import Fenced, one_line
from mmos.prompting.budget import estimate
from mmos.prompting.digest import digest
from mmos.prompting.templates import Templates
from mmos.talk_events import ALL
from mmos.views.talks import Said

MOST_SHARE = 0.5
"""The share of the arbiter's window that the messages of a talk may take."""
SHORT = 1_600
"""Characters of a message that stays whole when the messages together are too long."""


def message_line(templates: Templates, said: Said, text: str = "") -> Fenced:
    """One message as its readers get it, or a shorter `text` of it. What a review did is marked, so nobody takes the reviewer's words for those of the sender."""
    review, change = said.review, ""
    if review is not None and review.action == "modify":
        change = " " + templates.fill("talk_changed", by=review.by, reason=one_line(review.reason).rstrip("."))
    elif review is not None and review.action == "redirect":
        change = " " + templates.fill("talk_redirected", by=review.by)
    to = templates.fill("talk_all") if said.to == ALL else said.to
    sender, number = said.sent.sender, str(said.number)
    return Fenced(templates.fill("talk_message", number=number, sender=sender, to=to, change=change, text=text or said.text))


def messages_of(place: Place, newest: int = 0) -> Fenced:
    """The messages of a talk for the arbiter, with what the user wrote between them. `newest`: how many at most; 0: all. A dropped one is not shown. If they would fill its window, it reads digests."""
    templates, window = place.terms.templates, place.terms.arbiter.window
    shown = [said for said in place.talk.messages if not said.dropped][-newest:]
    lines = [(said.number, message_line(templates, said)) for said in shown]
    if window and estimate("".join(line for _, line in lines)) > window * MOST_SHARE:
        lines = [(said.number, message_line(templates, said, short(place, said.sent.sender, said.text, SHORT))) for said in shown]
    first = shown[0].number if shown and newest else 0
    written = sorted([*lines, *wishes(place, first)], key=itemgetter(0))
    return Fenced("\n\n".join(line for _, line in written) or templates.fill("none"))


def wishes(place: Place, since: int = 0) -> list[tuple[int, str]]:
    """What the user has written to the talk since a message, each with the number of the message before it."""
    return [(one.number, place.terms.templates.fill("talk_user", text=one.text)) for one in place.talk.steered if one.number >= since]


def short(place: Place, name: str, text: str, most: int = 0) -> str:
    """A text for the arbiter. One that is longer than `limits.answer_chars` is kept as an artifact; the user gets the whole text in its place. `most`: another limit."""
    scope, terms = place.scope, place.terms
    if len(text) <= (most or terms.answer_chars):
        return text
    kept = next((f"artifact:{one}" for one, artifact in scope.view.artifacts.items() if artifact.text == text), "")
    return terms.templates.fill("digest", artifact=kept or scope.keep(name, text), length=f"{len(text):,}", digest=digest(text))


def unread(place: Place, name: str) -> list[Said]:
    """What a participant has not read yet: what reached it since it wrote its newest message in a round of critique."""
    messages = place.talk.messages
    last = max((said.number for said in messages if said.sent.sender == name and said.sent.round), default=0)
    return [said for said in messages if said.number > last and said.reaches(name)]


def unread_wishes(place: Place, name: str) -> list[str]:
    """What the user has written to the talk and somebody has not read in an exchange that it remembers."""
    history = place.scope.conversation.histories.get((place.memory, name))
    read = [message.content for message in history.messages if message.role == "user"] if history else []
    return [line for _, line in wishes(place) if not any(line in text for text in read)]


def notes(place: Place, name: str, *, remembers: bool = True) -> list[str]:
    """What a participant should know beside the messages: what became of its own, what the user says, and what rules found.

    `remembers`: whether it remembers its earlier exchanges in the talk. Otherwise only what the user says means something to it.
    """
    if not remembers:
        return [line for _, line in wishes(place)]
    talk, templates = place.talk, place.terms.templates
    own = [said for said in talk.messages if said.sent.sender == name]
    last = max((said.number for said in own), default=0)
    found = [line for said in own[-1:] if (line := _of_own(templates, said))]
    found += unread_wishes(place, name)
    found += [templates.fill("talk_refused", reason=one_line(one.reason)) for one in talk.proposals if one.by == name and not one.accepted]
    return found + ([facts] if (facts := facts_of(place, last)) else [])


def facts_of(place: Place, since: int = 0) -> str:
    """What rules noticed since a message, one line each. Empty: nothing."""
    found = [one.detail for one in place.talk.noticed if one.number >= since and one.detail]
    return "\n".join(place.terms.templates.fill("talk_fact", fact=one_line(detail)) for detail in found)


def _of_own(templates: Templates, said: Said) -> str:
    """What a review did with a message, for its sender."""
    review = said.review
    if review is None or review.action == "pass":
        return ""
    if review.action == "modify":
        return templates.fill(
            "talk_own_changed", number=str(said.number), by=review.by, reason=one_line(review.reason).rstrip("."), text=review.text
        )
    if review.action == "redirect":
        return templates.fill("talk_own_redirected", number=str(said.number), by=review.by, to=review.to)
    return templates.fill("talk_own_dropped", number=str(said.number), by=review.by, reason=one_line(review.reason))
