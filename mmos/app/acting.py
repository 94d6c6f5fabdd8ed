"""Classifies the task of a run, tries the rules on it, and turns a rule or a choice into options of the run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import Any

from mmos.app.choosing import Chooser, kept, missed
from mmos.app.lifecycle import RunOptions
from mmos.app.source import Source
from mmos.app.task_rules import TaskRules
from mmos.app.wiring import ARBITER
from mmos.catalog.known import KnownModel
from mmos.choice.classifier import Classification
from mmos.choice.facts import Tried, facts_of
from mmos.choice_events import TaskRouted
from mmos.config.routing_schema import Rule
from mmos.messages import Message
from mmos.names import same_model
from mmos.participant.cast import Cast
from mmos.prompting.budget import estimate
from mmos.selection.candidate import Task, key_of
from mmos.selection.checker import is_named

UNKEPT = ("text",)
"""Facts that the journal does not keep again."""


@dataclass(frozen=True)
class Draft:
    """What a choice has come to so far."""

    event: TaskRouted
    warnings: tuple[str, ...] = ()

    def with_(self, *warnings: str, **changes: Any) -> Draft:
        return Draft(replace(self.event, **changes), (*self.warnings, *warnings))


@dataclass(frozen=True)
class Acting:
    """The choice for one run."""

    source: Source
    rules: TaskRules
    chooser: Chooser
    options: RunOptions
    chance: Random

    @cached_property
    def cast(self) -> Cast:
        return self.source.cast(self.options)

    async def route(self, message: Message) -> Draft:
        found = self.source.classify(message.content)
        facts = _facts(message, found)
        tried = self.rules.compiled.tried(facts)
        draft = Draft(self._event(facts, found, tried))
        met = tried[-1] if tried and tried[-1].holds else None
        if chosen := _by_user(self.options):
            return draft.with_(choice=chosen, by="user", acted=True, why=("the options of the run name who answers",))
        if met is not None:
            number = [*self.rules.by_number][met.number - 1]
            return await self._by_rule(draft, self.rules.by_number[number], f"rule {number}: {met.condition}")
        if self.options.strategy == "intelligent":
            return await self._chosen(draft)
        return draft.with_(why=("no rule is met",))

    def _event(self, facts: Mapping[str, Any], found: Classification, tried: Sequence[Tried]) -> TaskRouted:
        kept = {name: value for name, value in facts["task"].items() if name not in UNKEPT}
        numbers = [*self.rules.by_number]
        rules = tuple({"number": numbers[one.number - 1], "condition": one.condition, "holds": one.holds} for one in tried)
        answering = self.cast[self.options.answering].role
        return TaskRouted(
            facts["task"]["type"], found.complexity, found.confidence, kept, rules, self.options.strategy or "",
            key=key_of(answering.name, answering.model),
        )  # fmt: skip

    # ---------------------------------------------------------------- rules

    async def _by_rule(self, draft: Draft, rule: Rule, why: str) -> Draft:
        draft = draft.with_(by="rules", why=(why,))
        if not self.rules.is_enforced(rule, self.options):
            return draft.with_(choice=_named(rule), advice=_advice(rule))
        if rule.strategy == "intelligent":
            return await self._chosen(draft.with_(strategy="intelligent"))
        draft = await self._consulting(draft, rule)
        draft = await self._with_model(draft, rule.model) if rule.model else draft
        if rule.strategy:
            draft = _acting(draft, rule.strategy, strategy=rule.strategy).with_(strategy=rule.strategy)
        return draft

    async def _consulting(self, draft: Draft, rule: Rule) -> Draft:
        """The arbiter must consult the specialist that the rule names, or the first of several that a host can serve."""
        names = [rule.specialist] if rule.specialist else rule.prefer
        if not names:
            return draft
        if self.options.consult:
            return draft.with_(why=(*draft.event.why, "the options of the run name who must be consulted"))
        await self.source.fleet.census()
        able = [name for name in names if name in self.cast[ARBITER].consults and not self._fault(name)]
        if not able:
            why = self._fault(names[0]) or f"the arbiter has no tool that consults {names[0]}"
            text = f"MMOS cannot do what a rule says: nobody can be consulted of {', '.join(names)}. {why}"
            return draft.with_(text, why=(*draft.event.why, "nobody that it names can be consulted"))
        return _acting(draft, able[0], consult=able[0]).with_(advice={"must": able[0]})

    def _fault(self, name: str) -> str:
        """Why no host can serve a role. Empty: one can, as far as is known."""
        if name not in self.cast:
            return f"there is no role {name}"
        faults = [self.source.fleet.faults(choice.role.model, choice.role.servers) for choice in self.cast[name].choices]
        return "" if any(not fault for fault in faults) else str(next(iter(faults[0].values())))

    async def _with_model(self, draft: Draft, name: str) -> Draft:
        """The arbiter answers with the model that the rule names."""
        if ARBITER in (self.options.roles or {}):
            return draft.with_(why=(*draft.event.why, "the options of the run name the model of the arbiter"))
        role = self.cast[ARBITER].role
        model = model_named(await self.source.models(), name)
        there = [host for host in model.hosts if not self.source.fleet.faults(model.name, (host,))] if model else []
        if model is None or not there:
            text = f"MMOS cannot do what a rule says: no host can serve {name}. {role.model} answers."
            return draft.with_(text, why=(*draft.event.why, f"no host can serve {name}"))
        is_usual = any(not role.servers or host in role.servers for host in there)
        spelled = name if same_model(name, model.name) else model.name  # a key is no name that a host knows
        place = spelled if is_usual else f"{spelled}@{there[0]}"
        return _acting(draft, spelled, roles={**(self.options.roles or {}), ARBITER: place}).with_(key=key_of(ARBITER, spelled))

    # ---------------------------------------------------------------- a choice

    async def _chosen(self, draft: Draft) -> Draft:
        """Whoever fits the task answers alone. If nobody can tell, the arbiter answers as usual."""
        event = draft.event
        if event.type is None:
            return draft.with_(by="none", acted=False, why=(*event.why, "the class of the task is not sure, so the arbiter answers"))
        facts = event.facts
        task = Task(
            event.type, event.complexity, facts["context_tokens"], facts["requires_speed"], facts["needs_tools"], facts["needs_vision"],
            "images" in facts,
        )  # fmt: skip
        choice = await self.chooser.choose(self.cast, task, self.chance)
        draft = draft.with_(*missed(choice), candidates=kept(choice), propensity=choice.propensity, by=choice.by)
        if choice.chosen is None:
            return draft.with_(by="none", why=(*event.why, *choice.why, "so the arbiter answers"))
        chosen = choice.chosen.candidate
        changes: dict[str, Any] = {}
        if chosen.role != ARBITER:
            changes = {"role_only": chosen.role} if chosen.role else {"model": chosen.model, "roles": {}}
            changes["stand_ins"] = [row.candidate.role for row in choice.rows[1:] if row.candidate.role and not row.out]
        return _acting(draft, chosen.name, **changes).with_(key=chosen.key, why=(*event.why, *choice.why))


def _facts(message: Message, found: Classification) -> dict[str, dict[str, Any]]:
    """The facts about a task, with what its files add."""
    facts = {name: dict(values) for name, values in facts_of(message.content, found).items()}
    task, files = facts["task"], message.files
    task["context_tokens"] += round(sum(estimate(file.text) for file in files))
    if any(file.image for file in files):
        task |= {"needs_vision": True, "images": True, "needs": [*task["needs"], *(["vision"] if "vision" not in task["needs"] else [])]}
    return facts


def _acting(draft: Draft, choice: str, **options: Any) -> Draft:
    event = draft.event
    return draft.with_(choice=event.choice or choice, acted=True, options={**event.options, **options})


def _by_user(options: RunOptions) -> str:
    """Who answers because the user said so. Empty: the user left it open."""
    return options.model or options.role_only or (ARBITER if options.strategy == "single" else "")


def _named(rule: Rule) -> str:
    return rule.specialist or ", ".join(rule.prefer) or rule.model or rule.strategy or ""


def _advice(rule: Rule) -> dict[str, Any]:
    """What the rule suggests, by its keys."""
    return {name: value for name in ("specialist", "prefer", "model", "strategy") if (value := getattr(rule, name))}


def model_named(models: Collection[KnownModel], name: str) -> KnownModel | None:
    """The model that a name or a key means."""
    found = [model for model in models if is_named(model, name)]
    return next((model for model in found if same_model(model.name, name)), found[0] if found else None)
