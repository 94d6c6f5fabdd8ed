"""Finds in the text of a model what it finally answers: a number, a choice, yes or no, or a few words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from unicodedata import normalize

LONGEST = 100_000
"""Characters of an answer that are read: the last ones, where an answer ends."""
LONGEST_CONCLUSION = 400

_BOXED = re.compile(r"\\(?:boxed|fbox)\s{0,3}\{")
_MARKED = re.compile(
    r"^[ \t]{0,8}(?:A|Answer)[ \t]?:|####|\b(?:final |correct |right |best )?(?:answer|option|choice|result)[ \t]{0,3}(?:is|:|=)+(?:[ \t]option\b)?",
    re.IGNORECASE | re.MULTILINE,
)
_NUMBER = re.compile(
    r"(?<![\w.])(?P<sign>[-−+]?)[$€£]?[ ]?(?P<whole>\d{1,3}(?:,\d{3})++(?!\d)|\d++)?(?P<part>\.\d++)?(?P<power>[eE][-+]?\d{1,3})?"
    r"(?:[ ]?/[ ]?(?P<below>\d++))?(?P<percent>[ ]?\\?%)?"
)
_ASIDE = re.compile(r"(?<!\\)\([^()]{0,200}\)")
_FRACTION = re.compile(r"\\[dt]?frac\s?\{(\d{1,20})\}\s?\{(\d{1,20})\}")
_POWER = re.compile(r"[ ]?(?:×|\\times|\*)[ ]?10(?:\^|\*\*)\{?([-−+]?\d{1,3})\}?")
_TEX = re.compile(r"\\(?:text|mathrm|textbf|mathbf|operatorname)\s?\{([^{}]{0,400})\}|\\[()\[\],;!]|\\(?:left|right)\b|\$")
_MARKS = re.compile(r"[*_`~>|]+|(?<!\w)#+|\\(?=[%$&#_{}])")
_EDGES = " \t\n.,;:!?\"'“”‘’«»()[]"
_ARTICLE = re.compile(r"^(?:the|a|an)\s+(?=\S)")
_OPTION = re.compile(r"^[ \t]{0,8}\(?([A-Z])[).:][ \t]+(\S[^\n]{0,2000})", re.MULTILINE)
_LETTER = re.compile(r"\W{0,8}(?:option|choice)?\W{0,4}([A-Z])(?![\w'’])(?!\s[a-z])")
_LONE_LETTER = re.compile(r"\W{0,8}([A-Za-z])\W{0,8}")
_FIRST_LETTER = re.compile(r"\W{0,8}([A-Z])(?:[).:*]|\s{0,3}$|\s?[-–—]\s)", re.MULTILINE)
_SET_OFF = re.compile(r"\(([A-Z])\)|\*\*\(?([A-Z])[).:]?(?:\*\*|\s)|\b[Oo]ption ([A-Z])\b")
_WORD = re.compile(r"[^\W_]+")
_VERDICTS = {"yes": True, "true": True, "y": True, "no": False, "false": False, "n": False}


def visible(text: str) -> str:
    """The text without a thought before it, which some hosts leave in the answer."""
    head, tag, rest = text.partition("</think>")
    return rest if tag and head.lstrip().startswith("<think>") else text


def plain(text: str) -> str:
    """The words of a text in one spelling: without case, Markdown, LaTeX, and signs around it."""
    text = _MARKS.sub(" ", _TEX.sub(lambda found: found[1] or "", _FRACTION.sub(r"\1/\2", normalize("NFKC", text))))
    words = " ".join(text.casefold().split()).replace("−", "-").replace("’", "'").strip(_EDGES)
    return _ARTICLE.sub("", words)


def conclusion(text: str) -> str | None:
    """The words that a text marks as its answer, such as those after "The answer is". None: it marks none. The last ones count."""
    text = text[-LONGEST:]
    boxed, marked = _last_boxed(text), None
    for marked in _MARKED.finditer(text):  # noqa: B007  # the last one
        pass
    if boxed and (marked is None or boxed[0] > marked.start()):
        return boxed[1]
    if marked is None:
        return None
    rest = text[marked.end() : marked.end() + LONGEST_CONCLUSION].lstrip(" \t*_:\n")
    return rest.partition("\n")[0].strip() or None


def _last_boxed(text: str) -> tuple[int, str] | None:
    found = None
    for found in _BOXED.finditer(text):  # noqa: B007  # the last one
        pass
    if found is None:
        return None
    depth = 1
    for place in range(found.end(), min(len(text), found.end() + LONGEST_CONCLUSION)):
        depth += (text[place] == "{") - (text[place] == "}")
        if not depth:
            return place, text[found.end() : place]
    return None


def has_words(text: str, words: str) -> bool:
    """Whether these words stand in a text, both in one spelling, and not within longer words: C is not in C++ and C#."""
    start = text.find(words) if words else -1
    while start >= 0:
        end = start + len(words)
        before, after = text[start - 1 : start], text[end : end + 2]
        goes_on = after[:1].isalnum() or after == "++" or after[:1] == "#"
        if not ((before.isalnum() and words[0].isalnum()) or (goes_on and words[-1].isalnum())):
            return True
        start = text.find(words, start + 1)
    return False


