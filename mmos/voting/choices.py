"""Reads which of several options an answer chooses."""

from __future__ import annotations

import re

_OPTION = re.compile(r"(?m)^[ \t]*\(?([A-Z])[).:][ \t]+(\S[^\n]*)$")
_INLINE = re.compile(r"\(([A-Z])\)[ \t]*([^()\n]{1,200})")
_IN_ONE_LINE = re.compile(r"(?:^|\s)([A-H])\)[ \t]+([^\n]{1,200}?)(?=[,;.]?\s+(?:(?:or|and)\s+)?[A-H]\)|[,;.?]?\s*$|[.?]\s)", re.MULTILINE)
_SAID = re.compile(
    r"(?:answer|choice|option)(?:\s+is|\s+would\s+be|\s+should\s+be)?\s*[:=]?\s*[*_\"'`$]*\s*(?:\\text\{|option\s+)?\(?([A-Z])\)?(?![A-Za-z'])"
    r"(?!\s+(?:think|believe|guess|would|am|do|can)\b)",
    re.IGNORECASE,
)
_BOXED = re.compile(r"\\boxed\{\s*(?:\\text\{)?\s*\(?([A-Z])\)?\s*\}")
_ALONE = re.compile(r"^\W*\(?([A-Z])\)?\W*$")
_CLOSES = re.compile(r"\b(?i:so|therefore|thus|hence|choose|pick|select|is)\b[\s,:*]*\(?([A-Z])\)?\W*$")
_LEADS = re.compile(r"^\W{0,3}\(?([A-Z])[).:](?:\s|$)")
_NAMED = re.compile(r"\(([A-Z])\)")


def options_in(question: str) -> dict[str, str]:
    """The options of a question by letter. They stand in lines of their own, in brackets, or one after the other in a line."""
    for form in (_OPTION, _INLINE, _IN_ONE_LINE):
        found = {letter: text.strip() for letter, text in form.findall(question)}
        if sorted(found)[:2] == ["A", "B"]:
            return found
    return {}


def choice_of(text: str, question: str = "") -> str | None:
    """The letter that an answer chooses: as it says at its end, at its beginning, or by the text of an option."""
    options = options_in(question)
    if len(text.strip(" ().*\n")) == 1:
        text = text.upper()
    for letter in _letters(text):
        if letter in options or not options:
            return letter
    return _by_text(text, options)


def _letters(text: str) -> list[str]:
    """The letters that may be the choice, the surest first."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    ends = [*lines[-1:], *lines[:1]]
    found = [*reversed(_BOXED.findall(text)), *(letter for letter in reversed(_SAID.findall(text)) if letter.isupper())]
    found += [match[1] for line in ends if (match := _ALONE.match(line))]
    found += [match[1] for line in lines[-1:] if (match := _CLOSES.search(line))]
    found += [match[1] for line in ends[::-1] if (match := _LEADS.match(line))]
    named = set(_NAMED.findall(text))
    return [*found, *(named if len(named) == 1 else ())]


def _by_text(text: str, options: dict[str, str]) -> str | None:
    """The only option whose text stands in the end of the answer."""
    end = _plain(text[-600:])
    there = [letter for letter, option in options.items() if len(_plain(option)) > 2 and _plain(option) in end]
    whole = [letter for letter in there if not any(_plain(options[letter]) in _plain(options[other]) for other in there if other != letter)]
    return whole[0] if len(whole) == 1 else None


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text).strip().lower()
