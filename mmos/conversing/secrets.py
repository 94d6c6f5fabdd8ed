"""Finds secrets in a message, whichever way they are spelled."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterator

from mmos.conversing.passages import Span
from mmos.diagnosis.masking import keys
from mmos.fences import plain

LEAST = 4
"""A shorter text would be found in words that have nothing to do with it."""
LEAST_SPELLED = 8
"""So many letters and digits a secret needs to be found in another spelling, too."""

_BASE64 = re.compile(r"[\w+/=-]")
_MARKED = re.compile(r"<secret>(.{0,2000}?)</secret>", re.DOTALL | re.IGNORECASE)


def secrets_in(text: str) -> set[str]:
    """What is secret in a text: what the user put between `<secret>` and `</secret>`, and keys of a known form."""
    marked = {found[1].strip() for found in _MARKED.finditer(text)}
    return {secret for secret in marked if secret} | {text[start:end] for start, end in keys(text)}


def places_of(text: str, secrets: Collection[str]) -> Iterator[Span]:
    """Where the text has one of the secrets: as it is, in other letters, with signs between, backwards, in base64, or in hexadecimal digits."""
    wanted = {secret.strip() for secret in secrets if len(secret.strip()) >= LEAST}
    letters, places = _letters(text) if wanted else ("", [])
    for secret in wanted:
        spelled, _ = _letters(secret)
        if len(spelled) < LEAST_SPELLED:
            pattern = rf"(?<!\w){re.escape(secret)}(?!\w)"
            yield from (match.span() for match in re.finditer(pattern, text, re.IGNORECASE))
            continue
        for way in {spelled, spelled[::-1], secret.encode().hex()}:
            yield from ((places[at], places[at + len(way) - 1] + 1) for at in _each(letters, way))
        for way in _in_base64(secret):
            yield from (_whole(text, at, at + len(way)) for at in _each(text, way))


def _letters(text: str) -> tuple[str, list[int]]:
    """The letters and digits as they look, in lower case, and the place of each in the text."""
    found: list[str] = []
    places: list[int] = []
    for place, sign in enumerate(text):
        for letter in plain(sign).casefold():
            if letter.isalnum():
                found.append(letter)
                places.append(place)
    return "".join(found), places


def _each(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)


def _in_base64(secret: str) -> set[str]:
    """The part of its base64 that is the same whatever stands before and after it."""
    whole = secret.encode()
    parts = set()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + whole).decode()
        parts.add(encoded[4 if before else 0 : (before + len(whole)) // 3 * 4])
    return parts - {""}


def _whole(text: str, start: int, end: int) -> Span:
    """The place with the rest of the encoded word around it."""
    while start and _BASE64.match(text[start - 1]):
        start -= 1
    while end < len(text) and _BASE64.match(text[end]):
        end += 1
    return start, end
