"""Reads a part of a long text as a model should: it quotes the sentences that have to do with the request, and answers from such quotations."""

from __future__ import annotations

import re

from mmos.rehearsal.prompt import OPENING, Prompt, quoted

PART = re.compile(r"\AThe request:\n(?=<{3,}\n)")
NOTES = re.compile(r"\bthese are (?:the )?notes on\b", re.IGNORECASE)
UNREAD = re.compile(r"These parts could not be read[^\n]*")
NOTHING = "NOTHING"
SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+(?=\s|\Z)|\n|\Z)")
WORD = re.compile(r"[^\W_]{3,}")
COMMON = frozenset(
    [
        "the",
        "and",
        "for",
        "are",
        "was",
        "what",
        "which",
        "who",
        "where",
        "when",
        "how",
        "many",
        "much",
        "does",
        "did",
        "find",
        "give",
        "list",
        "name",
        "show",
        "tell",
        "count",
        "say",
        "there",
        "that",
        "this",
        "with",
        "from",
        "all",
        "any",
        "every",
        "text",
        "book",
        "document",
        "about",
        "please",
        "have",
        "has",
        "been",
        "they",
        "them",
        "their",
        "its",
        "into",
        "not",
        "you",
        "can",
        "could",
        "would",
    ]
)
MOST = 12
"""Sentences that are quoted of one part."""


def note(prompt: Prompt) -> str | None:
    """What a reader of one part writes: sentences of the part, word for word, or that there are none. None: it is no part."""
    if not PART.match(prompt.user_text):
        return None
    request, rest = quoted(prompt.user_text)
    if NOTES.search(rest):
        return "\n".join(_quotations(rest)) or NOTHING
    before, (text, task) = "", quoted(rest)
    if OPENING.search(task):  # what it wrote for the part before
        before, (text, task) = text, quoted(task)
    if "Write only the result" in task:
        return text
    so_far = [line for line in before.splitlines() if line != NOTHING]
    return "\n".join(dict.fromkeys([*so_far, *passages(request, text)])) or NOTHING


def from_notes(prompt: Prompt) -> str | None:
    """The answer from the notes on a text. None: there are no notes."""
    if not NOTES.search(prompt.user_text) or PART.match(prompt.user_text):
        return None
    found = _quotations(NOTES.split(prompt.user_text, maxsplit=1)[1])
    missing = UNREAD.findall(prompt.user_text)
    return "\n".join(["The text says:", *found, *missing]) if found else "\n".join(["The text says nothing about it.", *missing])


def from_documents(prompt: Prompt) -> str | None:
    """The answer from passages of documents, with their numbers. None: no passage has words of the task."""
    best = [
        (len(_stems(prompt.task) & _stems(sentence)), -number, f"{sentence} [{number}]")
        for number, text in prompt.documents.items()
        for sentence in passages(prompt.task, text)
    ]
    return max(best)[2] if best else None


def passages(request: str, text: str) -> list[str]:
    """The sentences that have most words of the request."""
    wanted = _stems(request)
    if not wanted:
        return []
    least = len(wanted) // 2 + 1
    sentences = [found.group().strip() for found in SENTENCE.finditer(text)]
    return list(dict.fromkeys(sentence for sentence in sentences if len(wanted & _stems(sentence)) >= least))[:MOST]


def _stems(text: str) -> frozenset[str]:
    """Its words without endings, without those that stand in every text."""
    return frozenset(word.rstrip("s") for word in WORD.findall(text.lower()) if word not in COMMON)


def _quotations(text: str) -> list[str]:
    """The lines of all quoted texts, each once."""
    lines: list[str] = []
    while opening := OPENING.search(text):
        inner, rest = quoted(text)
        lines += [line for line in inner.splitlines() if line.strip() and line.strip() != NOTHING]
        text = rest if inner else text[opening.end() :]
    return list(dict.fromkeys(lines))
