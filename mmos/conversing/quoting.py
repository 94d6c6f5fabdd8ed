"""Finds words that a message puts into the mouth of another participant, who never wrote them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from mmos.conversing.passages import Span
from mmos.fences import plain
from mmos.views.talks import Talk

LEAST_WORDS = 3
"""A shorter quote may be a name or a term."""
LEAST_SHARE = 0.5
"""So many of the quoted words must be those of the quoted participant. A quote may be shortened, and its words may be in another form."""

_SAYS = r"(?:says?|said|writes|wrote|repl(?:ies|ied)|answers|answered|confirms|confirmed|admits|admitted|agrees|agreed|states|stated|claims|claimed|declares|declared)"
_FIRST_PERSON = re.compile(r"\b(?:i|i'm|i've|my|me|we|our)\b", re.IGNORECASE)
_WORD = re.compile(r"\w{3,}")


def invented(text: str, talk: Talk, sender: str, names: Collection[str]) -> list[tuple[str, Span]]:
    """Who is quoted, and where, with words that this one did not write in the talk and that the talk was not given."""
    known = f"{talk.opened.topic} {talk.opened.goal}"
    found = []
    for name in sorted(set(names) - {sender}):
        own = " ".join(said.sent.text for said in talk.messages if said.sent.sender == name)
        for quote, place in _quotes(text, name, sender):
            words = _words(quote)
            if len(words) >= LEAST_WORDS and len(words & (_words(own) | _words(known))) < LEAST_SHARE * len(words):
                found.append((name, place))
    return found


def _quotes(text: str, name: str, sender: str) -> Iterator[tuple[str, Span]]:
    """The words, and the place of the quotation with the name before it."""
    called = rf"[*_`]{{0,3}}\b{re.escape(name)}\b[*_`]{{0,3}}"
    quoted = rf"{called}(?:[ \t]+(?:has|have|just|now|already|also|then)){{0,2}}[ \t]+{_SAYS}\b[^\n.]{{0,20}}?(?:[\"“„«]([^\"”“»\n]+)[\"”“»]?|:[ \t]*([^\"“\s][^\"“\n]*))"
    for match in re.finditer(quoted, text, re.IGNORECASE):
        yield match[1] or match[2], match.span()
    for match in re.finditer(rf"^[^\w\n]*{called}[^\w\n]*:[^\w\n]*([^\n]+)", text, re.IGNORECASE | re.MULTILINE):
        if _FIRST_PERSON.search(match[1]) and re.search(
            rf"\b{re.escape(sender)}\b", match[1] + _before(text, match.start()), re.IGNORECASE
        ):
            yield match[1], match.span()


def _before(text: str, at: int) -> str:
    """The label of the line before: a message with a line for each speaker is a dialogue of its own."""
    line = text[:at].rstrip("\n").rpartition("\n")[2]
    return line.partition(":")[0] if ":" in line[:40] else ""


def _words(text: str) -> set[str]:
    return set(_WORD.findall(plain(text).casefold()))
