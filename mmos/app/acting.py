"""Classifies the task of a run, tries the rules on it, and turns the rule that it meets into options of the run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mmos.app.draft import Draft
from mmos.app.lifecycle import RunOptions
from mmos.app.means import Means
from mmos.app.source import Source
from mmos.app.system_texts import ARBITER
from mmos.app.task_rules import TaskRules, is_enforced
from mmos.choice.classifier import Classification
from mmos.choice.facts import Tried, facts_of
from mmos.choice_events import TaskRouted, key_of
from mmos.config.routing_schema import Rule
from mmos.messages import Message
from mmos.participant.cast import Cast
from mmos.prompting.budget import estimate

UNKEPT = ("text",)
"""Facts that the journal does not keep again."""


@dataclass(frozen=True)
class Acting:
    """The choice for one run."""

    source: Source
    rules: TaskRules
    options: RunOptions
    choose: Callable[[Draft, Cast], Awaitable[Draft]]
    """Chooses whoever fits the task."""

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
            return await self.choose(draft, self.cast)
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
        if not is_enforced(self.rules.routing, rule, self.options):
            return draft.with_(choice=_named(rule), advice=_advice(rule))
        if rule.strategy == "intelligent":
            return await self.choose(draft.with_(strategy="intelligent"), self.cast)
        if rule.pattern:
            return draft.acting(rule.pattern, pattern=rule.pattern)
        draft = await self._consulting(draft, rule)
        draft = await self._with_model(draft, rule.model) if rule.model else draft
        if rule.strategy:
            draft = draft.acting(rule.strategy, strategy=rule.strategy).with_(strategy=rule.strategy)
        return draft

    async def _consulting(self, draft: Draft, rule: Rule) -> Draft:
        """The arbiter must consult the specialist that the rule names, or the first of several that a host can serve."""
        names = [rule.specialist] if rule.specialist else rule.prefer
        if not names:
            return draft
        if self.options.consult:
            return draft.with_(why=(*draft.event.why, "the options of the run name who must be consulted"))
        able, why = await Means(self.source, self.cast).specialist(names)
        if not able:
            text = f"MMOS cannot do what a rule says: nobody can be consulted of {', '.join(names)}. {why}"
            return draft.with_(text, why=(*draft.event.why, "nobody that it names can be consulted"))
        return draft.acting(able, consult=able).with_(advice={"must": able})

    async def _with_model(self, draft: Draft, name: str) -> Draft:
        """The arbiter answers with the model that the rule names."""
        if ARBITER in (self.options.roles or {}):
            return draft.with_(why=(*draft.event.why, "the options of the run name the model of the arbiter"))
        role = self.cast[ARBITER].role
        served = await Means(self.source, self.cast).model(name)
        if served is None:
            text = f"MMOS cannot do what a rule says: no host can serve {name}. {role.model} answers."
            return draft.with_(text, why=(*draft.event.why, f"no host can serve {name}"))
        place = served.model if served.servers == role.servers else f"{served.model}@{served.servers[0]}"
        roles = {**(self.options.roles or {}), ARBITER: place}
        return draft.acting(served.model, roles=roles).with_(key=key_of(ARBITER, served.model))


def _facts(message: Message, found: Classification) -> dict[str, dict[str, Any]]:
    """The facts about a task, with what its files add."""
    facts = {name: dict(values) for name, values in facts_of(message.content, found).items()}
    task, files = facts["task"], message.files
    task["context_tokens"] += round(sum(estimate(file.text) for file in files))
    if any(file.image for file in files):
        task |= {"needs_vision": True, "images": True, "needs": [*task["needs"], *(["vision"] if "vision" not in task["needs"] else [])]}
    return facts


def _by_user(options: RunOptions) -> str:
    """Who answers because the user said so. Empty: the user left it open."""
    pattern = options.pattern if isinstance(options.pattern, str) else "a pattern" if options.pattern else ""
    return options.model or options.role_only or pattern or (ARBITER if options.strategy == "single" else "")


def _named(rule: Rule) -> str:
    return rule.specialist or ", ".join(rule.prefer) or rule.model or rule.strategy or rule.pattern or ""


def _advice(rule: Rule) -> dict[str, Any]:
    """What the rule suggests, by its keys."""
    return {name: value for name in ("specialist", "prefer", "model", "strategy", "pattern") if (value := getattr(rule, name))}
