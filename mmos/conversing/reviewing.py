"""Lets the arbiter review a message: it passes, is changed, goes to somebody else, or is dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, get_args

from mmos.conversing.place import Place
from mmos.conversing.reading import facts_of, unread_wishes
from mmos.conversing.taking import spec_of, taken, taking
from mmos.conversing.terms import FAULTS
from mmos.fences import Fenced, one_line
from mmos.prompting.templates import Templates
from mmos.talk_events import ALL, Action, MessageReviewed, MessageSent
from mmos.toolbox import Tool

REVIEW = "review"
NEEDS_QUOTE = ("modify", "drop")
"""What needs a quotation of the words that are wrong."""


async def reviewed(place: Place, sent: MessageSent) -> MessageReviewed:
    """What the arbiter does with a message. A review that fails lets the message pass."""
    question = place.to_arbiter(_words(place, sent), f"review-{sent.number}", review_tool(place), memory=place.memory)
    try:
        answer = await place.ask(question)
    except FAULTS as error:
        return _unreviewed(place, sent, error.message)
    made = taken(place.scope, answer.lane, REVIEW)
    if not made:
        called = any((end.lane, end.tool) == (answer.lane, REVIEW) for end in place.scope.view.finished_calls.values())
        return _unreviewed(place, sent, "the review could not be carried out" if called else "the arbiter did not call its tool")
    return _verdict(sent, made[-1][1], place.terms.arbiter.name)


def review_tool(place: Place) -> Tool:
    """`review(action, reason, quote?, message?, to?)`."""
    names, templates, text = place.opened.participants, place.terms.templates, {"type": "string"}
    spec = spec_of(
        REVIEW,
        templates.fill("review"),
        {
            "action": {**text, "enum": list(get_args(Action)), "description": templates.fill("review.action")},
            "reason": {**text, "description": templates.fill("review.reason")},
        },
        {
            "quote": {**text, "description": templates.fill("review.quote")},
            "message": {**text, "description": templates.fill("review.message")},
            "to": {**text, "enum": list(names), "description": templates.fill("review.to")},
        },
    )
    return taking(spec, templates.fill("taken"), partial(_problem, templates))


def is_in(quote: str, text: str) -> bool:
    """Whether a text has these words, whatever the spaces and the case."""
    words = one_line(quote).casefold()
    return bool(words) and words in one_line(text).casefold()


def _problem(templates: Templates, arguments: Mapping[str, Any]) -> str:
    """Why a review cannot be carried out."""
    needs: Mapping[str, Sequence[str]] = {"modify": ("quote", "message"), "redirect": ("to",), "drop": ("quote",)}
    missing = [name for name in needs.get(str(arguments["action"]), ()) if not str(arguments.get(name) or "").strip()]
    return templates.fill("review_incomplete", action=str(arguments["action"]), missing=", ".join(missing)) if missing else ""


def _words(place: Place, sent: MessageSent) -> str:
    templates, opened = place.terms.templates, place.opened
    first = not any(review.by == place.terms.arbiter.name for review in place.talk.reviews.values())
    context = templates.fill("talk_context", task=place.context.told.content, topic=opened.topic) + "\n\n" if first else ""
    others = ", ".join(name for name in opened.participants if name != sent.sender)
    to = others if sent.to == ALL else sent.to
    found = filter(None, [facts_of(place, sent.number), *unread_wishes(place, place.terms.arbiter.name)])
    facts = Fenced("".join(f"{line}\n" for line in found))
    return templates.fill(
        "talk_review", context=Fenced(context), sender=sent.sender, to=to, number=str(sent.number), text=sent.text,
        facts=facts,
    )  # fmt: skip


def _verdict(sent: MessageSent, made: Mapping[str, Any], arbiter: str) -> MessageReviewed:
    """The review as it counts: a fault that the arbiter cannot quote lets the message pass, and so does a message sent back to its sender."""
    action, reason, quote = made["action"], str(made.get("reason", "")), str(made.get("quote") or "")
    passed = MessageReviewed(sent.talk, sent.number, "pass", arbiter, reason, quote)
    if action == "pass":
        return passed
    if (action in NEEDS_QUOTE or quote.strip()) and not is_in(quote, sent.text):
        return MessageReviewed(sent.talk, sent.number, "pass", arbiter, reason, quote, verified=False)
    if action == "redirect":
        to = str(made["to"])
        return passed if to == sent.sender else MessageReviewed(sent.talk, sent.number, "redirect", arbiter, reason, quote, to=to)
    if action == "drop":
        return MessageReviewed(sent.talk, sent.number, "drop", arbiter, reason, quote)
    claims = tuple(claim for claim in sent.claims if not is_in(quote, claim))
    return MessageReviewed(sent.talk, sent.number, "modify", arbiter, reason, quote, str(made["message"]), claims=claims)


def _unreviewed(place: Place, sent: MessageSent, why: str) -> MessageReviewed:
    arbiter = place.terms.arbiter.name
    place.scope.warn(f"{arbiter} did not review message {sent.number} of {sent.sender}, so it was passed on: {why}")
    return MessageReviewed(sent.talk, sent.number, "pass", arbiter, f"There was no review: {why}", verified=False)
