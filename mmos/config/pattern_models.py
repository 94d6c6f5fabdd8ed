"""Finds the models that patterns ask, where each may run, and the model that acts for a pattern."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mmos.config.model_keys import Named, named
from mmos.config.patterns_schema import Pattern, PatternMember
from mmos.config.ready_patterns import pattern_of
from mmos.config.schema import Orchestration
from mmos.config.wording import Place
from mmos.names import canonical, pattern_named

KIND_OF_PROVIDER = {"ollama": ("ollama", "rehearsal"), "lmstudio": ("openai",), "openai": ("openai",), "embedded": ("embedded",)}
"""The kinds of servers that are of a provider."""


@dataclass(frozen=True)
class Asked:
    """A model that a pattern asks, which no role has."""

    place: Place
    """Where the file names it."""
    pattern: str
    name: str
    model: Named
    servers: tuple[str, ...]
    """Where it may run; empty: on any host that has it."""
    member: PatternMember | None = None
    """None: it puts the answers together."""

    @property
    def key(self) -> tuple[str, ...]:
        """What stands below the place where its model is named."""
        return ("model",) if self.member else ()


def asked_models(orchestration: Orchestration) -> Iterator[Asked]:
    """The models of the patterns that are switched on, in the order of the file. Roles and patterns among the members have their own."""
    for name, pattern in orchestration.patterns.items():
        if pattern.enabled:
            yield from _of(orchestration, name, pattern)


def _of(orchestration: Orchestration, name: str, pattern: Pattern) -> Iterator[Asked]:
    place: Place = ("patterns", name)
    for index, member in enumerate(pattern.models):
        if member.model is not None and not pattern_named(member.model):
            (model,) = named(member.model, orchestration.models)
            yield Asked(
                (*place, "models", index), name, member.name or member.model, model, servers_of_member(orchestration, member), member
            )
    spelling = pattern.aggregator_model
    if spelling is not None and not pattern_named(spelling):
        (model,) = named(spelling, orchestration.models)
        yield Asked((*place, "aggregator_model"), name, spelling, model, aggregator_servers(orchestration, pattern))


def servers_of_member(orchestration: Orchestration, member: PatternMember) -> tuple[str, ...]:
    """Where a member may run. A provider means all servers of its kind, and any host if the file has none."""
    if member.server is not None:
        return (member.server,) if isinstance(member.server, str) else tuple(dict.fromkeys(member.server))
    kinds = KIND_OF_PROVIDER.get(member.provider or "", ())
    return tuple(name for name, server in orchestration.servers.items() if server.kind in kinds)


def aggregator_servers(orchestration: Orchestration, pattern: Pattern) -> tuple[str, ...]:
    """Where the model runs that puts the answers together: where a member with this model does, if there is one."""
    model = canonical(named(pattern.aggregator_model or "", orchestration.models)[0].model)
    for member in pattern.models:
        if member.model is not None and canonical(named(member.model, orchestration.models)[0].model) == model:
            return servers_of_member(orchestration, member)
    return ()


def acting(orchestration: Orchestration, name: str) -> tuple[Named, tuple[str, ...]]:
    """The model that acts for a pattern, and its servers: the aggregator's, else that of the last member of a sequence, else of the first."""
    pattern = pattern_of(orchestration, name)
    if pattern is None:
        raise KeyError(name)  # the checks of the file have refused it
    member = pattern.models[-1 if pattern.pattern == "sequential" else 0]
    if pattern.aggregator_model is not None:
        return _acting(orchestration, pattern.aggregator_model, aggregator_servers(orchestration, pattern))
    if member.role is None:
        return _acting(orchestration, member.model or "", servers_of_member(orchestration, member))
    role = orchestration.arbiter if member.role == "arbiter" else orchestration.specialists[member.role]
    spelling = role.model if isinstance(role.model, str) else role.model[0]
    servers = () if role.server is None else (role.server,) if isinstance(role.server, str) else tuple(role.server)
    return _acting(orchestration, spelling, servers)


def _acting(orchestration: Orchestration, spelling: str, servers: tuple[str, ...]) -> tuple[Named, tuple[str, ...]]:
    if inner := pattern_named(spelling):
        return acting(orchestration, inner)
    (model,) = named(spelling, orchestration.models)
    return model, servers


def models_behind(orchestration: Orchestration, spellings: str | list[str]) -> tuple[Named, ...]:
    """The models behind the names, keys and patterns of a role, in their order. Of several spellings of one, the first."""
    first: dict[tuple[str, str], Named] = {}
    for spelling in [spellings] if isinstance(spellings, str) else spellings:
        if pattern := pattern_named(spelling):
            one = acting(orchestration, pattern)[0]._replace(pattern=pattern)
        else:
            (one,) = named(spelling, orchestration.models)
        first.setdefault((canonical(one.model), one.pattern), one)
    return tuple(first.values())
