"""Resolves roles: decides the servers and the window that the file leaves open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmos.config.schema import Arbiter, Channel, Consult, Orchestration, Role, Server, Toolrules

DEFAULT_WINDOW = 8192
NOT_CONSULTED = frozenset({"interpreter", "synthesizer"})
"""Roles that MMOS asks by itself, so the arbiter has no tool for them."""


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


def resolve_roles(orchestration: Orchestration) -> dict[str, ResolvedRole]:
    """The arbiter and every specialist, in the order of the file."""
    roles = {"arbiter": orchestration.arbiter, **orchestration.specialists}
    windows = _windows(roles)
    return {name: _resolve(name, role, windows[name]) for name, role in roles.items()}


def _resolve(name: str, role: Role, window: int) -> ResolvedRole:
    return ResolvedRole(
        name,
        role.model,
        servers_of(role),
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


def same_model(one: str, other: str) -> bool:
    return _full_name(one) == _full_name(other)


def _full_name(model: str) -> str:
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def _windows(roles: Mapping[str, Role]) -> dict[str, int]:
    """Roles that may share a loaded model get the largest window that any of them asks for. A different window would make the host load the model again."""
    windows: dict[str, int] = {}
    for name in roles:
        if name not in windows:
            group = _meeting(name, roles)
            asked = [window for member in group if (window := roles[member].context_window)]
            windows |= dict.fromkeys(group, max(asked, default=DEFAULT_WINDOW))
    return windows


def _meeting(name: str, roles: Mapping[str, Role]) -> list[str]:
    """The roles that may share a loaded model with `name`, directly or through others."""
    group = [name]
    for member in group:
        group += [other for other in roles if other not in group and _may_meet(roles[member], roles[other])]
    return group


def _may_meet(one: Role, other: Role) -> bool:
    here, there = servers_of(one), servers_of(other)
    return same_model(one.model, other.model) and (not here or not there or bool({*here} & {*there}))


def implicit_servers(orchestration: Orchestration, local: str) -> dict[str, Server]:
    """Hosts that roles name and the file does not define. If the file names no host at all, the one at `local`."""
    roles = [orchestration.arbiter, *orchestration.specialists.values()]
    named = dict.fromkeys(server for role in roles for server in servers_of(role) if server not in orchestration.servers)
    if not named and not orchestration.servers:
        return {"local": Server(url=local)}
    return {name: Server(url=f"http://{name}:11434") for name in named}
