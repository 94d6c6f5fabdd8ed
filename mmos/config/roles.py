"""Resolves roles: decides the servers and the window that the file leaves open, with the changes of a run."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from mmos.config.model_keys import Named
from mmos.config.pattern_models import Asked, acting, asked_models, models_behind
from mmos.config.ready_patterns import NOT_CONSULTED
from mmos.config.schema import Arbiter, Channel, Consult, Memory, Orchestration, Role, Server, Specialist, Toolrules
from mmos.config.windows import Use, Windows
from mmos.config.wording import Place
from mmos.names import canonical, same_model

Name = TypeVar("Name", bound=Hashable)
Changes = Mapping[str, tuple[str, tuple[str, ...]]]
"""The model and the servers of the roles for which a run changes them."""


@dataclass(frozen=True)
class Guidance:
    """What the configuration says about how a role works, beside its own `system`."""

    expertise: str = ""
    detail: Literal["", "auto", "simple", "detailed"] = ""
    constraints: tuple[str, ...] = ()
    preferences: str = ""
    mistakes: tuple[str, ...] = ()
    """The kinds of mistakes that its first model made in earlier runs (`mmos/prompting/mistakes.py`)."""

    @classmethod
    def of(cls, orchestration: Orchestration, role: Role | None = None) -> Guidance:
        """That of a role, or that for all roles."""
        for_all, preferences = tuple(orchestration.constraints), orchestration.preferences or ""
        if role is None:
            return cls(constraints=for_all, preferences=preferences)
        return cls(role.expertise or "", role.detail or "", (*for_all, *role.constraints), preferences)


@dataclass(frozen=True)
class ResolvedRole:
    """A role as the fleet and the loop need it."""

    name: str
    model: str
    servers: tuple[str, ...]
    """Where it may run; empty: on any host that has the model."""
    window: int
    others: tuple[tuple[str, int], ...] = ()
    """Models with their windows. Each answers when no host can serve the ones before it."""
    role: str | None = None
    description: str | None = None
    channel: Channel | None = None
    consult: Consult = "each"
    options: Mapping[str, Any] = field(default_factory=dict)
    think: bool | str | None = None
    keep_alive: str | float | None = None
    pin: bool = False
    """Whether MMOS never unloads its model for another one."""
    system: str | None = None
    tools: Toolrules = field(default_factory=Toolrules)
    timeout: float | None = None
    consult_first: int = 0
    """How many specialists it must consult before it may answer."""
    prompts: str | None = None
    """The set of prompts that its first model needs. None: that of the configuration."""
    calls_at_once: int | None = None
    """The most tool calls in one reply, where a grammar can hold that."""
    memory: Memory = "thread"
    """What it remembers when it is consulted."""
    guidance: Guidance = field(default_factory=Guidance)
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Of the other models: what they have other values of, because of their entries under `models`, or because they act for a pattern."""
    pattern: str = ""
    """The pattern that answers in place of its first model, which acts for it. Empty: the model answers."""

    @property
    def consultable(self) -> bool:
        return self.name != "arbiter" and self.name not in NOT_CONSULTED

    @property
    def choices(self) -> tuple[ResolvedRole, ...]:
        """The role with each of its models, in the order of preference."""
        return (self, *(replace(self, model=model, window=window, others=(), **self.own.get(model, {})) for model, window in self.others))

    def sampled(self, option: str, value: Any) -> ResolvedRole:
        """The role with another value of an option, for all its models."""
        own = {name: {**fields, "options": {**fields["options"], option: value}} for name, fields in self.own.items()}
        return replace(self, options={**self.options, option: value}, own=own)

    def uses(self, model: str) -> bool:
        """Whether it may be served by a model, under any spelling."""
        return any(same_model(choice.model, model) for choice in self.choices)


def each_choice(roles: Mapping[str, ResolvedRole]) -> list[ResolvedRole]:
    """Every role once for each of its models."""
    return [choice for role in roles.values() for choice in role.choices]


@dataclass(frozen=True)
class Need:
    """What a role asks of its servers."""

    gpus: frozenset[int] = frozenset()
    vram_gb: float | None = None

    @classmethod
    def of(cls, role: Role, gpu: int | None = None) -> Need:
        """`gpu`: the GPU that a run asks for instead."""
        own = [*role.gpu_ids, *([] if role.gpu_id is None else [role.gpu_id])]
        return cls(frozenset(own if gpu is None else [gpu]), role.vram_required_gb)

    def met_by(self, server: Server | None) -> bool:
        """None: a server that the file only names. Memory that the file does not say may be enough."""
        gpus, memory = (server.gpus, server.vram_gb) if server else ([], None)
        return self.gpus <= set(gpus) and (self.vram_gb is None or memory is None or memory >= self.vram_gb)


def resolve_roles(orchestration: Orchestration, changes: Changes, gpu: int | None = None) -> dict[str, ResolvedRole]:
    """The arbiter and every specialist, in the order of the file. `gpu`: where a run wants those that may run there."""
    windows = windows_of(orchestration, changes)
    resolved = {}
    for name, role in roles_in(orchestration).items():
        models, servers = models_behind(orchestration, role.model), servers_of(role)
        if name in changes:
            models, servers = models_behind(orchestration, changes[name][0]), changes[name][1]
        servers = servers or _servers_behind(orchestration, models[0])
        narrow = meeting(orchestration, servers, Need.of(role, gpu)) or meeting(orchestration, servers, Need.of(role)) or servers
        one = _resolve(name, role, narrow, [(model, windows.of(model.model, servers)) for model in models])
        resolved[name] = replace(one, guidance=Guidance.of(orchestration, role))
    return resolved


