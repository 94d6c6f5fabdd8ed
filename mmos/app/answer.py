"""What a run came to, for whoever asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmos.errors import MmosError
from mmos.events import Reason, Status
from mmos.views.document import document, exit_code
from mmos.views.run import RunView


class RunFailed(MmosError):
    """A run ended without an answer, and its caller wanted one."""

    code = "run_failed"


@dataclass(frozen=True)
class Answer:
    """The end of a run: text, status, and where to look for the rest."""

    text: str | None
    status: Status
    run: str
    thread: str
    reason: Reason | None
    view: RunView

    @classmethod
    def of(cls, view: RunView) -> Answer:
        return cls(view.answer, view.status or "failed", view.run, view.thread, view.reason, view)

    @property
    def usage(self) -> dict[str, Any]:
        usage: dict[str, Any] = self.document()["usage"]
        return usage

    @property
    def exit_code(self) -> int:
        return exit_code(self.status, self.reason.code if self.reason else None)

    def document(self) -> dict[str, Any]:
        """The result document, as `--json` prints it."""
        return document(self.view)

    def raise_for_status(self) -> None:
        if self.status != "answered":
            reason = self.reason or Reason("internal", f"The run is {self.status}.")
            raise RunFailed(f"{self.status}: {reason.message}", next_step=reason.next)
