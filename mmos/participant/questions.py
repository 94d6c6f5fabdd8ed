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
        events = scope.view.questions.values()
        event = next((event for event in events if (event.call, event.text) == (call, question.text)), None)
        if event is None:
            event = _event(scope, question, call)
            scope.record(event)
            await scope.durable()
        if event.question not in scope.view.answers:
            with scope.pulse:
                answer = await self._answer(event)
            scope.record(answer)
            await scope.durable()
        return scope.view.answers[event.question].text

    async def _answer(self, question: QuestionAsked) -> QuestionAnswered:
        if self.policy == "ask" and self.answerer is not None:
            async with self._turn:  # one question at a time at a terminal
                return QuestionAnswered(question.question, clean(await self.answerer(question)), "user")
        if self.policy == "wait":
            raise QuestionOpen(f"{question.role} asks: {question.text}", question=question.question)
        if self.policy != "default":
            raise QuestionUnanswered(f"{question.role} asks: {question.text}")
        if question.default is None:
            raise ToolError(self.templates.fill("nobody_answers"), code="question_unanswered")
        return QuestionAnswered(question.question, question.default, "default")


def _event(scope: Scope, question: UserQuestion, call: str) -> QuestionAsked:
    name = f"q{len(scope.view.questions) + 1}"
    return QuestionAsked(name, scope.lane, scope.role, call, question.text, question.form, question.options, question.default)
