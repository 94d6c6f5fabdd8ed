"""Defines the answer that a run returns to its caller."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mmos.errors import MmosError
from mmos.events import Reason, Status
from mmos.views.document import document, exit_code
from mmos.views.run import RunView


class RunFailed(MmosError):
    """A run ended without an answer, and its caller required one."""

    code = "run_failed"


SHOWN = 40
"""Characters of an answer that its `repr` shows."""


@dataclass(frozen=True)
class Answer:
    """How a run ended: its text, its status and its view.

    Example::

        answer = await app.run("Why does the build fail?")
        if answer.status == "answered":
            print(answer.text)
        else:
            print(answer.status, answer.reason.code, answer.reason.message, answer.reason.next)
    """

    text: str | None
    """The answer; None when there is none. Of a `partial` run, the text so far."""
    status: Status
    """"answered", "partial", "waiting" (a model asked the user), "failed" or "cancelled"."""
    run: str
    """The id of the run, for `App.resume`, `App.answer` and `mmos runs show`."""
    thread: str
    """The id of its thread, for the `thread` of the next run."""
    reason: Reason | None
    """Why there is no answer: `code`, `message` and `next`, the next step. None when the run was answered."""
    view: RunView = field(repr=False)
    """The whole run, made from its journal entries."""

    def __repr__(self) -> str:
        text = self.text if self.text is None or len(self.text) <= SHOWN else f"{self.text[: SHOWN - 1]}…"
        return f"Answer({text!r}, status={self.status!r}, run={self.run!r})"

    @classmethod
    def of(cls, view: RunView) -> Answer:
        return cls(view.answer, view.status or "failed", view.run, view.thread, view.reason, view)

    @property
    def data(self) -> Any:
        """The JSON value of the answer, if `RunOptions.schema` asked for one."""
        return self.view.data

    @property
    def sources(self) -> list[dict[str, Any]]:
        """The passages of the library that models were given, first those that the answer cites: see `sources` of the result document."""
        return self.view.passages.documents(self.text)

    @property
    def usage(self) -> dict[str, Any]:
        """What the run cost: turns, model calls, tokens, seconds, and model loads."""
        usage: dict[str, Any] = self.document()["usage"]
        return usage

    @property
    def exit_code(self) -> int:
        """The exit code that `mmos run` would have: 0 answered, 1 failed, 3 waiting, 4 no host, 5 a limit, 130 cancelled."""
        return exit_code(self.status, self.reason.code if self.reason else None)

    def document(self) -> dict[str, Any]:
        """The result document, as `--json` prints it."""
        return document(self.view)

    def raise_for_status(self) -> None:
        """Raise `RunFailed` unless the run was answered."""
        if self.status != "answered":
            reason = self.reason or Reason("internal", f"The run is {self.status}.")
            raise RunFailed(f"{self.status}: {reason.message}", next_step=reason.next)
