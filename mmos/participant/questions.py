"""Takes models' questions to the user, and applies the run's policy when the user is not there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from mmos.answers import answer_to, at_deadline, is_overdue, this_user
from mmos.approval import ApprovalQuestion, newest_approval
from mmos.context import UserAnswer, UserQuestion
from mmos.errors import QuestionOpen, QuestionUnanswered, ToolError, UsageError
from mmos.events import Event, QuestionAnswered, QuestionAsked
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

    async def ask(self, scope: Scope, question: UserQuestion, *, call: str) -> UserAnswer:
        """The user's answer: an earlier one from the journal, or a new one. Raises `QuestionOpen` when the run has to wait for it."""
        event = _earlier(scope, question, call)
        if event is None:
            event = _event(scope, question, call)
            scope.record(event)
            await scope.durable()
        earlier = scope.view.answers.get(event.question)
        if earlier is None or earlier.imported:
            with scope.pulse:
                facts = await self._answer(event, scope.journal.now())
            for fact in facts:
                scope.record(fact)
            await scope.durable()
        return taken(event, scope.view.answers[event.question], self.templates)

    async def _answer(self, question: QuestionAsked, now: float) -> Sequence[Event]:
        """The answer, and a warning if it is the default because of a deadline."""
        if is_overdue(question, now):
            return at_deadline(question)
        if self.policy == "ask" and self.answerer is not None:
            return await self._ask_in_time(self.answerer, question, None if question.deadline is None else question.deadline - now)
        if self.policy == "wait":
            raise QuestionOpen(f"{question.role} asks: {question.text}", question=question.question)
        if self.policy != "default":
            raise QuestionUnanswered(f"{question.role} asks: {question.text}")
        if question.default is None:
            raise ToolError(self.templates.fill("nobody_answers"), code="question_unanswered")
        return [QuestionAnswered(question.question, question.default, "default")]

    async def _ask_in_time(self, answerer: Answerer, question: QuestionAsked, seconds: float | None) -> Sequence[Event]:
        try:
            async with asyncio.timeout(seconds) as limit, self._turn:  # one question at a time at a terminal
                text = await answerer(question)
        except TimeoutError:
            if not limit.expired():
                raise
            return at_deadline(question)
        try:
            return [answer_to(question, clean(text), this_user())]
        except UsageError as error:
            raise QuestionUnanswered(f"{question.role} asks: {question.text} {error}") from error


def taken(question: QuestionAsked, answer: QuestionAnswered, templates: Templates) -> UserAnswer:
    """The answer as a tool gets it. Raises `ToolError` if nobody answered in time and there is no default."""
    if answer.by == "deadline" and question.default is None:
        raise ToolError(templates.fill("nobody_in_time"), code="question_unanswered")
    return UserAnswer(answer.text, answer.by, answer.file)


def _earlier(scope: Scope, question: UserQuestion, call: str) -> QuestionAsked | None:
    """The same question, asked before a pause or a crash. A request for approval is the same only as long as its basis is."""
    if isinstance(question, ApprovalQuestion):
        newest = newest_approval(scope, call)
        return newest if newest is not None and newest.digest == question.digest else None
    asked = (event for event in scope.view.questions.values() if (event.call, event.text) == (call, question.text))
    return next((event for event in asked if not event.imported or _is_alike(event, question)), None)


def _is_alike(event: QuestionAsked, question: UserQuestion) -> bool:
    """Whether an imported question has the form, the options, the default and the end that it has here."""
    here = (question.form, question.options, question.default, question.deadline is None)
    return (event.form, event.options, event.default, event.deadline is None) == here


def _event(scope: Scope, question: UserQuestion, call: str) -> QuestionAsked:
    deadline = None if not isinstance(question.deadline, float) else scope.journal.now() + question.deadline
    event = QuestionAsked(
        f"q{len(scope.view.questions) + 1}", scope.lane, scope.role, call, question.text, question.form, question.options,
        question.default, deadline,
    )  # fmt: skip
    return replace(event, digest=question.digest, basis=question.basis) if isinstance(question, ApprovalQuestion) else event
