"""Resolves roles: decides the servers and the window that the file leaves open, with the changes of a run."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mmos.config.schema import Arbiter, Channel, Consult, Orchestration, Role, Server, Toolrules
from mmos.config.windows import Use, Windows
from mmos.names import canonical

NOT_CONSULTED = frozenset({"interpreter", "synthesizer"})
"""Roles that MMOS asks by itself, so the arbiter has no tool for them."""

Name = TypeVar("Name", bound=Hashable)
Changes = Mapping[str, tuple[str, tuple[str, ...]]]
"""The model and the servers of the roles for which a run changes them."""


@dataclass(frozen=True)
class ResolvedRole:
    """A role as the fleet and the loop need it."""

    name: str
    model: str
    servers: tuple[str, ...]
    """Where it may run; empty: on any host that has the model."""
    window: int
    role: str | None = None
    description: str | None = None
    channel: Channel | None = None
    consult: Consult = "each"
    options: Mapping[str, Any] = field(default_factory=dict)
    think: bool | str | None = None
    keep_alive: str | float | None = None
    system: str | None = None
    tools: Toolrules = field(default_factory=Toolrules)
    timeout: float | None = None
    consult_first: int = 0
    """How many specialists it must consult before it may answer."""

    @property
    def consultable(self) -> bool:
        return self.name != "arbiter" and self.name not in NOT_CONSULTED


def resolve_roles(orchestration: Orchestration, changes: Changes) -> dict[str, ResolvedRole]:
    """The arbiter and every specialist, in the order of the file."""
    windows = windows_of(orchestration, changes)
    places = {name: (role.model, servers_of(role)) for name, role in roles_in(orchestration).items()} | dict(changes)
    return {name: _resolve(name, role, *places[name], windows.of(*places[name])) for name, role in roles_in(orchestration).items()}


def windows_of(orchestration: Orchestration, changes: Changes) -> Windows:
    """The windows that the roles have, both as the file says and with the changes: what a run changes narrows no window."""
    roles = roles_in(orchestration)
    uses = [Use(role.model, servers_of(role), role.context_window) for role in roles.values()]
    return Windows([*uses, *(Use(*place, roles[name].context_window) for name, place in changes.items())])


def roles_in(orchestration: Orchestration) -> dict[str, Role]:
    return {"arbiter": orchestration.arbiter, **orchestration.specialists}


def _resolve(name: str, role: Role, model: str, servers: tuple[str, ...], window: int) -> ResolvedRole:
    return ResolvedRole(
        name,
        model,
        servers,
        window,
        role.role,
        role.description,
        role.channel,
        role.consult if isinstance(role, Arbiter) else "each",
        role.options,
        role.think,
        role.keep_alive,
        role.system,
        role.tools,
        role.timeout,
        int(role.consult_first) if isinstance(role, Arbiter) else 0,
    )


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
    roles = roles_in(orchestration)
    others = dict.fromkeys(server for role in roles.values() for server in servers_of(role) if server not in orchestration.servers)
    if not others and not orchestration.servers:
        return {"local": Server(url=local)}
    return {name: Server(url=f"http://{name}:11434") for name in others}
