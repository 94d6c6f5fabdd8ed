"""Records one request to a model: what was asked, each attempt that failed, and the reply."""

from __future__ import annotations

from dataclasses import dataclass

from mmos.errors import HostError
from mmos.events import ModelAsked, ModelFailed, ModelReplied
from mmos.fleet.fleet import Observer
from mmos.messages import Message, Reply
from mmos.prompting.frame import Frame
from mmos.scope import Scope


@dataclass
class Recorder(Observer):
    """One request while it is under way."""

    scope: Scope
    asked: ModelAsked
    frame: Frame

    def begin(self) -> None:
        if self.asked.frame not in self.scope.view.frames:
            self.scope.record(self.frame.fact)
        self.scope.record(self.asked)
        self.scope.hint("turn")
        self._begun = self.scope.clock()

    @staticmethod
    def name(scope: Scope) -> str:
        """The id of the next request."""
        return f"a{scope.view.requests + 1}"

    def failed(self, host: str, error: HostError) -> None:
        self.ended(host, error.code, error.message)

    def ended(self, host: str, code: str, detail: str) -> None:
        """Record that an attempt gave no reply."""
        asked = self.asked
        self.scope.record(ModelFailed(asked.ask, asked.lane, asked.role, asked.model, host, code, detail, self.heard()))

    def heard(self) -> str:
        """Take the text that has come of this attempt."""
        return ""

    def rescued(self, error: HostError) -> Reply | None:  # noqa: ARG002  # one that can use a failed reply looks at it
        """What can be used of a failed reply."""
        return None

    def replied(self, reply: Reply, message: Message) -> None:
        """Record the message that came of the reply."""
        asked, seconds = self.asked, round(self.scope.clock() - self._begun, 6)
        usage, why = reply.usage, reply.placement
        self.scope.record(
            ModelReplied(asked.ask, asked.lane, asked.role, asked.model, reply.host, message, usage, reply.done_reason, seconds, why)
        )
