"""Lets a pattern stand in place of a model: it answers, or it advises the model that acts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from mmos.context import Answer, Context, Halt
from mmos.errors import NoHost, ToolError
from mmos.fences import Fenced
from mmos.messages import Message
from mmos.names import pattern_named
from mmos.participant.cast import Member, PlainRole, Role
from mmos.participant.loop import Exchange, NextExchange
from mmos.pattern_events import PatternAdvised, PatternAnswered
from mmos.patterns.carrying import carry, id_of
from mmos.patterns.gathering import Gathering
from mmos.patterns.plan import Contributor, Plan
from mmos.patterns.work import Form, Outcome
from mmos.prompting.budget import estimate
from mmos.prompting.digest import digest
from mmos.retelling import history_for
from mmos.scope import Hint, Scope
from mmos.views.patterns import PATTERN

CHAINED = ("sequential", "specialized")
"""Forms whose result is the advice. Of the others, each member gives advice of its own."""
SHARE = 0.5
"""The part of a window that what was said before may take."""


@dataclass
class Spoken:
    """What the user has heard of the result while it was written."""

    listener: Callable[[Hint], None] | None
    text: str = ""

    def __call__(self, hint: Hint) -> None:
        self.text = "" if hint.kind == "restart" else self.text + (hint.text if hint.kind == "token" else "")
        if self.listener is not None:
            self.listener(hint)

    def end(self, scope: Scope, text: str) -> None:
        """Let the user hear the result, if it is another text than what was heard."""
        if self.text.strip() == text.strip():
            return
        if self.text:
            scope.hint("restart")
        scope.hint("token", text)


class Plans(Protocol):
    """The patterns that there are."""

    def plan(self, name: str) -> Plan: ...
    def acting(self, name: str) -> Role:
        """The role of the model that acts for a pattern: no pattern stands for it."""
        ...


@dataclass(frozen=True)
class Standing:
    """Carries out the patterns that stand in place of models."""

    plans: Plans

    async def exchange(self, exchange: Exchange, go_on: NextExchange) -> Answer:
        """Let the models of a role answer in their order, each model or the pattern in its place."""
        before, others = _parted(exchange.member)
        if before is not None:
            try:
                return await go_on(replace(exchange, member=before))
            except NoHost:
                return await self.exchange(replace(exchange, member=others), go_on)
        try:
            return await self._stand(replace(exchange, member=others), go_on)
        except (NoHost, ToolError) as error:
            if not others.others:
                raise
            exchange.scope.warn(f"The pattern {others.role.pattern} gave no answer, so {others.others[0].model} answers. {error.message}")
            return await self._next(exchange, others.choices[1:], go_on)

    async def _next(self, exchange: Exchange, choices: Sequence[Member], go_on: NextExchange) -> Answer:
        first, *rest = choices
        exchange = replace(exchange, member=replace(first, others=tuple(one.role for one in rest)))
        return await (self.exchange(exchange, go_on) if any(one.role.pattern for one in choices) else go_on(exchange))

    async def _stand(self, exchange: Exchange, go_on: NextExchange) -> Answer:
        role, scope = exchange.member.role, exchange.scope
        exchange = self._with_acting_model(exchange, role.pattern)
        if scope.exchange.last.role != "user" or scope.lane in scope.view.patterns.advice:
            return await go_on(exchange)  # it goes on after a crash, or answers again
        plan = self.plans.plan(role.pattern)
        if plan.advise or exchange.member.box:
            await self._advise(exchange, advising(plan))
        else:
            await self._answer(exchange, plan)
        return await go_on(exchange)

    async def _answer(self, exchange: Exchange, plan: Plan) -> None:
        scope = exchange.scope
        spoken = Spoken(scope.listener)
        context = Context(scope.bind(listener=spoken), exchange.room, PATTERN)
        outcome = await _carried(context, plan, self._told(exchange, plan))
        spoken.end(scope, outcome.text)
        scope.record(PatternAnswered(scope.lane, Message("assistant", outcome.text), exchange.member.role.name, id_of(context)))

    async def _advise(self, exchange: Exchange, plan: Plan) -> None:
        """Let the members give advice. Without any, the model that acts still answers."""
        scope, context = exchange.scope, Context(exchange.scope, exchange.room, PATTERN)
        form = None if plan.shape in CHAINED else Gathering()
        try:
            outcome = await _carried(context, plan, self._told(exchange, plan), form, aloud=False)
            advice = self._advice(exchange, plan, outcome)
        except (NoHost, ToolError) as error:
            scope.warn(f"The pattern {plan.name} gave {exchange.member.role.name} no advice. {error.message}")
            advice = ""
        scope.record(PatternAdvised(scope.lane, advice, exchange.member.role.name, id_of(context)))

    def _with_acting_model(self, exchange: Exchange, name: str) -> Exchange:
        """The exchange with a model, where a participant has only the name of the pattern."""
        role = exchange.member.role
        if not pattern_named(role.model):
            return exchange
        acting = self.plans.acting(name)
        moved = PlainRole(
            role.name, acting.model, acting.servers, acting.window, acting.channel, {**acting.options, **role.options}, acting.think,
            acting.keep_alive, role.timeout, pattern=name,
        )  # fmt: skip
        return replace(exchange, member=replace(exchange.member, role=moved))

    @staticmethod
    def _told(exchange: Exchange, plan: Plan) -> Message:
        """The task, after what was said before in the conversation."""
        message, scope = exchange.scope.exchange.messages[0], exchange.scope
        before = "" if scope.depth else history_for(scope, plan.templates, tokens=exchange.member.role.window * SHARE, own=False)
        return replace(message, content=f"{before}\n\n{message.content}") if before else message

    @staticmethod
    def _advice(exchange: Exchange, plan: Plan, outcome: Outcome) -> str:
        """What the acting model reads of the members. Together it fills at most a part of the window."""
        members = exchange.scope.view.patterns.by_id[id_of(Context(exchange.scope, exchange.room, PATTERN))].members.values()
        lanes = exchange.scope.conversation.lanes
        texts = [(one.name, lanes[exchange.scope.run, one.lane].newest_text()) for one in members if one.status == "answered" and one.lane]
        if plan.shape in CHAINED or not texts:
            texts = [(plan.name, outcome.text)]
        room = exchange.member.role.window * SHARE / len(texts)
        short = [(name, text if estimate(text) <= room else digest(text)) for name, text in texts]
        told = "\n\n".join(plan.templates.fill("advice_of", name=name, text=text) for name, text in short)
        return plan.templates.fill("advice", advice=Fenced(told))


async def _carried(context: Context, plan: Plan, message: Message, form: Form | None = None, *, aloud: bool = True) -> Outcome:
    try:
        return await carry(context, plan, message, form, aloud=aloud)
    except Halt:
        raise context.halts[0] from None


def _parted(member: Member) -> tuple[Member | None, Member]:
    """The member with its models before the first pattern, if there are any, and with the others."""
    choices = member.choices
    place = next(number for number, one in enumerate(choices) if one.role.pattern)
    before = replace(member, others=tuple(one.role for one in choices[1:place])) if place else None
    return before, replace(choices[place], others=tuple(one.role for one in choices[place + 1 :]))


def advising(plan: Plan) -> Plan:
    """The pattern without the member that acts: the others advise it."""
    acting, members = acting_of(plan), plan.members
    others = tuple(one for one in members if one != acting) or members
    return replace(plan, members=others, validate=False, advise=True)


def acting_of(plan: Plan) -> Contributor:
    """The member whose model acts: the aggregator, else the last of a sequence, else the first."""
    return plan.aggregator or plan.members[-1 if plan.shape == "sequential" else 0]
