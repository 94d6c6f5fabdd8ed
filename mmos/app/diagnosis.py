"""Defines a diagnosis: why something failed, the lines that show it, and what to try."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from mmos.app.log import Log
from mmos.diagnosis.endings import explained, signal_of
from mmos.diagnosis.log import Line
from mmos.diagnosis.profile import Profile
from mmos.diagnosis.reply import Suggestion
from mmos.diagnosis.verdict import Verdict
from mmos.events import Reason
from mmos.plurals import counted
from mmos.views.document import exit_code

VERSION = 1


@dataclass(frozen=True)
class Failure:
    """What failed, and its log."""

    kind: Literal["command", "log", "run", "step"]
    name: str
    """The command, the file, the id of the run, or the name of the step."""
    log: Log
    code: int | None = None
    """The exit code of a command."""
    good: Profile | None = None
    """The shapes of the lines of a log of the same command when it passed."""

    @property
    def title(self) -> str:
        if self.kind != "command":
            return f"{self.kind} {self.name}"
        name = signal_of(self.code)
        return f"{self.name} failed with exit code {self.code}{f' ({name})' if name else ''}"

    @property
    def ending(self) -> str:
        """What the exit code tells. Empty: nothing more than that it failed."""
        return explained(self.code, self.name) if self.kind == "command" else ""


@dataclass(frozen=True)
class Diagnosis:
    """Why something failed.

    Example::

        diagnosis = await app.diagnose(log=Path("build.log"))
        print(diagnosis.cause, diagnosis.confidence)
        for line in diagnosis.evidence:
            print(line.number, line.text)
    """

    failure: Failure
    rules: Verdict
    """What is known of it without a model."""
    cause: str | None
    """One sentence. None: nobody knows."""
    evidence: tuple[Line, ...]
    """The lines of the log that show it, as they stand there. Secrets are masked."""
    suggestions: tuple[Suggestion, ...] = ()
    """What to try, the best first."""
    confidence: float = 0.0
    more: str = ""
    """What would make the model more certain."""
    by: str = ""
    """Who found the cause: "rules", or the model. Empty: nobody."""
    run: str | None = None
    """The run that asked the model."""
    reason: Reason | None = None
    """Why no model explains it. None also when no model was to be asked."""
    asked: str = ""
    """The model that was asked, and its host."""
    lines: int = 0
    """The lines of the whole log."""

    @property
    def category(self) -> str | None:
        """The kind of failure, if a rule knows it."""
        return self.rules.category

    @property
    def cure(self) -> str:
        """What is known to help, if a rule knows the failure."""
        return self.rules.cure

    @property
    def exit_code(self) -> int:
        """The exit code of `mmos diagnose`, unless it ran a command."""
        return exit_code("failed", self.reason.code) if self.reason else 0

    def text(self, where: str = "") -> str:
        """All of it, as people read it. `where`: the place in a source file, if it is known."""
        return "\n".join(self._text(where))

    def document(self) -> dict[str, Any]:
        """All of it, as `--json` prints it."""
        reason = self.reason
        return {
            "version": VERSION,
            "failed": True,
            "kind": self.failure.kind,
            "name": self.failure.name,
            "exit_code": self.failure.code,
            "signal": signal_of(self.failure.code),
            "category": self.category,
            "cause": self.cause,
            "evidence": [{"line": line.number, "text": line.text} for line in self.evidence],
            "suggestions": [each.document() for each in self.suggestions],
            "cure": self.cure or None,
            "confidence": self.confidence,
            "more": self.more or None,
            "by": self.by or None,
            "rules": self.rules.to_json(),
            "asked": self.asked or None,
            "run": self.run,
            "reason": {"code": reason.code, "message": reason.message, "next": reason.next} if reason else None,
            "lines": self.lines,
        }

    def _text(self, where: str) -> Iterator[str]:
        if self.category and self.by != "rules":
            yield f"Known failure: {self.category}. {self.rules.cause or ''}".rstrip()
            yield from self._cure()
        if self.cause:
            yield f"Cause: {self.cause} {self._certainty()}"
        else:
            yield "The cause is not known." + ("" if self.evidence else " The log shows nothing that names one.")
        if self.failure.ending and not self.category:
            yield self.failure.ending
        if self.evidence:
            yield f"Evidence, of {counted(self.lines, 'line')}:" if self.cause else "The lines that most likely name it:"
            yield from evidence_lines(self.evidence)
        if where:
            yield f"Where: {where}"
        if self.by == "rules":
            yield from self._cure()
        yield from self._tries()
        if self.more:
            yield f"More certain with: {self.more}"
        if self.asked and self.by != self.asked:
            yield f"{self.asked} names no cause that the log supports."
        if self.reason:
            yield f"No model explains it: {_ended(self.reason.message)} {self.reason.next}".rstrip()

    def _certainty(self) -> str:
        known = f"{self.category}, " if self.category and self.by == "rules" else ""
        return f"({known}confidence {self.confidence:.0%}, {self.by})"

    def _cure(self) -> Iterator[str]:
        if self.cure:
            yield f"What helps: {self.cure}"

    def _tries(self) -> Iterator[str]:
        if self.suggestions:
            yield "To try:"
        for number, each in enumerate(self.suggestions, 1):
            yield f"  {number}. {each.text}"
            if each.command and each.command != each.text:
                yield f"     {each.command}"


def _ended(sentence: str) -> str:
    """The sentence with an end. The message of an error may have none."""
    return sentence if sentence.endswith((".", "!", "?", ":")) else f"{sentence}."


def evidence_lines(evidence: tuple[Line, ...]) -> Iterator[str]:
    width = max((len(str(line.number)) for line in evidence), default=0)
    return (f"  {line.number:>{width}} | {line.text}" for line in evidence)
