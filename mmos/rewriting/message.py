"""Reads the message of a commit out of an answer: a short first line, and a body with lines of usual length."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

SUBJECT = 72
"""The most characters of the first line."""
WIDTH = 72

_FENCE = re.compile(r"\A\s*(`{3,}|~{3,})[^\n]*\n(.*?)\n\1\s*\Z", re.DOTALL)
_INSIDE = re.compile(r"^(`{3,}|~{3,})[^\n]*\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE)
_LABEL = re.compile(r"\A(?:commit message|message|subject|title)\s*:\s*", re.IGNORECASE)
_INTRODUCES = re.compile(r"\A(?:sure|certainly|of course|okay|here(?:'s|’s| is)|below is)\b[^\n]*\n", re.IGNORECASE)
_ITEM = re.compile(r"\s*(?:[-*+•]|\d+[.)])\s")


class NoMessage(Exception):
    """An answer that has no message of a commit. Its text is a sentence for the model."""


@dataclass(frozen=True)
class CommitMessage:
    """What a commit says."""

    subject: str
    body: str = ""

    def __str__(self) -> str:
        return f"{self.subject}\n\n{self.body}" if self.body else self.subject


def message_of(answer: str, *, shorten: bool = False) -> CommitMessage:
    """The message in an answer. `shorten`: a first line that is too long goes on in the body. Otherwise it raises `NoMessage`."""
    lines = [line.rstrip() for line in _bare(answer).splitlines()]
    if not lines:
        raise NoMessage("The message is empty.")
    subject, body = _subject(lines[0]), "\n".join(lines[1:]).strip("\n")
    if not subject:
        raise NoMessage("The first line of the message is empty.")
    if len(subject) > SUBJECT:
        if not shorten:
            raise NoMessage(f"The first line has {len(subject)} characters. At most {SUBJECT} are allowed.")
        subject, rest = _parted(subject)
        body = f"{rest}\n\n{body}" if body else rest
    return CommitMessage(subject, wrapped(body))


def _bare(answer: str) -> str:
    """The answer without a fence, words that introduce it, and quotes."""
    text = answer.replace("\r\n", "\n").strip()
    introduced = _INTRODUCES.match(text)
    whole = _FENCE.match(text) or (_INSIDE.search(text) if introduced else None)
    if whole:
        text = whole[2].strip()
    elif introduced:
        text = text[introduced.end() :].strip()
    text = _LABEL.sub("", text).strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`":
        text = text[1:-1].strip()
    return text


def _subject(line: str) -> str:
    line = re.sub(r"\A#+\s+", "", line.strip()).strip("*` ")
    return " ".join(line.split()).removesuffix(".")


def _parted(subject: str) -> tuple[str, str]:
    """A first line that fits, and the words that do not."""
    head = subject[: SUBJECT - 1]
    cut = head.rfind(" ") if " " in head else len(head)
    return f"{head[:cut].rstrip(',;:')}…", f"…{subject[cut:]}"


def wrapped(body: str) -> str:
    """The body with lines of usual length. Lists and indented lines keep their form."""
    paragraphs = re.split(r"\n{2,}", body.strip("\n"))
    return "\n\n".join(_wrapped(paragraph) for paragraph in paragraphs if paragraph.strip())


def _wrapped(paragraph: str) -> str:
    lines = paragraph.split("\n")
    if all(len(line) <= WIDTH for line in lines):
        return paragraph
    if any(_ITEM.match(line) or line.startswith((" ", "\t")) for line in lines):
        return "\n".join(part for line in lines for part in _item(line))
    return textwrap.fill(" ".join(lines), WIDTH, break_long_words=False, break_on_hyphens=False)


def _item(line: str) -> list[str]:
    mark = _ITEM.match(line)
    indent = " " * len(mark[0] if mark else line[: len(line) - len(line.lstrip())])
    return textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False) or [line]
