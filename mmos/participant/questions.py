"""Takes models' questions to the user, and applies the run's policy when the user is not there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from mmos.context import UserQuestion
from mmos.errors import QuestionOpen, QuestionUnanswered, ToolError
from mmos.events import QuestionAnswered, QuestionAsked
from mmos.messages import clean
from mmos.prompting.templates import Templates
from mmos.scope import Scope

OnQuestion = Literal["ask", "fail", "default", "wait"]
Answerer = Callable[[QuestionAsked], Awaitable[str]]


@dataclass(frozen=True)
class Desk:
    """Asks the user, takes the default, waits, or fails, as the run's policy says."""

    policy: OnQuestion = "fail"
    answerer: Answerer | None = None
    templates: Templates = field(default_factory=Templates)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False, compare=False)

    @property
    def reachable(self) -> bool:
        """Whether the user can answer, now or later."""
        return self.policy == "wait" or (self.policy == "ask" and self.answerer is not None)

    async def ask(self, scope: Scope, question: UserQuestion, *, call: str) -> str:
        """The user's answer: an earlier one from the journal, or a new one. Raises `QuestionOpen` when the run has to wait for it."""
        known = scope.view.questions.values()
        asked = next((asked for asked in known if (asked.call, asked.text) == (call, question.text)), None)
        if asked is None:
            asked = _asked(scope, question, call)
            scope.record(asked)
            await scope.durable()
        if asked.question not in scope.view.answers:
            with scope.pulse:
                answered = await self._answered(asked)
            scope.record(answered)
            await scope.durable()
        return scope.view.answers[asked.question].text

    async def _answered(self, asked: QuestionAsked) -> QuestionAnswered:
        if self.policy == "ask" and self.answerer is not None:
            async with self._turn:  # one question at a time at a terminal
                return QuestionAnswered(asked.question, clean(await self.answerer(asked)), "user")
        if self.policy == "wait":
            raise QuestionOpen(f"{asked.role} asks: {asked.text}", question=asked.question)
        if self.policy != "default":
            raise QuestionUnanswered(f"{asked.role} asks: {asked.text}")
        if asked.default is None:
            raise ToolError(self.templates.fill("nobody_answers"), code="question_unanswered")
        return QuestionAnswered(asked.question, asked.default, "default")


def _asked(scope: Scope, question: UserQuestion, call: str) -> QuestionAsked:
    name = f"q{len(scope.view.questions) + 1}"
    return QuestionAsked(name, scope.lane, scope.role, call, question.text, question.form, question.options, question.default)
