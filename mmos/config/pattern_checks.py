"""Checks the patterns, and every key that names one, on the data as written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mmos.config.ready_patterns import NOT_CONSULTED, READY, members_of
from mmos.config.wording import FromEnvironment, Place, listed, mapping, perhaps, with_type
from mmos.names import PATTERN, pattern_named

Findings = Iterator[tuple[Place, str]]

STRATEGIES = ("single", "intelligent")


def findings(orchestration: dict[str, Any]) -> Findings:
    for name in mapping(orchestration, "patterns"):
        yield from _pattern(
            ("patterns", name), mapping(orchestration, "patterns", name), ["arbiter", *mapping(orchestration, "specialists")]
        )
    for place, name in _named(orchestration):
        yield from _name(place, name, orchestration)
    yield from _cycles(orchestration)


def members_in(orchestration: Any) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The members of all patterns as mappings, and the models that put answers together, with their places."""
    for name in mapping(orchestration, "patterns"):
        place, pattern = ("patterns", name), mapping(orchestration, "patterns", name)
        yield from _members(place, pattern)
        if isinstance(model := pattern.get("aggregator_model"), str):
            yield place, {"model": model}


def _members(place: Place, pattern: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any]]]:
    models = pattern.get("models")
    for index, member in enumerate(models if isinstance(models, list) else []):
        if isinstance(member, str | dict):
            yield (*place, "models", index), {"model": member} if isinstance(member, str) else member


# ---------------------------------------------------------------- one pattern


def _pattern(place: Place, pattern: dict[str, Any], roles: list[str]) -> Findings:
    members = [*_members(place, pattern)]
    for at, member in members:
        yield from _member(at, member, roles)
    count, least = len(members), pattern.get("min_members")
    if members and isinstance(least, int) and not isinstance(least, bool) and least > count:
        yield (*place, "min_members"), f"found {least}, but the pattern has only {count} members, so it would always fail"
    weights = [member.get("weight", 1.0) for _, member in members]
    if weights and not any(weights):
        yield (*place, "models"), "all weights are 0, so no member counts; give one of them a larger weight"


def _member(place: Place, member: dict[str, Any], roles: list[str]) -> Findings:
    model, role = member.get("model"), member.get("role")
    if model is None and role is None:
        yield place, "name a 'model', or a 'role' of this file"
    if model is not None and role is not None:
        yield (*place, "role"), "a member has a 'model' or a 'role', not both; remove one of them"
    if isinstance(role, str) and role not in roles:
        near = "" if isinstance(role, FromEnvironment) else perhaps(role, roles)
        yield (*place, "role"), f"found {with_type(role)}, allowed: the name of a role: {listed(roles)}{near}"
    for one, other, why in (
        ("server", "provider", "both say where it runs"),
        ("gpu_id", "gpu_ids", "write 'gpu_id' for one GPU or 'gpu_ids' for several"),
    ):
        if member.get(one) and member.get(other) not in (None, []):
            yield (*place, other), f"'{one}' and '{other}' do not go together: {why}; remove one of them"
    if role is not None:
        for key in ("server", "provider", "gpu_id", "gpu_ids", "vram_required_gb"):
            if member.get(key) not in (None, []):
                yield (*place, key), f"'{key}' is for a member with a 'model'; a role has its own"


# ---------------------------------------------------------------- names of patterns


