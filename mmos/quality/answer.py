"""Takes an answer apart: its prose, and its blocks of code with their languages and places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from mmos.quality.finding import Subject
from mmos.quality.languages import guessed, language_of_file, language_of_tag

_OPEN = re.compile(r"^([ \t]*(?:[-*+>]|\d{1,3}[.)])?[ \t]*)(`{3,}|~{3,})[ \t]*([^`\n]*)$")
_FILE = re.compile(r"(?<![\w/.-])((?:[\w.@-]+/)*[\w@-][\w.@-]*\.[A-Za-z]\w{0,9}|(?:[\w.-]+/)*(?:Dockerfile|Makefile))(?![\w/])")
_COMMENTED = re.compile(
    r"^\s*(?:#|//|--|/\*|<!--)\s*(?:file(?:name)?:\s*)?((?:[\w.@-]+/)*[\w@-][\w.@-]*\.[A-Za-z]\w{0,9})\s*(?:\*/|-->)?\s*$"
)
MOST_BLOCKS = 200
"""What follows so many blocks is not looked at."""
_NO_FILES = ("e.g", "i.e", "etc.")


@dataclass(frozen=True)
class Block:
    """A piece of code of an answer."""

    number: int
    """Counted from 1. 0: the whole answer is code, and has no fences."""
    tag: str
    """The first word after the fence."""
    language: str
    """Empty: not known."""
    text: str
    line: int
    """The line of the answer, from 1, where its text begins."""
    file: str = ""
    """The name of the file that it is said to be."""
    closed: bool = True
    guessed: bool = False
    """Whether the language is a guess."""

    def at(self, line: int) -> str:
        """The place of a line of the block, which is counted from 1."""
        if self.file:
            return f"{self.file}:{line}"
        return f"code block {self.number}, line {line}" if self.number else f"line {line}"

    @cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()


@dataclass(frozen=True)
class Reading:
    """An answer and its parts."""

    subject: Subject
    blocks: tuple[Block, ...]
    prose: str
    """The answer with empty lines in place of its code, so that lines keep their numbers."""

    @property
    def answer(self) -> str:
        return self.subject.answer

    @property
    def question(self) -> str:
        return self.subject.question


def read(subject: Subject) -> Reading:
    lines = subject.answer.splitlines()
    blocks, prose = _parts(lines)
    if not blocks and (language := _whole(subject.answer)):
        return Reading(subject, (Block(0, "", language, subject.answer, 1, guessed=True),), "")
    return Reading(subject, tuple(blocks), "\n".join(prose))


def _parts(lines: list[str]) -> tuple[list[Block], list[str]]:
    blocks: list[Block] = []
    prose: list[str] = []
    index = 0
    while index < len(lines) and len(blocks) < MOST_BLOCKS:
        opening = _OPEN.match(lines[index][:300])
        if opening is None:
            prose.append(lines[index])
            index += 1
            continue
        end = _end(lines, index + 1, opening[2])
        inside = [_without(line, len(opening[1].expandtabs(4))) for line in lines[index + 1 : end]]
        blocks.append(_block(len(blocks) + 1, opening[3], inside, index + 2, (_said(prose), end < len(lines))))
        prose += [""] * (min(end, len(lines) - 1) - index + 1)
        index = end + 1
    return blocks, prose + [""] * (len(lines) - index)


def _end(lines: list[str], start: int, mark: str) -> int:
    """The line that closes a fence, or the count of lines."""
    for index in range(start, len(lines)):
        text = lines[index].strip().lstrip("> ")
        if text.startswith(mark) and not text.strip(mark[0]):
            return index
    return len(lines)


def _without(line: str, width: int) -> str:
    """The line without so many spaces at its beginning."""
    text = line[:width].expandtabs(4) + line[width:]
    space = len(text) - len(text.lstrip(" "))
    return text[min(width, space) :]


def _block(number: int, info: str, inside: list[str], line: int, around: tuple[str, bool]) -> Block:
    said, closed = around
    words = info.replace(":", " ").replace(",", " ").split()
    tag = words[0] if words else ""
    text = "\n".join(inside)
    file = _named(info.replace("=", " ").replace('"', " ")) or _first_line(inside) or said
    language = language_of_tag(tag) or (language_of_file(file) if file else "")
    if language or tag:
        return Block(number, tag, language, text, line, file, closed)
    return Block(number, tag, guessed(text), text, line, file, closed, guessed=True)


def _first_line(inside: list[str]) -> str:
    found = _COMMENTED.match(inside[0][:200]) if inside else None
    return found[1] if found else ""


def _said(prose: list[str]) -> str:
    """The name of a file in a line that introduces the block: `app.py`: or a heading."""
    last = next((line.strip() for line in reversed(prose[-2:]) if line.strip()), "")[:200]
    is_title = last.startswith(("#", "**", "`", "File", "*")) or last.endswith(("**", "`:", "`"))
    return _named(last) if is_title and len(last) < 80 and (last.endswith((":", "`", "*")) or last.startswith("#")) else ""


def _named(text: str) -> str:
    found = [name for name in _FILE.findall(text) if not name.lower().startswith(_NO_FILES) and language_of_file(name)]
    return found[0] if len(found) == 1 else ""


def _whole(text: str) -> str:
    """The language of an answer that is nothing but code."""
    language = guessed(text)
    if language not in ("html", "sql"):
        return language
    return language if text.lstrip()[:1] == "<" or text.rstrip()[-1:] in ";)" else ""
