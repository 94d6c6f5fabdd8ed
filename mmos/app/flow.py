"""Says how a configured pattern goes: who is asked, where, in which order, and what that costs on the fleet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmos.app.patterns import READY, ready
from mmos.config.load import Config
from mmos.config.model_keys import named
from mmos.config.pattern_models import aggregator_servers, asked_models, servers_of_member
from mmos.config.patterns_schema import Pattern, PatternMember
from mmos.config.roles import ResolvedRole, resolve_members
from mmos.config.schema import Orchestration
from mmos.names import pattern_named
from mmos.placement.forecasting import Planning

TASK_TOKENS = 1000.0
"""The tokens of the task, if the user does not say."""
ANSWER_TOKENS = 200.0
"""The tokens of an answer that the next model reads."""
FIRST_ASKED = 2
"""So many are asked at least when votes are counted with auto."""


@dataclass(frozen=True)
class Asked:
    """A member, or the model that puts the answers together."""

    name: str
    model: str
    servers: tuple[str, ...] = ()
    """Where it may run; empty: on any host that has it."""
    window: int = 0
    task: str = ""
    role: str = ""
    pattern: str = ""
    """The pattern that it stands for."""

    def document(self) -> dict[str, Any]:
        return {
            "name": self.name, "model": self.model, "servers": list(self.servers), "task": self.task or None,
            "role": self.role or None, "pattern": self.pattern or None,
        }  # fmt: skip


@dataclass(frozen=True)
class Flow:
    """How one pattern goes."""

    name: str
    pattern: Pattern
    members: tuple[Asked, ...]
    joiner: Asked | None = None
    """Who writes or chooses the answer. None: nobody does, or votes are counted."""
    built_in: bool = False
    collection: str = ""
    """The collection that its members read. Empty: none, or the only one that there is."""

    @property
    def shape(self) -> str:
        return self.pattern.pattern

    @property
    def counts(self) -> str:
        """How votes are counted. Empty: nobody counts."""
        counted = self.shape == "voting" or (self.shape == "ensemble" and self.pattern.aggregate == "vote")
        return self.pattern.voting if counted else ""

    @property
    def steps(self) -> tuple[Asked, ...]:
        """The members that take part: a sequence may be cut short."""
        return self.members[: self.pattern.max_steps] if self.shape == "sequential" else self.members

    def document(self) -> dict[str, Any]:
        keys = self.pattern
        ensemble = self.shape == "ensemble"
        return {
            "name": self.name, "pattern": self.shape, "enabled": keys.enabled, "built_in": self.built_in, "description": keys.description,
            "aggregate": keys.aggregate if ensemble else None, "voting": self.counts or None, "validate": keys.validate_,
            "members": [member.document() for member in self.members], "aggregator": self.joiner.document() if self.joiner else None,
            "rag": None if keys.rag is None else {"collection": self.collection or None},
        }  # fmt: skip


def flows(config: Config) -> dict[str, Flow]:
    """The patterns of the configuration, in their order, and then those that are built in."""
    resolved = {
        one.place: role for one, role in zip(asked_models(config.orchestration), resolve_members(config.orchestration), strict=True)
    }
    roles, own = config.roles(), config.orchestration.patterns
    found = {name: _flow(config.orchestration, name, pattern, resolved, roles) for name, pattern in own.items()}
    for name in READY:
        if name not in own:
            found[name] = replace(_flow(config.orchestration, name, ready(name, roles), {}, roles), built_in=True)
    return found


def _flow(
    orchestration: Orchestration,
    name: str,
    pattern: Pattern,
    resolved: Mapping[tuple[str | int, ...], ResolvedRole],
    roles: Mapping[str, ResolvedRole],
) -> Flow:
    members = []
    for index, member in enumerate(pattern.models):
        role = roles.get(member.role or "") or resolved.get(("patterns", name, "models", index))
        members.append(_member(orchestration, member, role))
    collection = (pattern.rag.collection or orchestration.rag.collection or "") if pattern.rag is not None else ""
    return Flow(name, pattern, tuple(members), _joiner(orchestration, pattern, members), collection=collection)


def _member(orchestration: Orchestration, member: PatternMember, role: ResolvedRole | None) -> Asked:
    name = member.name or member.role or member.model or ""
    task = member.task or ""
    if inner := pattern_named(member.model or ""):
        return Asked(name, member.model or "", task=task, pattern=inner)
    if role is not None:
        return Asked(name, role.model, role.servers, role.window, task, member.role or "", role.pattern)
    (model,) = named(member.model or "", orchestration.models)
    return Asked(name, model.model, servers_of_member(orchestration, member), task=task)


def _joiner(orchestration: Orchestration, pattern: Pattern, members: Sequence[Asked]) -> Asked | None:
    """Who puts the answers together: the model that the pattern names, or the first member."""
    joins = pattern.pattern == "parallel" or (pattern.pattern == "ensemble" and pattern.aggregate != "vote")
    if not joins or not members:
        return None
    if pattern.aggregator_model is None:
        return members[0]
    if inner := pattern_named(pattern.aggregator_model):
        return Asked(pattern.aggregator_model, pattern.aggregator_model, pattern=inner)
    (model,) = named(pattern.aggregator_model, orchestration.models)
    return Asked(pattern.aggregator_model, model.model, aggregator_servers(orchestration, pattern))


# ---------------------------------------------------------------- what it asks


Stages = list[list[Planning]]
"""The calls of one stage may run side by side."""


def ranges(flow: Flow, others: Mapping[str, Flow], tokens: float) -> list[Stages]:
    """The calls of the cheapest and of the dearest course of a pattern. One, if it always goes the same way."""
    if flow.counts == "auto" and len(flow.members) > FIRST_ASKED:
        return [_fanned(flow, others, tokens, flow.members[:FIRST_ASKED]), _fanned(flow, others, tokens, flow.members)]
    if flow.shape == "specialized":
        return [_merged([_calls(member, others, tokens)]) for member in flow.members]
    if flow.shape == "sequential":
        return [_in_turn(flow, others, tokens)]
    return [_fanned(flow, others, tokens, flow.members)]


def _in_turn(flow: Flow, others: Mapping[str, Flow], tokens: float) -> Stages:
    return [
        stage for number, member in enumerate(flow.steps) for stage in _calls(member, others, tokens + (ANSWER_TOKENS if number else 0.0))
    ]


def _fanned(flow: Flow, others: Mapping[str, Flow], tokens: float, members: Sequence[Asked]) -> Stages:
    """Members side by side, and then whoever puts their answers together."""
    samples = flow.pattern.samples if flow.pattern.aggregate == "best_of_n" and flow.shape == "ensemble" else 1
    asked = [member for member in members for _ in range(samples)]
    stages = _merged([_calls(member, others, tokens) for member in asked])
    if flow.joiner is None or len(asked) < FIRST_ASKED:
        return stages
    return stages + _calls(flow.joiner, others, tokens + ANSWER_TOKENS * len(asked))


def _calls(asked: Asked, others: Mapping[str, Flow], tokens: float) -> Stages:
    """The calls of one member. Where it is a pattern, the dearest course of that."""
    inner = others.get(asked.pattern)
    if inner is None:
        return [[Planning(asked.model, asked.servers, tokens, None, asked.window)]]
    left = {name: flow for name, flow in others.items() if name != asked.pattern}  # so that no circle is followed
    return ranges(inner, left, tokens)[-1]


def _merged(several: Sequence[Stages]) -> Stages:
    """What several members do side by side, stage by stage."""
    return [list(_row(several, number)) for number in range(max(map(len, several), default=0))]


def _row(several: Sequence[Stages], number: int) -> Iterator[Planning]:
    for stages in several:
        yield from stages[number] if number < len(stages) else ()
