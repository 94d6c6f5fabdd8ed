"""Tries the rules about what happens in a run, before each turn of the arbiter, and records the one that has become true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from mmos.app.lifecycle import RunOptions
from mmos.app.means import Means
from mmos.app.source import Source
from mmos.app.system_texts import ARBITER
from mmos.app.task_rules import is_enforced
from mmos.choice.responses import response_facts
from mmos.choice_events import RuleMet, RulesChanged, TaskRouted
from mmos.config.moments import moment_of
from mmos.config.routing_schema import Routing, Rule
from mmos.config.rules import Facts, compile_rule
from mmos.config.rules import Rule as Condition
from mmos.fleet.condition import condition
from mmos.participant.ruled import RUN_PATTERN
from mmos.scope import Scope
from mmos.views.run import RunView

MOST_VALUES = 20
"""Parts of a list that the journal keeps of a fact."""
DIGITS = 6
"""The most digits of a number that people and models read. The first one that is not 0 begins them, so that a small number does not become 0."""
ACTIONS = ("specialist", "prefer", "model", "strategy", "pattern")


@dataclass(frozen=True)
class TurnRules:
    """The rules of a configuration about what happens in a run, compiled once."""

    routing: Routing

    @cached_property
    def by_number(self) -> Mapping[int, tuple[Rule, Condition]]:
        """By their place in the configuration."""
        pairs = [(rule, compile_rule(rule.condition)) for rule in self.routing.rules]
        return {number: (rule, test) for number, (rule, test) in enumerate(pairs, 1) if moment_of(test, rule.specialist) == "turn"}

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset[str]().union(*(test.names for _, test in self.by_number.values()))


@dataclass(frozen=True)
class Ruling:
    """The rules in one run."""

    source: Source
    rules: TurnRules
    options: RunOptions

    async def meet(self, scope: Scope) -> None:
        """Try the rules. The first that has become true counts, once for each time that it becomes true."""
        facts = self._facts(scope)
        holding = tuple(number for number, (_, test) in self.rules.by_number.items() if test.evaluate(facts))
        before = scope.view.rules.holding
        new = [number for number in holding if number not in before and self._can_follow(number, scope)]
        if new:
            scope.record(await self._met(new[0], facts, holding, scope))
        elif holding != before:
            scope.record(RulesChanged(holding))

    def _can_follow(self, number: int, scope: Scope) -> bool:
        """Whether the next turn can do what the rule says. In its last turn the arbiter can only answer, but another model can do that."""
        rule, _ = self.rules.by_number[number]
        return bool(rule.model) or not (scope.turns_left == 1 or scope.calls_left == 0)

    # ---------------------------------------------------------------- what is known now

    def _facts(self, scope: Scope) -> Facts:
        names, view = self.rules.names, scope.view
        facts: dict[str, dict[str, Any]] = {"run": run_facts(view), "task": {}, "response": {}, "host": {}}
        if view.route is not None:
            facts["task"] = {**view.route.facts, "text": view.task}
        if wanted := {name.partition(".")[2] for name in names if name.startswith("response.")}:
            facts["response"] = response_facts(view, scope.conversation, wanted)
        if any(name.startswith("host.") for name in names):
            facts["host"] = self._host(view)
        return facts

    def _host(self, view: RunView) -> dict[str, Any]:
        """The host that would serve the next request of the arbiter."""
        role = self.source.cast(self.options)[ARBITER].role
        moved = view.rules.moved
        model, servers = (moved.model, moved.servers or role.servers) if moved is not None else (role.model, role.servers)
        kinds = {name: server.kind for name, server in self.source.config.servers().items()}
        return condition(self.source.fleet, model, servers, kinds)

    # ---------------------------------------------------------------- what a rule does

    async def _met(self, number: int, facts: Facts, holding: tuple[int, ...], scope: Scope) -> RuleMet:
        rule, test = self.rules.by_number[number]
        values = {name: _value(facts, name) for name in sorted(test.names) if name != "task.text"}
        event = RuleMet(
            number, rule.condition, values, scope.lane, scope.exchange.turns, calls=len(scope.view.started_calls), holding=holding
        )
        if not is_enforced(self.rules.routing, rule, self.options):
            return replace(event, advice={name: value for name in ACTIONS if (value := getattr(rule, name))})
        event = await self._bound(event, rule, scope.view)
        if event.fault:
            scope.warn(f"MMOS cannot do what rule {number} says. {event.fault}")
        return event

    async def _bound(self, event: RuleMet, rule: Rule, view: RunView) -> RuleMet:
        """What MMOS does because of a rule that it enforces."""
        means = Means(self.source, self.source.cast(self.options))
        if names := [rule.specialist] if rule.specialist else rule.prefer:
            able, why = await means.specialist(names)
            if not able:
                event = replace(event, fault=f"Nobody can be consulted of {', '.join(names)}. {why}")
            else:
                event = replace(event, advice={"must": able}, acted=True)
        if rule.model:
            fixed = ARBITER in (self.options.roles or {}) and not _moves(view.route)
            fault = "The options of the run name the model of the arbiter."
            event = replace(event, fault=fault) if fixed else await self._moved(event, rule.model, means)
        if rule.pattern and RUN_PATTERN in means.cast[ARBITER].box:
            event = replace(event, advice={**event.advice, "use": rule.pattern}, acted=True)
        elif rule.pattern:
            event = replace(event, fault=f"The arbiter has no tool {RUN_PATTERN}.")
        if rule.strategy:
            event = replace(event, advice={**event.advice, "strategy": rule.strategy}, acted=True)
        return event

    async def _moved(self, event: RuleMet, name: str, means: Means) -> RuleMet:
        served = await means.model(name)
        if served is None:
            return replace(event, fault=f"No host can serve {name}.")
        elsewhere = () if served.servers == means.cast[ARBITER].role.servers else served.servers
        return replace(event, model=served.model, servers=elsewhere, acted=True)


def _moves(route: TaskRouted | None) -> bool:
    """Whether the rule that the task meets has named the model of the arbiter. A later rule may name another one."""
    roles = route.options.get("roles") if route is not None else None
    return isinstance(roles, Mapping) and ARBITER in roles


def run_facts(view: RunView) -> dict[str, Any]:
    """What has happened in a run so far."""
    return {
        "turns": view.turns,
        "calls": view.calls,
        "failures": sum(use.failed for use in view.tools.values()),
        "seconds": max(0.0, view.ended - view.started),
        "phase": view.phase or None,
    }


def _value(facts: Facts, name: str) -> Any:
    subject, _, attribute = name.partition(".")
    value = facts.get(subject, {}).get(attribute)
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    return [*value[:MOST_VALUES], "…"] if isinstance(value, list) and len(value) > MOST_VALUES else value
