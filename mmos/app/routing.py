"""Says who works on the task of a run, before the run begins: by the user's options, the rules of the configuration, or a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from mmos.app.lifecycle import RunOptions
from mmos.app.source import Source
from mmos.app.system_texts import ARBITER
from mmos.app.task_rules import TaskRules
from mmos.choice_events import RuleMet, TaskRouted
from mmos.config.routing_schema import answering
from mmos.errors import UsageError
from mmos.messages import Message
from mmos.participant.ruled import FOR_ALL
from mmos.scope import Scope
from mmos.views.run import RunView

if TYPE_CHECKING:
    from mmos.app.choosing import Chooser
    from mmos.app.draft import Draft
    from mmos.app.ruling import Ruling, TurnRules
    from mmos.participant.cast import Cast


@dataclass(frozen=True)
class Routed:
    """The options with which a run begins, and what the journal keeps of the choice."""

    options: RunOptions
    given: RunOptions
    """Those that the user and the configuration gave, without the choice."""
    event: TaskRouted | None = None
    """None: nobody asked what kind of task it is."""
    warnings: tuple[str, ...] = ()

    def record(self, scope: Scope) -> None:
        if self.event is not None:
            scope.record(self.event)
        for text in self.warnings:
            scope.warn(text)


class Router:
    """Routes the tasks of an app. What it learns from outcomes it reads from the journal."""

    def __init__(self, source: Source) -> None:
        self._source = source
        defaults = source.config.orchestration.defaults
        self._default = answering(defaults.strategy)
        self._usual = defaults.pattern or "" if self._default or defaults.strategy is None else defaults.strategy
        self._rules = TaskRules(source.config.orchestration.routing)
        self._turn_rules: TurnRules | None = None
        self._chooser: Chooser | None = None

    def defaulted(self, options: RunOptions) -> RunOptions:
        """The options with the strategy of the configuration, unless they say who answers."""
        if self._default is None or options.strategy is not None or options.model or options.role_only or options.pattern:
            return options
        return replace(options, strategy=self._default)

    def usual(self, options: RunOptions) -> str:
        """The pattern of the configuration that answers if nothing else says who does. Empty: the arbiter answers."""
        is_said = options.model or options.role_only or options.pattern or options.consult or options.tools or options.strategy == "single"
        return "" if is_said else self._usual

    def concerns(self, options: RunOptions) -> bool:
        """Whether anybody wants to know what kind of task a run has."""
        return bool(self._rules.by_number) or self._rules.later_need_task or options.strategy == "intelligent"

    def ruling(self, options: RunOptions) -> Ruling | None:
        """What tries the rules about a run. None: there are none, or the arbiter does not answer, or the user said that it does."""
        if not self._rules.later or options.answering != ARBITER or options.role_only:
            return None
        from mmos.app.ruling import Ruling, TurnRules  # few configurations have such rules

        if self._turn_rules is None:
            self._turn_rules = TurnRules(self._rules.routing)
        return Ruling(self._source, self._turn_rules, options)

    async def route(self, run: str, message: Message, options: RunOptions) -> Routed:
        """Who works on the task, as the options, the rules or a choice say. A run that nobody routes has only its options."""
        options = self.defaulted(options)
        _check(options)
        usual = self.usual(options)
        if not self.concerns(options):
            options = replace(options, pattern=usual) if usual else options
            return Routed(options, options)
        from mmos.app.acting import Acting  # the classifier is not needed before

        draft = await Acting(self._source, self._rules, options, partial(self._choose, Random(run))).route(message)
        if usual and not draft.event.acted:
            why = (*draft.event.why, "the configuration names this pattern for all other runs")
            draft = draft.with_(choice=usual, by="none", advice={}, why=why).acting(usual, pattern=usual)
        return Routed(_with(options, draft.event.options), options, draft.event, draft.warnings)

    async def _choose(self, chance: Random, draft: Draft, cast: Cast) -> Draft:
        if self._chooser is None:
            from mmos.app.choosing import Chooser  # the selector is not needed before

            self._chooser = Chooser(self._source)
        return await self._chooser.choose(draft, cast, chance)


def _check(options: RunOptions) -> None:
    """Raise if the options say in two ways who answers."""
    named = f"the model {options.model}" if options.model else f"the role {options.role_only}" if options.role_only else ""
    named = named or (f"the pattern {_name(options.pattern)}" if options.pattern else "")
    if options.strategy == "intelligent" and named:
        raise UsageError(f"The strategy intelligent chooses who answers, but {named} is set, too.", next_step="Leave one of them out.")
    if options.strategy == "single" and (options.role_only or options.pattern):
        raise UsageError(
            f"With the strategy single, a model answers without a role, but {named} is set, too.", next_step="Leave one of them out."
        )
    if options.consult and options.answering != ARBITER:
        raise UsageError(f"The arbiter must consult {options.consult}, but it does not answer.", next_step="Leave `consult` out.")


def _name(pattern: str | Mapping[str, Any]) -> str:
    return pattern if isinstance(pattern, str) else str(pattern.get("pattern"))


def unheeded(view: RunView) -> str:
    """A warning, if a rule bound the arbiter to consult somebody, and it answered without. Empty: all is well."""
    if view.status != "answered":
        return ""
    must = view.route.advice.get("must") if view.route else None
    if must and not _consultations(view, must):
        return f"A rule says that the arbiter must consult {must} first, and it answered without that."
    rule = view.rules.acted("must")
    return _unheeded(view, rule) if rule is not None else ""


def _unheeded(view: RunView, rule: RuleMet) -> str:
    """The same for a rule about the run, and if the consultation failed."""
    name = rule.advice["must"]
    made = _consultations(view, name, rule.calls)
    if not made:
        return f"Rule {rule.number} says that the arbiter must consult {name}, and it answered without that."
    ends = [view.finished_calls.get(call) for call in made]
    failed = all(end is not None and not end.ok for end in ends)
    return f"Rule {rule.number} says that the arbiter must consult {name}. The consultation failed, and the run went on." if failed else ""


def _consultations(view: RunView, name: object, after: int = 0) -> list[str]:
    """The calls that consult a specialist, without the first calls of the run."""
    own, calls = f"consult_{name}_specialist", [*view.started_calls.values()][after:]
    return [call.call for call in calls if call.tool == own or (call.tool == FOR_ALL and call.arguments.get("specialist") == name)]


def _with(options: RunOptions, changes: Mapping[str, Any]) -> RunOptions:
    return RunOptions.of_facts({**options.as_facts(), **changes}) if changes else options
