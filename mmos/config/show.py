"""Shows the configuration in effect: every value and its source, without secrets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mmos.config import crosscheck
from mmos.config.environment import escaped, has_reference
from mmos.config.load import Config
from mmos.config.pattern_checks import members_in
from mmos.config.patterns_schema import Pattern, PatternMember
from mmos.config.phase_schema import Phase, PhaseTools
from mmos.config.roles import ResolvedRole, first_of, models_of, roles_in
from mmos.config.schema import Orchestration, Role, Server, Toolrules
from mmos.config.section import Section
from mmos.config.tools_schema import ReadyTools
from mmos.config.wording import Place, dotted, masked
from mmos.config.writing import written
from mmos.names import same_model

_DEFAULT = "default"
_REHEARSED = "rehearsed"
SPARSE = (Role, Server, Toolrules, Phase, PhaseTools, Pattern, PatternMember, ReadyTools)
"""Sections that are shown without the keys that say nothing."""
REHEARSAL_KEYS = ("url", "kind", "time_scale")
"""The keys that a rehearsal host replaces."""

TestedChannels = Mapping[str, tuple[str, str]]
"""The channel that `mmos models test` chose for roles without `channel`, and why."""


@dataclass(frozen=True)
class _Leaf:
    """A value and its source. A text that refers to the environment stays as the file has it."""

    value: Any
    source: str
    literal: bool = True


def as_dict(config: Config, channels: TestedChannels | None = None) -> dict[str, Any]:
    """The same as `describe`, for programs: the values, and the source of each by its dotted key."""
    tree = _effective(config, channels or {})
    return {
        "path": str(config.path) if config.path else None,
        "orchestration": _values(tree),
        "sources": {dotted(("orchestration", *place)): leaf.source for place, leaf in _leaves(tree, ())},
        "warnings": [{"where": problem.where, "key": problem.key, "message": problem.message} for problem in config.warnings],
    }


def describe(config: Config, channels: TestedChannels | None = None) -> str:
    """The configuration in effect as YAML, each line with its source. Without secrets, it loads as the same configuration."""
    lines = [f"# In effect: {config.document.name or 'a mapping'}", "orchestration:", *_lines(_effective(config, channels or {}), 1)]
    lines += [f"# Warning: {' '.join(str(problem).split())}" for problem in config.warnings]
    return "\n".join(lines) + "\n"


def _effective(config: Config, channels: TestedChannels) -> dict[str, Any]:
    tree = _section(config, config.orchestration, ("orchestration",))
    names = _hosts_in_file(config)
    implicit = {
        name: {"url": _Leaf(masked(server.url), _REHEARSED if config.played else "implied")}
        for name, server in config.implicit.items()
        if name in names
    }
    if implicit:
        servers = {**tree.get("servers", {}), **implicit}
        tree = {"servers": servers, **{key: part for key, part in tree.items() if key != "servers"}}
    roles = {"arbiter": tree["arbiter"], **tree.get("specialists", {})}
    for name, leaf in _other_windows(config):
        roles[name]["context_window"] = leaf
    for name, (channel, why) in channels.items():
        roles[name]["channel"] = _Leaf(channel, why)
    return tree


def _hosts_in_file(config: Config) -> set[Any]:
    """Hosts that the file names, and `local` for a file that names none; not those from the environment."""
    data = config.document.at(("orchestration",))
    choices = [role.get("server") for _, role in (*crosscheck.roles_in(data), *members_in(data))]
    return {"local", *(name for choice in choices for name in (choice if isinstance(choice, list) else [choice]))}


def _other_windows(config: Config) -> Iterator[tuple[str, _Leaf]]:
    """The windows that differ from what the roles ask for."""
    roles = roles_in(config.orchestration)
    for name, role in config.roles().items():
        if roles[name].context_window != role.window:
            yield name, _Leaf(role.window, _giver(config.orchestration, roles, first_of(roles[name]), role))


def _giver(orchestration: Orchestration, roles: Mapping[str, Role], key: str, role: ResolvedRole) -> str:
    """Who gives a role its window: the entry of its model, or another role with the same model."""
    entries = orchestration.models
    if key in entries and entries[key].context_window == role.window:
        return f"models.{key}"
    for name, other in roles.items():
        if other.context_window == role.window and any(same_model(model, role.model) for model in models_of(other, orchestration)):
            return f"shared with {name}: one model on one server has one window"
    return _DEFAULT


def _section(config: Config, section: Section, place: Place) -> dict[str, Any]:
    sparse = isinstance(section, SPARSE)
    tree = {}
    for field, about in type(section).model_fields.items():
        name = about.alias or field
        value, at = getattr(section, field), (*place, name)
        if value in (None, "", [], {}) and (sparse or value is not None) and (config.played or at not in config.document.lines):
            continue
        part = _part(config, value, at)
        if part != {}:
            tree[name] = part
    return tree


def _part(config: Config, value: Any, place: Place) -> Any:
    if isinstance(value, Section):
        return _section(config, value, place)
    if isinstance(value, dict):
        return {key: _part(config, entry, (*place, key)) for key, entry in value.items()}
    if isinstance(value, list) and any(isinstance(entry, Section) for entry in value):
        return [_part(config, entry, (*place, index)) for index, entry in enumerate(value)]
    return _leaf(config, value, place)


def _leaf(config: Config, value: Any, place: Place) -> _Leaf:
    if config.played and place[1] == "servers" and place[-1] in REHEARSAL_KEYS:
        return _Leaf(value, _REHEARSED)
    at = _origin(config, place)
    raw = config.document.at(at)
    source = config.document.where(at) if at in config.document.lines else _DEFAULT
    if raw is not None and not config.document.lines:
        source = config.document.name or "given"
    if "headers" in place:
        return _Leaf("***", source)
    if any(isinstance(text, str) and has_reference(text) for text in (raw if isinstance(raw, list) else [raw])):
        return _Leaf(masked(raw) if place[-1] == "url" else raw, f"{source}, from the environment", literal=False)
    return _Leaf(masked(value) if place[-1] == "url" else value, source)


def _origin(config: Config, place: Place) -> Place:
    """The place of a value in the file: a plain list under `tools` is its `allow`, and a plain member of a pattern its `model`."""
    if place[-1] == "model" and isinstance(config.document.at(place[:-1]), str):
        return place[:-1]
    return place[:-1] if place[-1] == "allow" and isinstance(config.document.at(place[:-1]), list) else place


def _values(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _values(part) for key, part in tree.items()}
    if isinstance(tree, list):
        return [_values(part) for part in tree]
    return tree.value


def _leaves(tree: Any, place: Place) -> Iterator[tuple[Place, _Leaf]]:
    if isinstance(tree, _Leaf):
        yield place, tree
        return
    for step, part in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield from _leaves(part, (*place, step))


def _lines(tree: dict[str, Any], depth: int) -> Iterator[str]:
    for key, part in tree.items():
        start = f"{'  ' * depth}{written(key)}:"
        if isinstance(part, _Leaf):
            yield f"{start} {_text(part)}  # {part.source}"
        elif isinstance(part, dict):
            yield start
            yield from _lines(part, depth + 1)
        else:
            yield start
            for entry in part:
                shown = [f"{_text(entry)}  # {entry.source}"] if isinstance(entry, _Leaf) else list(_lines(entry, depth + 2))
                yield from _entry(shown, depth + 1)


def _entry(lines: list[str], depth: int) -> Iterator[str]:
    """A mapping as an element of a list: its first line begins with the dash."""
    yield f"{'  ' * depth}- {lines[0].lstrip()}"
    yield from lines[1:]


def _text(leaf: _Leaf) -> str:
    if not leaf.literal:
        return written(leaf.value)
    if isinstance(leaf.value, list):
        return written([escaped(entry) if isinstance(entry, str) else entry for entry in leaf.value])
    return written(escaped(leaf.value) if isinstance(leaf.value, str) else leaf.value)
