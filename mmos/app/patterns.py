"""Makes plans of the patterns that a configuration has, that are built in, or that a run describes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from mmos.app.system_texts import ARBITER, MODEL
from mmos.config import ready_patterns
from mmos.config.library_schema import PatternRag
from mmos.config.load import Config
from mmos.config.model_keys import named
from mmos.config.patterns_schema import SHAPES, Pattern, PatternMember
from mmos.config.roles import Need, ResolvedRole, meeting
from mmos.config.windows import DEFAULT_WINDOW
from mmos.config.wording import perhaps
from mmos.context import Participant
from mmos.errors import UsageError
from mmos.names import pattern_called, pattern_named
from mmos.patterns.insight import Insight, NoInsight
from mmos.patterns.plan import Contributor, Guide, LookUp, Plan
from mmos.patterns.running import run_pattern
from mmos.patterns.standing import acting_of
from mmos.plurals import counted
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool

READY = ready_patterns.READY
KINDS = {"lmstudio": "openai"}
NAME = "name"
"""The key of a run's pattern that names the one that it changes."""
LookUps = Callable[[str, PatternRag], LookUp]
"""Makes what looks a task up for the members of a pattern, of its name and its keys `rag`."""
_NO_KEY = re.compile(r"[/\s\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Patterns:
    """The patterns of a configuration, by name, as plans."""

    config: Config
    roles: Mapping[str, ResolvedRole]
    templates: Templates
    own: Mapping[str, Any] = field(default_factory=dict)
    """The pattern that a run describes by keys of the configuration. Empty: none."""
    gpu: int | None = None
    insight: Insight = field(default_factory=NoInsight)
    look_ups: LookUps | None = None
    """None: there is no library."""

    @property
    def names(self) -> tuple[str, ...]:
        """All that may be used, those of the configuration first."""
        enabled = [name for name, pattern in self.config.orchestration.patterns.items() if pattern.enabled]
        return (*enabled, *(name for name in READY if name not in self.config.orchestration.patterns))

    def plan(self, name: str) -> Plan:
        if self.own and name == own_name(self.own):
            return self._planned(name, self._own(), ad_hoc=NAME not in self.own)
        return self._planned(name, self.pattern(name))

    def pattern(self, name: str) -> Pattern:
        """The keys of a pattern that has a name. Raises `UsageError` if there is none, or nobody may use it."""
        patterns = self.config.orchestration.patterns
        pattern = patterns.get(pattern_called(name, patterns))
        if pattern is None and name in READY:
            return ready(name, self.roles)
        if pattern is None:
            raise UsageError(
                f"There is no pattern {name!r}{perhaps(name, (*self.names, *SHAPES)) or '.'}",
                next_step=f"There are: {', '.join(self.names)}.",
            )
        if not pattern.enabled:
            raise UsageError(f"The pattern {name} is switched off.", next_step=f"Write `enabled: true` in patterns.{name}.")
        return pattern

    def rag(self, name: str) -> PatternRag | None:
        """What the members of a pattern read of the library."""
        return (self._own() if self.own and name == own_name(self.own) else self.pattern(name)).rag

    def _own(self) -> Pattern:
        """The pattern that the run describes: the changes of one that has a name, or a form with its members or those of the roles."""
        keys = {key: value for key, value in self.own.items() if key != NAME}
        if ":" in str(keys.get("pattern")):
            raise UsageError(
                "A class of your own stands in the configuration, not in the options of a run.", next_step="Write it under `patterns:`."
            )
        if NAME in self.own:
            return described({**self.pattern(self.own[NAME]).model_dump(by_alias=True, exclude_unset=True), **keys})
        return described({"models": models_of_roles(self.roles), **keys})

    def acting(self, name: str) -> ResolvedRole:
        """The role of the model that acts for a pattern: of patterns in patterns, that of the innermost."""
        seen, member = [name], acting_of(self.plan(name))
        while inner := pattern_named(member.model):
            if inner in seen:
                raise UsageError(f"A pattern cannot take part in itself: {' -> '.join([*seen, inner])}.")
            seen, member = [*seen, inner], acting_of(self.plan(inner))
        who = member.who
        if isinstance(who, str):
            return self.roles[who]
        return ResolvedRole(MODEL, member.model, who.servers, who.window or DEFAULT_WINDOW, options=dict(who.options), think=who.think)

    def roles_in(self, name: str, seen: tuple[str, ...] = ()) -> set[str]:
        """The roles that take part in a pattern, and in the patterns in it."""
        plan, names = self.plan(name), set[str]()
        for one in (*plan.members, plan.deciding):
            inner = pattern_named(one.model)
            if isinstance(one.who, str):
                names.add(one.who)
                inner = self.roles[one.who].pattern
            if inner and inner not in (name, *seen):
                names |= self.roles_in(inner, (name, *seen))
        return names

    def _planned(self, name: str, pattern: Pattern, *, ad_hoc: bool = False) -> Plan:
        names: list[str] = []
        members = tuple(self._contributor(member, names) for member in pattern.models)
        threshold = pattern.quality_threshold
        return Plan(
            name, pattern.pattern, members, pattern.aggregate, pattern.aggregation_prompt, self._aggregator(pattern, members), pattern.voting,
            pattern.samples, pattern.min_members, pattern.deadline, pattern.max_steps, pattern.validate_,
            self.config.orchestration.defaults.quality_threshold if threshold is None else threshold, pattern.advise, ad_hoc,
            pattern.description or "", self._form(pattern.pattern), self._guide(pattern.pattern), self.templates, self.insight,
            None if pattern.rag is None or self.look_ups is None else self.look_ups(name, pattern.rag),
        )  # fmt: skip

    def _form(self, shape: str) -> Callable[[], Any] | None:
        """The user's own form, or that of a package. None: it is one of MMOS."""
        if shape in SHAPES:
            return None
        from mmos.app.forms import form_for  # few patterns have one

        return form_for(shape, self.config.folder)

    def _guide(self, shape: str) -> Guide | None:
        if shape != "specialized":
            return None
        from mmos.app import guiding  # the classifier is not needed before

        return guiding.Guide(self.config.orchestration.routing, self.config.orchestration.models)

    def _aggregator(self, pattern: Pattern, members: Iterable[Contributor]) -> Contributor | None:
        if pattern.aggregator_model is None:
            return None
        model, _, host = pattern.aggregator_model.partition("@")
        same = next((one for one in pattern.models if one.model == model), None)
        keys = {"model": model, "server": host or (same.server if same else None), "temperature": 0.2}
        return self._contributor(PatternMember.model_validate(keys), [one.name for one in members])

    def _contributor(self, member: PatternMember, taken: list[str]) -> Contributor:
        spelled = member.role or member.model or ""
        model, _, host = spelled.partition("@")
        name = _free(member.name or model, taken)
        if member.role is not None:
            if member.role not in self.roles:
                raise UsageError(f"There is no role {member.role!r}; roles: {', '.join(self.roles)}.")
            role = self.roles[member.role]
            return Contributor(name, member.role, role.model, member.task or "", member.prompt or "", member.weight, role.window)
        who = self._participant(name, model, host, member)
        return Contributor(name, who, who.model, member.task or "", member.prompt or "", member.weight, who.window)

    def _participant(self, name: str, model: str, host: str, member: PatternMember) -> Participant:
        if pattern_named(model):
            return Participant(name, model, timeout=member.timeout)
        (one,) = named(model, self.config.orchestration.models)
        servers = self._servers(member, host)
        window = self.config.windows().known(one.model, servers) or (one.entry.context_window if one.entry else None) or 0
        return Participant(
            name, one.model, member.system_prompt or "", servers, (), one.options_of(member), window, think=one.think(None),
            timeout=member.timeout,
        )  # fmt: skip

    def _servers(self, member: PatternMember, host: str) -> tuple[str, ...]:
        given = member.server or host or ()
        servers = (given,) if isinstance(given, str) else tuple(given)
        known = self.config.servers()
        if unknown := [name for name in servers if name not in known]:
            raise UsageError(f"There is no host {unknown[0]!r}; hosts: {', '.join(known)}.")
        if member.provider is not None and not servers:
            kind = KINDS.get(member.provider, member.provider)
            servers = tuple(name for name, server in known.items() if server.kind in (kind, "rehearsal")) or servers
        gpus = [*member.gpu_ids, *([] if member.gpu_id is None else [member.gpu_id])] if self.gpu is None else [self.gpu]
        need = Need(frozenset(gpus), member.vram_required_gb)
        return meeting(self.config.orchestration, servers, need) or servers


def own_name(keys: Mapping[str, Any]) -> str:
    """What a pattern is called that a run describes: as the one that it changes, or as its form."""
    return str(keys.get(NAME) or keys.get("pattern") or "")


def models_of_roles(roles: Mapping[str, ResolvedRole]) -> list[dict[str, Any]]:
    """The members if nobody names any: a specialist for each model, and the arbiter's model, which consults nobody here."""
    arbiter = roles[ARBITER]
    able = {role.model: {"role": role.name} for role in reversed([*roles.values()]) if role.consultable and not role.pattern}
    last = [] if arbiter.model in able or arbiter.pattern else [{"model": arbiter.model, "server": list(arbiter.servers) or None}]
    return [*reversed(able.values()), *last]


def described(keys: Mapping[str, Any]) -> Pattern:
    """The pattern that a run describes. Raises `UsageError` for what no pattern has."""
    try:
        return Pattern.model_validate(dict(keys))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(str(step) for step in fault["loc"]) or "pattern"
        raise UsageError(f"RunOptions: pattern: {place}: {fault['msg']}.") from None


def ready(name: str, roles: Mapping[str, ResolvedRole]) -> Pattern:
    """A built-in sequence, of the roles that there are."""
    return ready_patterns.ready(name, [role.name for role in roles.values() if role.consultable])


def _free(name: str, taken: list[str]) -> str:
    """A name that no other member has, and that may be a key."""
    plain, number = _NO_KEY.sub("-", name)[:70], 1
    while (free := plain if number == 1 else f"{plain}-{number}") in taken:
        number += 1
    taken.append(free)
    return free


def tool_of_patterns(config: Config, roles: Mapping[str, ResolvedRole], templates: Templates, look_ups: LookUps | None = None) -> Tool:
    """The tool with which the arbiter uses the patterns of the configuration."""
    patterns = Patterns(config, roles, templates, look_ups=look_ups)
    enabled = {name: pattern for name, pattern in config.orchestration.patterns.items() if pattern.enabled}
    usual = config.orchestration.rag.collection or ""
    purposes = {name: _purpose(pattern, usual, templates) for name, pattern in enabled.items()}
    return run_pattern(patterns.plan, purposes, templates, config.orchestration.limits.answer_chars)


def _purpose(pattern: Pattern, usual: str, templates: Templates) -> str:
    """What the arbiter reads of a pattern: what it is good for, and which documents its members read. `usual`: those of `rag`."""
    purpose = pattern.description or f"{pattern.pattern} with {counted(len(pattern.models), 'model')}"
    collection = (pattern.rag.collection or usual) if pattern.rag is not None else ""
    return templates.fill("run_pattern.reading", purpose=purpose, collection=collection) if collection else purpose
