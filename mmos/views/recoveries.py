"""Keeps what a run has tried against its failures: which cure for which failure, and whether it helped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmos.events import CallRepaired
from mmos.messages import Message
from mmos.recovery_events import RecoveryBegun, RecoveryJudged, RecoverySuggested

RETRY = "suggest_retry_with_changes"
OTHER_MODEL = "other_model"
MARK = "recovery-"
"""So begins the id of a recovery."""
_ADVICE = re.compile(rf"/{MARK}\d+/(?:advice|restated)")
"""What the address of the lane of an adviser has. The name of a participant that a tool makes may begin with the mark, too."""


@dataclass
class Attempt:
    """One recovery: what failed, the cure that was found, and what came of it."""

    begun: RecoveryBegun
    suggested: RecoverySuggested | None = None
    judged: RecoveryJudged | None = None

    @property
    def is_open(self) -> bool:
        return self.judged is None

    @property
    def changes(self) -> Mapping[str, Any]:
        """What a retry changes, as long as it counts."""
        if (
            self.suggested is None
            or self.suggested.suggestion not in (RETRY, OTHER_MODEL)
            or not (self.judged is None or self.judged.helped)
        ):
            return {}
        return self.suggested.arguments


@dataclass
class Recoveries:
    """The recoveries of a run, oldest first."""

    attempts: dict[str, Attempt] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Attempt]:
        return iter(self.attempts.values())

    @property
    def next_id(self) -> str:
        return f"{MARK}{len(self.attempts) + 1}"

    @property
    def calls_at_rest(self) -> set[str]:
        """The calls that have failed, and are not made again yet: somebody is asked what to do, or the caller gets the advice."""
        return {
            attempt.begun.call
            for attempt in self
            if attempt.is_open and (attempt.suggested is None or attempt.suggested.suggestion != RETRY)
        }

    def of_exchange(self, lane: str) -> list[Attempt]:
        return [attempt for attempt in self if attempt.begun.lane == lane and not attempt.begun.call]

    def of_call(self, call: str) -> list[Attempt]:
        return [attempt for attempt in self if attempt.begun.call == call] if call else []

    def changes_of_exchange(self, lane: str) -> Mapping[str, Any]:
        """What the newest retry of this exchange changes."""
        return _newest_changes(self.of_exchange(lane)) if self.attempts else {}

    def changes_of_call(self, call: str) -> Mapping[str, Any]:
        """What the newest retry of this call changes."""
        return _newest_changes(self.of_call(call)) if self.attempts else {}

    def faults(self) -> Iterator[Message]:
        """The texts of all failures, as results of the calls that failed. An adviser has read them, and its caller perhaps has not."""
        for attempt in self:
            begun, why = attempt.begun, attempt.judged.why if attempt.judged else ""
            for text in filter(None, (begun.report or begun.detail, why)):
                yield Message("tool", text, tool_name=begun.tool, call_id=begun.call)

    def refused(self, digest: str) -> bool:
        """Whether this has been tried, and did not help."""
        return any(
            attempt.suggested is not None
            and attempt.suggested.digest == digest
            and attempt.judged is not None
            and not attempt.judged.helped
            for attempt in self
        )

    def apply(self, event: RecoveryBegun | RecoverySuggested | RecoveryJudged) -> None:
        if isinstance(event, RecoveryBegun):
            self.attempts[event.recovery] = Attempt(event)
        elif (attempt := self.attempts.get(event.recovery)) is None:
            return  # the journal of a stranger may lack its beginning
        elif isinstance(event, RecoverySuggested):
            attempt.suggested = event
        else:
            attempt.judged = event

    def documents(self) -> list[dict[str, Any]]:
        """What the result document says of each cure that was tried."""
        return [
            {
                "failure": attempt.begun.failure, "role": attempt.begun.role, "tool": attempt.begun.tool or None, "code": attempt.begun.code,
                "suggestion": attempt.suggested.suggestion, "arguments": dict(attempt.suggested.arguments), "by": attempt.suggested.by,
                "helped": attempt.judged.helped if attempt.judged else None, "why": attempt.judged.why if attempt.judged else "",
            }
            for attempt in self
            if attempt.suggested is not None
        ]  # fmt: skip


def _newest_changes(attempts: list[Attempt]) -> Mapping[str, Any]:
    return next((attempt.changes for attempt in reversed(attempts) if attempt.changes), {})


def is_advice(lane: str) -> bool:
    """Whether a lane belongs to a recovery. A failure there is not recovered."""
    return _ADVICE.search(lane) is not None


def version_of(arguments: Mapping[str, Any], repairs: Iterable[CallRepaired]) -> int:
    """Which of its arguments a call has after its repairs. 0: those that it had before a recovery gave it other ones."""
    forms, newest = [arguments], 0
    for repair in repairs:
        if repair.tool:
            forms = forms if repair.stage == "recovery" else []
            forms += [] if repair.arguments in forms else [repair.arguments]
            newest = forms.index(repair.arguments)
    return newest