def meeting(orchestration: Orchestration, servers: tuple[str, ...], need: Need) -> tuple[str, ...]:
    """Those of these servers that meet the need. No servers: of all. No need: as they are."""
    if need == Need():
        return servers
    known = servers or (*orchestration.servers, *_undefined(orchestration))
    return tuple(name for name in known if need.met_by(orchestration.servers.get(name)))


def _servers_behind(orchestration: Orchestration, model: Named) -> tuple[str, ...]:
    """Where a model runs that acts for a pattern. Empty: anywhere, or it acts for none."""
    return acting(orchestration, model.pattern)[1] if model.pattern else ()


def resolve_members(orchestration: Orchestration) -> list[ResolvedRole]:
    """The models that patterns ask, each as a role with the name PATTERN/MEMBER."""
    windows = windows_of(orchestration, {})
    return [_as_role(orchestration, one, windows.of(one.model.model, one.servers)) for one in asked_models(orchestration)]


def _as_role(orchestration: Orchestration, one: Asked, window: int) -> ResolvedRole:
    name, need, timeout = f"{one.pattern}/{one.name}", Need(), None
    options: Mapping[str, Any] = one.model.options({})
    if (member := one.member) is not None:
        need = Need(frozenset([*member.gpu_ids, *([] if member.gpu_id is None else [member.gpu_id])]), member.vram_required_gb)
        options, timeout = one.model.options_of(member), member.timeout
    servers = meeting(orchestration, one.servers, need) or one.servers
    system = member.system_prompt if member else None
    return ResolvedRole(
        name,
        one.model.model,
        servers,
        window,
        options=options,
        think=one.model.think(None),
        system=system,
        timeout=timeout,
    )


def windows_of(orchestration: Orchestration, changes: Changes) -> Windows:
    """The windows that roles and members of patterns have, both as the file says and with the changes: what a run changes narrows no window."""
    roles = roles_in(orchestration)
    uses = [
        Use(one.model, servers_of(role) or _servers_behind(orchestration, one), one.window(role))
        for role in roles.values()
        for one in models_behind(orchestration, role.model)
    ]
    members = [
        Use(one.model.model, one.servers, one.model.entry.context_window if one.model.entry else None)
        for one in asked_models(orchestration)
    ]
    changed = [(models_behind(orchestration, model)[0], servers, roles[name]) for name, (model, servers) in changes.items()]
    return Windows([*uses, *members, *(Use(one.model, servers, one.window(role)) for one, servers, role in changed)])


def roles_in(orchestration: Orchestration) -> dict[str, Role]:
    return {"arbiter": orchestration.arbiter, **orchestration.specialists}


def placed_roles(orchestration: Orchestration) -> Iterator[tuple[Place, Role]]:
    """The roles with their places in the file."""
    for name, role in roles_in(orchestration).items():
        yield ("specialists", name) if name in orchestration.specialists else (name,), role


def _resolve(name: str, role: Role, servers: tuple[str, ...], models: Sequence[tuple[Named, int]]) -> ResolvedRole:
    (first, window), others = models[0], models[1:]
    own = {one.model: one.values(role) for one, _ in others}
    return ResolvedRole(
        name,
        first.model,
        servers,
        window,
        tuple((one.model, window) for one, window in others),
        role.role,
        role.description,
        role.channel,
        role.consult if isinstance(role, Arbiter) else "each",
        first.options(role.options),
        first.think(role.think),
        role.keep_alive,
        role.pin,
        role.system,
        role.tools,
        role.timeout,
        int(role.consult_first) if isinstance(role, Arbiter) else 0,
        first.entry.prompts if first.entry else None,
        first.calls_at_once,
        role.memory if isinstance(role, Specialist) else "thread",
        own=own if any(one.entry or one.pattern for one, _ in models) else {},
        pattern=first.pattern,
    )


def models_of(role: Role, orchestration: Orchestration) -> tuple[str, ...]:
    """The models of a role, in the order of preference. Of several spellings of one, the first."""
    return tuple(one.model for one in models_behind(orchestration, role.model))


def first_of(role: Role) -> str:
    """The first model of a role, as the file names it."""
    return role.model if isinstance(role.model, str) else role.model[0]


def servers_of(role: Role) -> tuple[str, ...]:
    if role.server is None:
        return ()
    return (role.server,) if isinstance(role.server, str) else tuple(dict.fromkeys(role.server))


def respelled(places: Mapping[Name, tuple[str, tuple[str, ...]]]) -> Iterator[tuple[Name, str]]:
    """Roles that spell their model in another way than an earlier role that may run on the same server, with the earlier spelling."""
    anywhere = {canonical(model) for model, servers in places.values() if not servers}
    first: dict[tuple[str, str], str] = {}
    for name, (model, servers) in places.items():
        key = canonical(model)
        spellings = [first.setdefault((key, server), model) for server in (servers if key not in anywhere else [""])]
        if other := next((spelling for spelling in spellings if spelling != model), ""):
            yield name, other


def implicit_servers(orchestration: Orchestration, local: str) -> dict[str, Server]:
    """Hosts that roles name and the file does not define. If the file names no host at all, the one at `local`."""
    others = _undefined(orchestration)
    if not others and not orchestration.servers:
        return {"local": Server(url=local)}
    return {name: Server(url=f"http://{name}:11434") for name in others}


def _undefined(orchestration: Orchestration) -> tuple[str, ...]:
    named = dict.fromkeys(server for role in roles_in(orchestration).values() for server in servers_of(role))
    named |= dict.fromkeys(server for one in asked_models(orchestration) for server in one.servers)
    return tuple(name for name in named if name not in orchestration.servers)