# ---------------------------------------------------------------- numbers


def numbers(text: str) -> list[tuple[float, bool]]:
    """The numbers of a text in order, and whether each is a percentage."""
    text = _POWER.sub(lambda found: f"e{found[1].replace('−', '-')}", _FRACTION.sub(r"\1/\2", text[-LONGEST:]))
    return [number for found in _NUMBER.finditer(text) if (number := _number(found)) is not None]


def _number(found: re.Match[str]) -> tuple[float, bool] | None:
    if not (found["whole"] or found["part"]):
        return None
    try:
        value = float(f"{(found['whole'] or '0').replace(',', '')}{found['part'] or ''}{found['power'] or ''}")
        value = value / float(found["below"]) if found["below"] else value
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return -value if found["sign"] in ("-", "−") else value, bool(found["percent"])


def number(text: str) -> tuple[float, bool] | None:
    """The number that a text answers: the first of its conclusion, or its last one. What stands in brackets only counts if nothing else does."""
    marked = conclusion(text)
    if marked is not None and (found := numbers(marked.rpartition("=")[2])):
        return found[0]
    return next(reversed(numbers(_ASIDE.sub(" ", text)) or numbers(text)), None)


# ---------------------------------------------------------------- choices, yes and no


def options(task: str) -> dict[str, str]:
    """The options of a multiple choice, by their letters, if a task lists at least two."""
    found = {letter: text.strip() for letter, text in _OPTION.findall(task)}
    return found if len(found) > 1 and "A" in found else {}


def choice(text: str, given: Mapping[str, str]) -> str | None:
    """The letter that a text chooses. `given`: the options, if they are known."""
    text = text[-LONGEST:].strip()
    if lone := _LONE_LETTER.fullmatch(text):
        return lone[1].upper()
    marked = conclusion(text)
    if marked is not None and (letter := _LETTER.match(_TEX.sub(lambda found: found[1] or "", marked))):
        return str(letter[1])
    if marked is not None and (letter_of_text := _option(plain(marked), given)):
        return letter_of_text
    if (first := _FIRST_LETTER.match(text)) and (first[1] in given or not given):
        return str(first[1])
    if set_off := _SET_OFF.findall(text):
        return str(next(letter for letter in set_off[-1] if letter))
    last = text.rpartition("\n")[2]
    if lone := _LONE_LETTER.fullmatch(last):
        return lone[1].upper()
    return _option(plain(last), given) or _option(plain(text), given)


def _option(text: str, given: Mapping[str, str]) -> str | None:
    """The only option whose words stand in a text. One whose words are a part of another option's gives way to that."""
    named = {letter: words for letter, option in given.items() if has_words(text, words := plain(option))}
    whole = [letter for letter, words in named.items() if not any(words != other and has_words(other, words) for other in named.values())]
    return whole[0] if len(whole) == 1 else None


def verdict(text: str) -> bool | None:
    """Whether a text says yes or no: with its conclusion, its first word, or the first word of its last line."""
    lines = [line for line in text[-LONGEST:].strip().splitlines() if line.strip()]
    for part in (conclusion(text), lines[0] if lines else None, lines[-1] if lines else None):
        word = _WORD.search(part) if part else None
        if word and word[0].casefold() in _VERDICTS:
            return _VERDICTS[word[0].casefold()]
    return None
