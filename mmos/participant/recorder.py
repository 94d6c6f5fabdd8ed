"""Records one request to a model: what was asked, each attempt that failed, and the reply."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from mmos.errors import HostError, HostTimeout
from mmos.events import ModelAsked, ModelFailed, ModelReplied
from mmos.fleet.fleet import Ask, Fleet
from mmos.messages import Message, Reply
from mmos.scope import Scope


@dataclass(frozen=True)
class Recorder:
    """One request while it is under way."""

    scope: Scope
    asked: ModelAsked
    partial: Callable[[], str]
    """Takes the text that had come of an attempt when it failed."""
    begun: float

    @classmethod
    def begin(cls, scope: Scope, asked: ModelAsked, partial: Callable[[], str] = str) -> Recorder:
        scope.record(asked)
        scope.hint("turn")
        return cls(scope, asked, partial, scope.clock())

    async def serve(self, fleet: Fleet, ask: Ask, seconds: float | None = None) -> Reply:
        """The fleet's reply. A wait for a model counts as progress."""
        try:
            async with asyncio.timeout(seconds) as limit:
                with self.scope.pulse:
                    return await fleet.serve(ask)
        except TimeoutError as error:
            if not limit.expired():
                raise
            model = self.asked.model
            self.failed("", "host_timeout", f"No reply within {seconds:g} s.")
            raise HostTimeout(f"{model} did not answer within {seconds:g} s.", model=model) from error
        except asyncio.CancelledError:
            self.failed("", "cancelled", "The call was cancelled.")
            raise

    @staticmethod
    def name(scope: Scope) -> str:
        """The id of the next request."""
        return f"a{scope.view.asked + 1}"

    def failed(self, host: str, code: str, detail: str) -> None:
        asked = self.asked
        self.scope.record(ModelFailed(asked.ask, asked.lane, asked.role, asked.model, host, code, detail, self.partial()))

    def attempt_failed(self, host: str, error: HostError) -> None:
        self.failed(host, error.code, error.message)

    def replied(self, reply: Reply, message: Message) -> None:
        """Record the message that came of the reply."""
        asked, seconds = self.asked, round(self.scope.clock() - self.begun, 6)
        usage, why = reply.usage, reply.placement
        self.scope.record(
            ModelReplied(asked.ask, asked.lane, asked.role, asked.model, reply.host, message, usage, reply.done_reason, seconds, why)
        )
