"""Stops messages between participants by rules: to the wrong address, with a secret, or with words that steer the review."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from mmos.conversing.passages import CUT, Span, found, in_code, without
from mmos.conversing.phrases import TURN_TAGS, USER_SAYS, posing, steering
from mmos.conversing.quoting import invented
from mmos.conversing.secrets import places_of
from mmos.diagnosis.masking import MASK, keys
from mmos.fences import visible
from mmos.prompting.templates import Templates
from mmos.talk_events import ALL, MessageReviewed, MessageSent
from mmos.views.talks import Talk

RULES = "rules"
"""Who decided, in the events."""
LEAST_WORDS = 3
"""If fewer words are left of a message, nobody gets it."""
MOST_QUOTED = 200

Reason = Literal["secret", "steers", "poses", "tags", "speaks_for"]
_ARBITERS = ("arbiter", "arbitrator", "moderator")


@dataclass(frozen=True)
class _Fault:
    reason: Reason
    place: Span
    who: str = ""


def stopped(
    talk: Talk, sent: MessageSent, *, roles: Collection[str], secrets: Collection[str], templates: Templates
) -> MessageReviewed | None:
    """What the rules do with a message. None: it may go on to the arbiter. `secrets`: texts that its readers were not given."""
    wrong = _address(talk, sent, roles, templates)
    if wrong is not None and wrong.action == "drop":
        return wrong
    faults = _faults(talk, sent.text, sent.sender, roles=roles, secrets=secrets)
    claims = tuple(claim for claim in sent.claims if not _faults(talk, claim, sent.sender, roles=roles, secrets=secrets))
    if not faults and claims == sent.claims:
        return wrong
    if wrong is not None:
        return _dropped(sent, f"{wrong.reason} {_reason(faults, templates)}".strip(), _quote(sent.text, faults))
    return _changed(sent, faults, claims, templates)


def _address(talk: Talk, sent: MessageSent, roles: Collection[str], templates: Templates) -> MessageReviewed | None:
    if sent.to == talk.opened.arbiter and talk.opened.mode == "mediated":
        return None
    if sent.to == ALL or (sent.to in talk.opened.participants and sent.to != sent.sender):
        return None
    if sent.to in roles and sent.to not in (sent.sender, talk.opened.arbiter):
        return _dropped(sent, templates.fill("stopped_stranger", name=sent.to))
    if sent.to == talk.opened.arbiter:
        reason = templates.fill("redirected_arbiter")
    else:
        reason = templates.fill("redirected_self") if sent.to == sent.sender else templates.fill("redirected_unknown")
    return MessageReviewed(talk.opened.talk, sent.number, "redirect", RULES, reason, to=ALL)


def _faults(talk: Talk, text: str, sender: str, *, roles: Collection[str], secrets: Collection[str]) -> list[_Fault]:
    arbiters = frozenset({*_ARBITERS, talk.opened.arbiter.casefold() or "arbiter"} - {name.casefold() for name in talk.opened.participants})
    given = _given(talk)
    return [
        *(_Fault("secret", place) for place in places_of(text, {secret for secret in secrets if secret not in given})),
        *(_Fault("secret", place) for place in keys(text) if text[place[0] : place[1]] not in given),
        *(_Fault("tags", place) for place in _tags(text)),
        *(_Fault("steers", place) for place in found(text, steering(arbiters))),
        *(_Fault("poses", place) for place in [*found(text, posing(arbiters)), *_words_of_the_user(text, given)]),
        *(_Fault("speaks_for", place, who) for who, place in invented(text, talk, sender, {*roles, *talk.opened.participants})),
    ]


def _given(talk: Talk) -> str:
    """What every participant may know: the words of the user, and those of the arbiter at the beginning."""
    return "\n".join([talk.opened.topic, talk.opened.goal, *(steered.text for steered in talk.steered)])


def _tags(text: str) -> list[Span]:
    """From the first tag to the end: what follows it is written as if another had written it."""
    code = in_code(text)
    first = next((tag for tag in TURN_TAGS.finditer(text) if not any(start <= tag.start() < end for start, end in code)), None)
    return [] if first is None else [(first.start(), len(text))]


def _words_of_the_user(text: str, given: str) -> Iterator[Span]:
    known = set(_words(given))
    for match in USER_SAYS.finditer(text):
        words = set(_words(match["words"]))
        if len(words) >= LEAST_WORDS and 2 * len(words & known) < len(words):
            yield match.span()


def _words(text: str) -> list[str]:
    return re.findall(r"\w{3,}", visible(text).casefold())


# ---------------------------------------------------------------- what becomes of the message


def _changed(sent: MessageSent, faults: list[_Fault], claims: tuple[str, ...], templates: Templates) -> MessageReviewed:
    secret = [fault.place for fault in faults if fault.reason == "secret"]
    others = [fault.place for fault in faults if fault.reason != "secret"]
    places = [place for place in secret if not any(start <= place[0] < end for start, end in others)]
    text = _masked(sent.text, places, others)
    reason = _reason(faults, templates) or templates.fill("stopped_claims")
    if faults and len(re.findall(r"\w+", text.replace(CUT, "").replace(MASK, ""))) < LEAST_WORDS:
        return _dropped(sent, reason, _quote(sent.text, faults))
    return MessageReviewed(sent.talk, sent.number, "modify", RULES, reason, _quote(sent.text, faults), text, claims=claims)


def _masked(text: str, secrets: list[Span], others: list[Span]) -> str:
    """The text with the secrets masked and the other places cut out, from the end so that the places stay right."""
    covered = "\ue000"
    for start, end in sorted(secrets, reverse=True):
        text = text[:start] + covered * (end - start) + text[end:]
    return re.sub(f"{covered}+", MASK, without(text, others))


def _dropped(sent: MessageSent, reason: str, quote: str = "") -> MessageReviewed:
    return MessageReviewed(sent.talk, sent.number, "drop", RULES, reason, quote)


def _reason(faults: list[_Fault], templates: Templates) -> str:
    return " ".join(dict.fromkeys(_told(fault, templates) for fault in faults))


def _told(fault: _Fault, templates: Templates) -> str:
    match fault.reason:
        case "secret":
            return templates.fill("stopped_secret")
        case "steers":
            return templates.fill("stopped_steering")
        case "poses":
            return templates.fill("stopped_posing")
        case "tags":
            return templates.fill("stopped_tags")
        case "speaks_for":
            return templates.fill("stopped_quote", name=fault.who)


def _quote(text: str, faults: list[_Fault]) -> str:
    """The first passage that was wrong. A secret is not quoted."""
    place = next((fault.place for fault in faults if fault.reason != "secret"), None)
    if place is None:
        return ""
    hidden = [fault.place for fault in faults if fault.reason == "secret"]
    inside = [
        (max(start, place[0]) - place[0], min(end, place[1]) - place[0]) for start, end in hidden if start < place[1] and end > place[0]
    ]
    return without(text[place[0] : place[1]], inside, MASK)[:MOST_QUOTED]
