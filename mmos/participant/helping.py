"""Asks the user what a role should do that gave no readable answer."""

from __future__ import annotations

from dataclasses import dataclass

from mmos.context import UserQuestion
from mmos.errors import NoAnswer
from mmos.events import Prompted
from mmos.messages import Message
from mmos.participant.ending import help_of
from mmos.participant.questions import Desk
from mmos.participant.turn import Turn
from mmos.prompting.templates import Templates
from mmos.scope import Scope

STOP = "stop"


@dataclass(frozen=True)
class Help:
    """The last step of an exchange that goes no further."""

    desk: Desk
    templates: Templates

    async def take(self, turn: Turn, scope: Scope) -> None:
        """One turn. If no turn gives a readable reply, the caller of a specialist gets an error. For the arbiter, MMOS asks the user for help."""
        try:
            await turn.take()
        except NoAnswer as error:
            if scope.depth or not self.desk.reachable:
                raise
            await self._ask(scope, UserQuestion(f"{error.message} What should it do? Answer {STOP} to end the run."))

    async def is_awaited(self, scope: Scope) -> bool:
        """Whether this turn waits for help from the user. If so, ask for it before anything more happens."""
        question = next(
            (question for question in scope.view.questions.values() if question.call == help_of(scope.lane, scope.exchange)), None
        )
        answer = scope.view.answers.get(question.question) if question else None
        if question is None or (answer and scope.exchange.last.content == self.templates.fill("user_says", answer=answer.text)):
            return False
        await self._ask(scope, UserQuestion(question.text))
        return True

    async def _ask(self, scope: Scope, question: UserQuestion) -> None:
        answer = await self.desk.ask(scope, question, call=help_of(scope.lane, scope.exchange))
        if answer.strip().lower() == STOP:
            error = NoAnswer(f"{scope.role} gave no answer that could be read, and you ended the run.")
            error.by_user = True
            raise error
        scope.record(Prompted(scope.lane, scope.role, Message("user", self.templates.fill("user_says", answer=answer))))