def _named(orchestration: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    """Each place that names a pattern, and the name. `defaults.strategy` may also be another word."""
    defaults = mapping(orchestration, "defaults")
    if isinstance(name := defaults.get("pattern"), str):
        yield ("defaults", "pattern"), name
    if isinstance(name := defaults.get("strategy"), str) and name not in STRATEGIES:
        yield ("defaults", "strategy"), name
    rules = mapping(orchestration, "routing").get("rules")
    for index, rule in enumerate(rules if isinstance(rules, list) else []):
        if isinstance(name := rule.get("pattern") if isinstance(rule, dict) else None, str):
            yield ("routing", "rules", index, "pattern"), name
    yield from ((place, name) for place, name, _ in _references(orchestration))


def _references(orchestration: dict[str, Any]) -> Iterator[tuple[Place, str, str]]:
    """Each `pattern:NAME` in place of a model, its place, and what refers to it: `pattern:NAME` or a role."""
    for place, member in members_in(orchestration):
        yield from ((at, name, f"{PATTERN}{place[1]}") for at, name in _of(member.get("model"), (*place, *key_of(orchestration, place))))
    for name in ("arbiter", *mapping(orchestration, "specialists")):
        place, role = (name,), mapping(orchestration, name)
        if name != "arbiter":
            place, role = ("specialists", name), mapping(orchestration, "specialists", name)
        yield from ((at, pattern, name) for at, pattern in _of(role.get("model"), (*place, "model")))


def key_of(orchestration: dict[str, Any], place: Place) -> Place:
    """The key of a model below the place of a role or a member. A member may be only a name."""
    if place[0] != "patterns":
        return ("model",)
    if len(place) == 2:
        return ("aggregator_model",)
    entry = mapping(orchestration, *map(str, place[:2]))["models"][place[3]]
    return () if isinstance(entry, str) else ("model",)


def _of(models: Any, place: Place) -> Iterator[tuple[Place, str]]:
    for index, model in enumerate(models if isinstance(models, list) else [models]):
        if isinstance(model, str) and (name := pattern_named(model)):
            yield ((*place, index) if isinstance(models, list) else place), name


def _name(place: Place, name: str, orchestration: dict[str, Any]) -> Findings:
    patterns = mapping(orchestration, "patterns")
    if name not in patterns and name in READY:
        return
    if name not in patterns:
        choices = [*STRATEGIES, *patterns] if place == ("defaults", "strategy") else [*patterns]
        near = "" if isinstance(name, FromEnvironment) else perhaps(name, choices)
        what = f"allowed: {'one of' if choices[:1] == ['single'] else 'the name of a pattern:'} {listed(choices)}"
        yield place, f"found {with_type(name)}, {what if choices else 'but there are no patterns'}{near}"
    elif mapping(patterns, name).get("enabled") is False and not _is_off(place, orchestration):
        yield place, f"the pattern '{name}' is switched off (enabled: false); switch it on, or name another one"


def _is_off(place: Place, orchestration: dict[str, Any]) -> bool:
    """Whether the place is in a pattern that is switched off itself."""
    return place[0] == "patterns" and mapping(orchestration, "patterns", str(place[1])).get("enabled") is False


def _cycles(orchestration: dict[str, Any]) -> Findings:
    """Patterns that contain themselves, by members or by the roles of members, also those of ready ones."""
    below: dict[str, list[str]] = {}
    places: dict[str, Place] = {}
    for place, name, around in _references(orchestration):
        below.setdefault(around, []).append(f"{PATTERN}{name}")
        places.setdefault(around, place)
    for place, member in members_in(orchestration):
        if isinstance(role := member.get("role"), str):
            below.setdefault(f"{PATTERN}{place[1]}", []).append(role)
    roles = [name for name in mapping(orchestration, "specialists") if name not in NOT_CONSULTED]
    below |= {f"{PATTERN}{name}": members_of(name, roles) for name in READY if name not in mapping(orchestration, "patterns")}
    told: set[str] = set()
    for start in below:
        cycle = _cycle(start, below)
        if cycle and not told & {*cycle}:
            told |= {*cycle}
            names = " → ".join(name.removeprefix(PATTERN) for name in (*cycle, cycle[0]))
            at = next((places[name] for name in cycle if name in places), ("patterns",))
            yield at, f"a pattern cannot contain itself: {names}; remove one of these members"


def _cycle(start: str, below: dict[str, list[str]]) -> list[str]:
    """The way from a name back to itself. Empty: there is none."""
    ways, seen = [[start]], set[str]()
    while ways:
        way = ways.pop()
        for following in _once(below.get(way[-1], ())):
            if following == start:
                return way
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []


def _once(names: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(names)
