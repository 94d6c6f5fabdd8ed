"""Says which models the configuration keeps in the memory of which server, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mmos.config.roles import ResolvedRole
from mmos.names import canonical

FOR_EVER = -1


@dataclass
class Keep:
    """What one server keeps. It counts by the canonical names of models."""

    pinned: set[str] = field(default_factory=set)
    times: dict[str, str | float] = field(default_factory=dict)
    """How long each model stays when it is idle, if the configuration says so: the `keep_alive` of the first role that has one."""
    sizes: Mapping[str, float] = field(default_factory=dict)
    """The gigabytes that models take, by the word of the user."""


def keeping_of(roles: Iterable[ResolvedRole], servers: Iterable[str], sizes: Mapping[str, float]) -> Mapping[str, Keep]:
    """By server. A role without servers counts for all of them. Of several models of a role, only the first is pinned."""
    kept = {name: Keep(sizes=sizes) for name in servers}
    for role in roles:
        for name in role.servers or kept:
            if role.pin:
                kept[name].pinned.add(canonical(role.model))
            if role.keep_alive is not None:
                for choice in role.choices:
                    kept[name].times.setdefault(canonical(choice.model), role.keep_alive)
    for keep in kept.values():
        keep.times = {**dict.fromkeys(keep.pinned, FOR_EVER), **keep.times}
    return kept
