"""Finds a text in what users, models and tools said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from mmos import events
from mmos.events import Entry, Event

SEARCHED_KINDS = (
    "run_started", "model_replied", "call_started", "call_finished", "artifact_kept", "question_asked", "question_answered", "run_rated",
    "run_finished",
)  # fmt: skip

AROUND = 60
"""Characters that a hit shows on each side of the text."""

_ESCAPED_IN_JSON = re.compile(r'["\\\x00-\x1f]+')
_RESPONSE = "response"


@dataclass(frozen=True)
class Hit:
    """A place where the text stands."""

    entry: Entry
    role: str
    """Who said it: a role, a tool, or `user`."""
    kind: str
    """`task`, `reply`, `call`, `result`, `answer`, `question` or `note`."""
    text: str
    """All of what was said there."""
    context: str
    """The text with some words around it."""


@dataclass(frozen=True)
class Search:
    """A text to find. Capitals do not matter."""

    text: str

    @cached_property
    def _folded(self) -> str:
        return self.text.casefold()

    @cached_property
    def _part(self) -> str:
        """The longest part that stands in JSON as it is."""
        return max(_ESCAPED_IN_JSON.split(self._folded), key=len)

    def may_fit(self, data: str) -> bool:
        """Whether an event with this JSON may have the text. For most events this says no, without reading them."""
        return self._part in data.casefold()

    def hits(self, entry: Entry) -> Iterator[Hit]:
        for role, kind, text in _said(entry.event):
            place = text.casefold().find(self._folded)
            if place >= 0:
                yield Hit(entry, role, kind, text, self._context(text, place))

    def _context(self, text: str, place: int) -> str:
        if len(text.casefold()) != len(text):  # `ß` becomes two characters: look for the place in the text itself
            found = re.search(re.escape(self.text), text, re.IGNORECASE)
            place = found.start() if found else min(place, len(text))
        start, end = max(0, place - AROUND), place + len(self.text) + AROUND
        return f"{'…' if start else ''}{text[start:end]}{'…' if end < len(text) else ''}"


def _said(event: Event) -> Iterator[tuple[str, str, str]]:
    """Who said what in an event."""
    match event:
        case events.RunStarted(task=task):
            yield "user", "task", task
        case events.ModelReplied(role=role, message=message):
            yield role, "reply", message.content
        case events.CallStarted(role=role, tool=tool, arguments=arguments):
            yield role, "call", f"{tool}: {_as_words(arguments)}"
        case events.CallFinished(tool=tool, message=message):
            yield tool, "result", _response(message.content)
        case events.ArtifactKept(role=role, text=text):
            yield role or "tool", "result", text
        case events.QuestionAsked(role=role, text=text, options=options):
            yield role, "question", " / ".join([text, *options])
        case events.QuestionAnswered(by=by, text=text):
            yield by, "answer", text
        case events.RunRated(note=note):
            yield "user", "note", note
        case events.RunFinished(answer=answer):
            yield "mmos", "answer", answer or ""


def _as_words(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value if isinstance(value, str) else orjson.dumps(value).decode()}" for name, value in arguments.items())


def _response(content: str) -> str:
    """The answer in the document that a specialist's result is. Of other results, the whole text."""
    if not content.startswith("{"):
        return content
    try:
        response = orjson.loads(content).get(_RESPONSE)
    except orjson.JSONDecodeError:
        return content
    return response if isinstance(response, str) else content
