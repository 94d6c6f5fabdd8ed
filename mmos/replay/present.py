"""Defines what a run would have today: its participants, its limits and the texts of its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NoReturn

from mmos.config.phases import Phases
from mmos.context import Answer, Participant, Question, UserAnswer, UserQuestion
from mmos.errors import ToolError
from mmos.executor import Execution, Next
from mmos.messages import Message, ToolCall
from mmos.participant.ending import answer_of
from mmos.participant.loop import Participants
from mmos.participant.questions import taken
from mmos.placement.forecasting import Order
from mmos.recovery.words import advised
from mmos.replay.state import NotKeptError, RunState
from mmos.scope import Limits, Scope
from mmos.toolbox import Tool, Toolbox


class AskedError(BaseException):
    """A tool asks a participant. It is no `Exception`, so no tool and no rung takes it for a fault."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.name)
        self.question = question


@dataclass(frozen=True)
class Present:
    """What a run with certain options would have today."""

    participants: Participants
    limits: Limits
    house: Collection[str]
    """The names of the built-in tools. Only these run in a replay."""
    final: Callable[[Scope, str], Awaitable[str]]
    """The answer that the user gets of the text that answers."""
    phases: Phases = field(default_factory=Phases)

    @classmethod
    def of(
        cls, participants: Participants, limits: Limits, house: Collection[str], final: Callable[[Scope, str], Awaitable[str]]
    ) -> Present:
        """The present, in which no function of the user can run."""
        cast = {name: replace(member, box=_harmless(member.box, house)) for name, member in participants.cast.items()}
        return cls(replace(participants, cast=cast, box=_harmless(participants.box, house)), limits, house, final)

    def room(self, state: RunState, *, asks: bool = False) -> Recalled:
        """Who answers tools in a replay. `asks`: a question of a tool ends it, with `AskedError`."""
        return Recalled(**{spec.name: getattr(self.participants, spec.name) for spec in fields(Participants)}, state=state, asks=asks)


PresentOf = Callable[[Mapping[str, Any]], Awaitable[Present]]
"""Makes the present of a run with these options."""


def _harmless(box: Toolbox, house: Collection[str]) -> Toolbox:
    """The tools, of which those of the user do nothing."""
    return Toolbox.of(tool if tool.name in house else _stub(tool) for tool in box)


def _stub(tool: Tool) -> Tool:
    return replace(tool, run=_no_run, after_crash=_no_outcome if callable(tool.after_crash) else tool.after_crash, preview=None)


async def _no_run(_context: object, _arguments: object) -> NoReturn:
    raise NotKeptError("a function of yours runs only once")


async def _no_outcome(_arguments: object) -> NoReturn:
    raise NotKeptError("a function of yours runs only once")


@dataclass(frozen=True)
class Recalled(Participants):
    """The participants of a run, who answer as they did."""

    state: RunState = field(kw_only=True)
    asks: bool = False

    async def ask(self, scope: Scope, question: Question, *, call: str) -> Answer:
        self._member(question)
        if scope.depth >= scope.limits.depth:
            raise ToolError(self.templates.fill("nested_too_deep", depth=str(scope.limits.depth)))
        if self.asks:
            raise AskedError(question)
        opened = [one for one in self.state.opened.values() if (one.call, one.parent, one.role) == (call, scope.lane, question.name)]
        if question.named:
            opened = [one for one in opened if one.key.partition("~")[0] == question.key]
        lane = self.state.lane(opened[-1].lane) if opened else None
        if lane is not None and lane.status == "answered":
            return replace(answer_of(lane.last, question.shape), lane=opened[-1].lane)
        if lane is not None and lane.status == "partial" and lane.newest_text():
            return Answer(lane.newest_text(), complete=False, lane=opened[-1].lane)
        raise NotKeptError("the journal does not have the error of a participant")

    async def ask_user(self, scope: Scope, question: UserQuestion, *, call: str) -> UserAnswer:
        answers = scope.view.answers
        asked = [event for event in scope.view.questions.values() if event.call == call and event.question in answers]
        if not asked:
            raise NotKeptError("the user gave no answer")
        event = next((event for event in asked if event.text == question.text), asked[-1])
        return taken(event, answers[event.question], self.templates)

    def slots(self, who: str | Participant) -> int:  # noqa: ARG002
        return 1

    async def order(self, whos: Iterable[str | Participant], joiner: str) -> Order:  # noqa: ARG002
        return "any"  # nobody is asked, so nothing is loaded

    async def interpret(self, scope: Scope, text: str, *, role: str) -> tuple[ToolCall, ...] | str:  # noqa: ARG002
        raise NotKeptError("the interpreter is not asked again")

    async def cure(self, execution: Execution, go_on: Next) -> str:
        """The result with the advice that it got, if any. A retry of the call is in the journal as a repair."""
        try:
            return await go_on(execution)
        except ToolError as error:
            view = execution.scope.view
            raise advised(error, view.recoveries.of_call(execution.call.id), view, self.templates) from None

    async def clarify(self, scope: Scope, call: ToolCall, box: Toolbox, fault: str) -> ToolCall | None:  # noqa: ARG002
        """A call that was clarified has a repair in the journal, and is not clarified again."""
        return None


def brief(message: Message) -> str:
    """A message to a participant as a reader compares it: its text and the names of its files."""
    return "\n".join([message.content, *(f"[file {file.name}]" for file in message.files)])
