"""Finds the new text of a file in the answer of a model, and says what is wrong with an answer that is no such text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mmos.fences import fence
from mmos.rewriting.lines import lines_of, matches
from mmos.rewriting.patches import NotApplied, has_blocks, is_diff, patched, replaced

Fault = Literal["empty", "not_the_file", "no_end", "several_blocks", "left_out", "not_applied", "much_missing", "refused"]
"""What can be wrong with an answer. `much_missing` may be meant: the same answer counts when the model gives it again."""

_OPENS = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})([^`\n]*)$")
_PROSE = re.compile(
    r"(?:sure|certainly|of course|okay|ok|absolutely|great|here(?:'s|’s| is| are)|below (?:is|are)|this is the|the (?:modified|updated|new|rewritten|revised|improved|complete|full|final)"
    r"|i(?:'ve|’ve| have| added| changed| updated| made)|as requested|hier ist|voici)\b[^\n]*",
    re.IGNORECASE,
)
"""A line with which models introduce a file."""
_REFUSAL = re.compile(r"(?:i['’]?m sorry|i am sorry|sorry|i can(?:no|['’])t|i cannot|i am unable|as an ai)\b", re.IGNORECASE)
_LEFT_OUT = re.compile(
    r"(?:\.{3}|…).*\b(?:rest|remain\w*|unchanged|existing|same|previous|omitted|other|as before|code|content)\b"
    r"|\b(?:rest|remain\w*|unchanged|existing|same|previous|omitted|other)\b.*(?:\.{3}|…)"
    r"|^\W*(?:the )?(?:rest|remainder) of (?:the |your |this )?[\w ]{0,30}(?:unchanged|the same|as before|omitted|stays|remains|here|file|code)\b"
    r"|^\W*(?:existing|previous|unchanged|original) (?:code|content|text|functions?|methods?|lines)(?: here| unchanged)?\W*$"
    r"|^\W*(?:code|content|lines) (?:omitted|unchanged)\b",
    re.IGNORECASE,
)
"""A line that stands for lines of the file. It counts if it is a comment, or nothing but these words."""
_DOTS = re.compile(r"^\s*(?:#|//|/\*|--|;|<!--|%|\*|\{/\*)?\s*(?:\.{3}|…)\s*(?:\*/|-->|\*/\})?\s*$")
_COMMENT = re.compile(r"^\s*(?:#|//|/\*|--|;|<!--|%|\*|\{/\*|\(\*|\[|<|\.{3}|…)")
_LEAST_LINES = 8
"""A shorter file may change wholly."""
_KEPT = 0.5
"""An answer that lacks more than this share of the lines, and adds fewer, may be a part of the file."""
_END = 0.2
"""An answer that lacks this share of the lines at an end of the file may be a part of it, too."""
_ALIKE = 0.2
"""An answer without a block of code that has at least this share of the lines of the file is the file."""


class Unusable(Exception):
    """An answer from which no file can be made. Its text is a sentence for the model and for the user.

    `text`: what the answer would mean, if there is only a doubt about it.
    """

    def __init__(self, fault: Fault, why: str, text: str | None = None) -> None:
        super().__init__(why)
        self.fault = fault
        self.text = text


@dataclass(frozen=True)
class Candidate:
    """The new text of a file."""

    text: str
    mended: str = ""
    """What was done to get it out of the answer. Empty: it stood in one block of code, as asked for."""


def candidate(answer: str, old: str, name: str = "", *, ended: bool = True) -> Candidate:
    """The new text in an answer. Raises `Unusable` if the answer has none.

    `name`: the path of the file, which models like to write above it. `ended`: whether the model came to its end.
    """
    if not ended:
        raise Unusable("no_end", "The answer was cut off by a limit of its length.")
    text = answer.replace("\r\n", "\n").strip("\n")
    if not text.strip():
        raise Unusable("empty", "The answer is empty.")
    found = _changes(text, old) or _without_name(_whole(text, old), old, name)
    _check(found.text, old)
    return found


# ---------------------------------------------------------------- changes


def _changes(text: str, old: str) -> Candidate | None:
    """The old text with the changes that the answer lists, if it lists changes."""
    try:
        if has_blocks(text) and not has_blocks(old):
            return Candidate(replaced(old, text), "its SEARCH and REPLACE blocks were applied")
        body = _only_block(text)
        if is_diff(body) and not is_diff(old):
            return Candidate(patched(old, body), "its diff was applied")
    except NotApplied as error:
        raise Unusable("not_applied", str(error)) from None
    return None


def _only_block(text: str) -> str:
    """The content of the only block of code, or the text without prose before it."""
    blocks = list(_blocks(text))
    if len(blocks) == 1 and blocks[0].closed:
        return blocks[0].text
    start = re.search(r"^(?:--- |diff --git |@@ )", text, re.MULTILINE)
    return text[start.start() :] if start and _PROSE.match(text) else text


# ---------------------------------------------------------------- a whole file


@dataclass(frozen=True)
class _Block:
    text: str
    closed: bool
    size: int
    """How many signs its fence has."""
    alone: bool
    """Whether nothing stands beside it."""


def _blocks(text: str, least: int = 3) -> Iterator[_Block]:
    lines = text.split("\n")
    place = 0
    while place < len(lines):
        opens = _OPENS.match(lines[place])
        if opens is None or len(opens[1]) < least:
            place += 1
            continue
        mark = opens[1]
        end = next((number for number in range(place + 1, len(lines)) if _closes(lines[number], mark)), None)
        last = len(lines) if end is None else end
        alone = not "".join(lines[:place]).strip() and not "".join(lines[last + 1 :]).strip()
        yield _Block("\n".join([*lines[place + 1 : last], ""]), end is not None, len(mark), alone)
        place = last + 1


def _closes(line: str, mark: str) -> bool:
    line = line.strip()
    return len(line) >= len(mark) and not line.strip(mark[0])


def _whole(text: str, old: str) -> Candidate:
    """The file that the answer holds as a whole: in a block of code, or bare."""
    least = len(fence(old))
    blocks = list(_blocks(text, least))
    if not blocks and least > 3:
        return _outermost(text, old)
    if not blocks:
        return _bare(text, old)
    if old and old.lstrip("\n").startswith(lines_of(text)[0]):  # the file begins with a fence itself
        return _bare(text, old)
    if len(blocks) > 1:
        return _among(blocks, old)
    block = blocks[0]
    if not block.closed:
        raise Unusable("no_end", "The block of code with the file has no end.")
    if not block.alone and _likeness(block.text, old) == 0 and _likeness(text, old) >= _ALIKE:
        return _bare(text, old)  # a file of prose with a block of code in it
    return Candidate(block.text, "" if block.alone else "the words around the block of code were left out")


def _without_name(found: Candidate, old: str, name: str) -> Candidate:
    """The file without a first line that only names it."""
    first, _, rest = found.text.partition("\n")
    said = first.strip(" \t#/*-<!>;%`:").removeprefix("File:").removeprefix("file:").strip()
    if not name or said not in (name, name.rpartition("/")[2]) or first in old.split("\n"):
        return found
    return Candidate(rest, found.mended or "a first line with its name was left out")


def _among(blocks: Sequence[_Block], old: str) -> Candidate:
    """The block that is the file: the only one that has most lines of the old text."""
    if any(not block.closed for block in blocks):
        raise Unusable("no_end", "A block of code in the answer has no end.")
    likely = [block for block in blocks if _likeness(block.text, old) >= _KEPT]
    if len(likely) == 1 and old.strip():
        return Candidate(likely[0].text, "the other blocks of code were left out")
    raise Unusable("several_blocks", f"The answer has {len(blocks)} blocks of code, and it is not clear which one is the file.")


def _outermost(text: str, old: str) -> Candidate:
    """The file between the first and the last fence: the model used a fence that the file has, too."""
    lines = text.split("\n")
    fences = [number for number, line in enumerate(lines) if _OPENS.match(line)]
    of_file = sum(bool(_OPENS.match(line)) for line in old.split("\n"))
    if len(fences) == of_file + 2 and _closes(lines[fences[-1]], "```"):
        return Candidate("\n".join([*lines[fences[0] + 1 : fences[-1]], ""]), "the fence around it was left out")
    return _bare(text, old)


def _bare(text: str, old: str) -> Candidate:
    """The answer itself, without words that introduce the file."""
    if _REFUSAL.match(text) and not _REFUSAL.match(old):
        raise Unusable("refused", "The answer refuses to rewrite the file.")
    lines = text.split("\n")
    mended = ""
    if _PROSE.match(lines[0]) and lines[0] not in old.split("\n"):
        text, mended = "\n".join(lines[1:]).lstrip("\n"), "the words before it were left out"
    if old.strip() and _likeness(text, old) < _ALIKE:
        raise Unusable("not_the_file", "The answer is not the file: it has hardly a line of it, and no block of code.")
    if not old.strip():
        raise Unusable("not_the_file", "The answer has no block of code.")
    return Candidate(f"{text}\n", mended)


def _likeness(text: str, old: str) -> float:
    """The share of the lines of the old text that the text has."""
    wanted = [line.strip() for line in old.split("\n") if line.strip()]
    has = {line.strip() for line in text.split("\n")}
    return sum(line in has for line in wanted) / len(wanted) if wanted else 1.0


# ---------------------------------------------------------------- what is missing


def _check(new: str, old: str) -> None:
    """Raise if the new text leaves out a part of the file."""
    if old.strip() and not new.strip():
        raise Unusable("empty", "The new file is empty.")
    had = {line.strip() for line in old.split("\n")}
    for line in new.split("\n"):
        if line.strip() not in had and _stands_for_others(line):
            raise Unusable("left_out", f"The line {line.strip()[:80]!r} stands for lines of the file that are left out.")
    if missing := _missing(lines_of(old), lines_of(new)):
        raise Unusable("much_missing", missing, new)


def _missing(before: Sequence[str], after: Sequence[str]) -> str:
    """Which lines of the file the answer lacks, if it may be a part of the file. Empty: it may not."""
    if len(before) < _LEAST_LINES:
        return ""
    stay = list(matches(before, after))
    if len(stay) < _KEPT * len(before) and len(after) < _KEPT * len(before):
        return f"The answer lacks {len(before) - len(stay)} of the {len(before)} lines of the file."
    many = max(_LEAST_LINES, _END * len(before))
    if not stay:
        return ""
    (first, first_new), (last, last_new) = stay[0], stay[-1]
    if first >= many and first_new * 3 < first:
        return f"The answer lacks the first {first} lines of the file."
    left = len(before) - 1 - last
    if left >= many and (len(after) - 1 - last_new) * 3 < left:
        return f"The answer lacks the last {left} lines of the file."
    return ""


def _stands_for_others(line: str) -> bool:
    if _DOTS.match(line):
        return line.strip() not in ("...", "…")  # a statement of Python, or an element of text
    words = line.strip(" \t#/*-<!>;%{}()[]").split()
    return bool(_COMMENT.match(line) and len(words) <= 12 and _LEFT_OUT.search(line))
