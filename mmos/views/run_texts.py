"""Builds the texts of a run that the library keeps: the task, the answer, what specialists answered, and long texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from mmos.events import ArtifactKept, CallFinished, Entry, Event, Forked, RunFinished, RunResumed, RunStarted, RunWithdrawn

ENDS: tuple[str, ...] = tuple(event.kind for event in (RunFinished, RunWithdrawn, RunResumed))
"""The kinds of events that change whether a run has texts."""
KINDS: tuple[str, ...] = (RunStarted.kind, Forked.kind, CallFinished.kind, ArtifactKept.kind, *ENDS)
"""The kinds of events that the texts are made of."""

TITLE = 80
"""The most characters of a title."""
_TASK, _ANSWER = "task", "answer"


@dataclass
class RunTexts:
    """What the library keeps of one run."""

    run: str
    task: str = ""
    rehearsed: bool = False
    ended: float = 0.0
    """When it ended, in seconds since 1970."""
    has_ended: bool = False
    withdrawn: bool = False
    answer: str = ""
    results: list[tuple[str, str]] = field(default_factory=list)
    """The tool that a model called, and what a specialist answered."""
    artifacts: dict[str, ArtifactKept] = field(default_factory=dict)
    _thread: str = ""

    @classmethod
    def of(cls, run: str, entries: Iterable[Entry]) -> RunTexts:
        """The texts that are the run's own. The past of a fork belongs to the run that it was forked from."""
        texts, shared = cls(run), 0
        for entry in entries:
            if isinstance(entry.event, Forked):
                shared = entry.event.until
        for entry in entries:
            if entry.seq > shared or isinstance(entry.event, Forked):
                texts._apply(entry)
        return texts

    def _apply(self, entry: Entry) -> None:
        event: Event = entry.event
        match event:
            case RunStarted(task=task, rehearsed=rehearsed) | Forked(task=task, rehearsed=rehearsed):
                self.task, self.rehearsed, self._thread = task, rehearsed, entry.thread
            case RunResumed():
                self.has_ended = False
            case RunFinished(answer=answer):
                self.has_ended, self.answer, self.ended = True, answer or "", entry.time
            case RunWithdrawn() if entry.thread == self._thread:
                self.withdrawn = True
            case CallFinished(ok=True, tool=tool, message=message) if text := _answer_in(message.content):
                self.results.append((tool, text))
            case ArtifactKept(artifact=name):
                self.artifacts[name] = event

    @property
    def counts(self) -> bool:
        """Whether the library keeps it. A run that is at work, or that the user took back, is not kept."""
        return self.has_ended and not self.withdrawn and bool(self.task)

    @property
    def title(self) -> str:
        """The first words of the task."""
        line = " ".join(self.task[: 4 * TITLE].split())
        return line if len(line) <= TITLE else f"{line[:TITLE].rpartition(' ')[0] or line[:TITLE]} …"

    @property
    def text(self) -> str:
        """The task, then what specialists answered, then the answer. Long texts that have a source of their own stand there."""
        answer = self._with_references(self.answer)
        parts = [(_TASK, self.task), *((tool, text) for tool, text in self.results if text not in answer), (_ANSWER, answer)]
        return "\n\n".join(f"# {name}\n\n{text.strip()}" for name, text in parts if text.strip()) + "\n"

    def _with_references(self, text: str) -> str:
        for name, artifact in self.artifacts.items():
            if artifact.text:
                text = text.replace(artifact.text, f"artifact:{self.run}/{name}")
        return text


def _answer_in(content: str) -> str:
    """What a specialist answered, from the document that its caller reads. Empty: the result of another tool."""
    if not content.startswith("{"):
        return ""
    try:
        document: Mapping[str, object] = orjson.loads(content)
    except orjson.JSONDecodeError:
        return ""
    response = document.get("response")
    return response if isinstance(response, str) and "success" in document else ""
