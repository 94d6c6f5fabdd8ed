"""Checks models: which hosts have them, in which window, and whether they fit into GPU memory together."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from shlex import quote

from mmos.config.roles import ResolvedRole
from mmos.config.wording import nearest
from mmos.diagnosis.knowledge import pull, steps
from mmos.doctor.facts import Facts
from mmos.doctor.findings import Finding, Pull, error, info, warning
from mmos.fleet.memory import OVERHEAD, Cache, cache, fits_beside, need
from mmos.fleet.residents import stays
from mmos.fleet.survey import GIB, HostState
from mmos.names import canonical, is_cloud
from mmos.plurals import counted

STUCK_SECONDS = 600.0
"""A model whose time ran out so long ago is at work for very long, or hangs."""


def present(facts: Facts) -> Iterator[Finding]:
    """Each lack once, with all the roles that feel it."""
    lacks: dict[tuple[str, str], list[ResolvedRole]] = {}
    for role in facts.asked:
        for state in lacking(facts, role):
            lacks.setdefault((state.name, canonical(role.model)), []).append(role)
    for (host, _), roles in lacks.items():
        state = next(state for state in facts.states if state.name == host)
        served = all(any(map(facts.serving, _choices(facts, role))) for role in roles)
        yield _missing(state, roles[0].model, [role.name for role in roles], served=served)


def _choices(facts: Facts, role: ResolvedRole) -> tuple[ResolvedRole, ...]:
    """A role with each of its models. A member of a pattern has one."""
    return facts.roles[role.name].choices if role.name in facts.roles else (role,)


def lacking(facts: Facts, role: ResolvedRole) -> list[HostState]:
    """The hosts that should have a role's model: all that it names; of any host, the one with most room, where none has it."""
    answering = [state for state in facts.places(role) if state.reachable and not state.has(role.model)]
    if role.servers:
        return answering
    if facts.serving(role) or not answering:
        return []
    return [max(answering, key=lambda state: (state.abilities.pulls, state.vram_gb or 0.0))]


def _missing(state: HostState, model: str, roles: list[str], *, served: bool) -> Finding:
    near = nearest(model, [found.name for found in state.installed])
    hint = f" It has {near}: is that meant?" if near else ""
    message = f"It does not have {model}, which {' and '.join(roles)} need{'s' if len(roles) == 1 else ''}.{hint}"
    pulls = state.abilities.pulls
    cure = pull(model, state.name) if pulls else f"Load {model} on {state.name} by its own means, or name one that it has."
    fix = Pull(state.name, model) if pulls else None
    return (warning if served else error)("model_missing", state.name, message, cure, fix)


def remote(facts: Facts) -> Iterator[Finding]:
    for role in facts.asked:
        hosts = [state.name for state, found in facts.listed(role) if found.remote or (is_cloud(found.name) and state.abilities.loads)]
        if not hosts:
            continue
        stub = f"{role.model} on {hosts[0]} is a stub: it sends the prompts of this role to a cloud."
        if facts.allows_cloud(hosts[0]):
            yield info("model_remote", role.name, f"{stub} allow_cloud permits it.", "Name a model that the host runs itself if the prompts should stay in the house.")  # fmt: skip
        else:
            yield warning(
                "model_remote", role.name, f"{stub} MMOS does not ask it.",
                f"Name a model that the host runs itself, or write allow_cloud: true under servers.{hosts[0]}. OLLAMA_NO_CLOUD=1 on the host turns the cloud off.",
            )  # fmt: skip


def alike(facts: Facts) -> Iterator[Finding]:
    """One name should be one model wherever a role may go."""
    for role in facts.asked:
        digests = {state.name: found.digest for state, found in facts.listed(role) if found.digest}
        if len({*digests.values()}) > 1:
            listing = ", ".join(f"{host} {digest[:12]}" for host, digest in digests.items())
            last = list(digests)[-1]
            yield warning(
                "model_differs", role.name, f"{role.model} is not the same model on all its hosts ({listing}): answers depend on where it runs.",
                f"{pull(role.model, last)}, and on the others: the newest is then everywhere",
            )  # fmt: skip


def stuck(facts: Facts) -> Iterator[Finding]:
    for state in facts.states:
        ahead = facts.skews.get(state.name, 0.0)
        for loaded in state.loaded:
            left = stays(loaded, facts.now + ahead)
            if left is not None and left < -STUCK_SECONDS:
                yield info(
                    "model_stuck", state.name,
                    f"{loaded.name} should have left its memory {counted(round(-left / 60), 'minute')} ago: it is very busy, or it hangs.",
                    f"When nobody waits for it: mmos models unload {quote(loaded.name)} --host {state.name}; if that does not help, restart Ollama there",
                )  # fmt: skip


# ---------------------------------------------------------------- memory

_STEP = 1024
_LEAST_WINDOW = 2048


@dataclass(frozen=True)
class Resident:
    """A model that roles need on one host, in its one window."""

    model: str
    roles: tuple[str, ...]
    file_size: int
    cache: Cache | None
    window: int
    parallel: int
    told: int = 0
    """Its bytes by the word of the user. 0: the user does not say."""

    @property
    def size(self) -> int:
        return self.told or need(self.file_size, self.cache, self.window, self.parallel)


def gpus(facts: Facts) -> Iterator[Finding]:
    for state in facts.states:
        residents = _residents(facts, state)
        if not state.reachable or not state.abilities.loads or not residents:
            continue
        if state.vram_bytes is None:
            if state.kind != "embedded":
                yield info("vram_unknown", state.name, "The configuration does not say how much GPU memory it has, so MMOS cannot tell what fits.", f"Write vram_gb under servers.{state.name}.")  # fmt: skip
            continue
        large = [resident for resident in residents if resident.size > state.vram_bytes]
        yield from (_too_large(state, resident, state.vram_bytes) for resident in large)
        yield from _swapping(facts, state, [resident for resident in residents if resident not in large], state.vram_bytes)


def _residents(facts: Facts, state: HostState) -> list[Resident]:
    """What roles that can go nowhere else need here."""
    found: dict[str, list[ResolvedRole]] = {}
    for role in facts.roles.values():
        if [place.name for place in facts.serving(role)] == [state.name]:
            found.setdefault(canonical(role.model), []).append(role)
    return [resident(facts, state, roles) for roles in found.values()]


def resident(facts: Facts, state: HostState, roles: list[ResolvedRole]) -> Resident:
    model = roles[0].model
    listed, card = state.has(model), facts.card(state.name, model)
    file_size, kv_cache = listed.size if listed else 0, cache(card.details) if card else None
    told = int((facts.config.sizes() if facts.config else {}).get(canonical(model), 0.0) * GIB)
    return Resident(model, tuple(role.name for role in roles), file_size, kv_cache, roles[0].window, state.parallel, told)


def _too_large(state: HostState, resident: Resident, room: int) -> Finding:
    spare = room - resident.file_size - OVERHEAD
    kv_cache = None if resident.told else resident.cache
    window = spare // (kv_cache.token_bytes * resident.parallel) // _STEP * _STEP if kv_cache and spare > 0 else 0
    takes = f"{'up to ' if kv_cache and kv_cache.at_most else ''}{_gb(resident.size)} GB of {state.vram_gb:g}"
    slow = "what does not fit is computed on the CPU, many times as slowly"
    if window >= _LEAST_WINDOW:
        return warning(
            "window_too_large", resident.model, f"In a window of {resident.window} it takes {takes} on {state.name}; {slow}.",
            f"Write context_window: {window} for {', '.join(resident.roles)}, or OLLAMA_KV_CACHE_TYPE=q8_0 on {state.name}, which halves the cache.",
        )  # fmt: skip
    return warning(
        "model_too_large", resident.model, f"It takes {takes} on {state.name}; {slow}.",
        f"Give {', '.join(resident.roles)} a smaller model or a smaller quantization, or a host with more memory.",
    )  # fmt: skip


def _swapping(facts: Facts, state: HostState, residents: list[Resident], room: int) -> Iterator[Finding]:
    if out := _pinned_out(facts, residents, room):
        yield _without_room(facts, state, residents, out)
    residents = [one for one in residents if one not in out]
    if _fit(residents, room):
        return
    listed = ", ".join(f"{one.model} ({'/'.join(one.roles)}, {_gb(one.size)} GB)" for one in residents)
    message = f"The models of its roles do not fit into {state.vram_gb:g} GB together, so they push each other out of memory: {listed}."
    staying = _together(residents, room)
    if len(staying) > 1:
        message += f" Without {' and '.join(one.model for one in residents if one not in staying)} the others would stay."
    cures = [cure for cure in (_smaller_windows(residents, room), _elsewhere(facts, state, residents, room)) if cure]
    rest = "Let the roles share one model, or give one of them another host, a smaller model or a smaller context_window."
    yield warning("roles_swap", state.name, message, " Or: ".join(cures) or rest)


def _is_pinned(facts: Facts, resident: Resident) -> bool:
    return any(facts.roles[name].pin for name in resident.roles)


def _pinned_out(facts: Facts, residents: list[Resident], room: int) -> list[Resident]:
    """Those that do not fit beside the pinned ones."""
    pinned = [one for one in residents if _is_pinned(facts, one)]
    return [one for one in residents if pinned and one not in pinned and not _fit([*pinned, one], room)]


def _without_room(facts: Facts, state: HostState, residents: list[Resident], out: list[Resident]) -> Finding:
    pinned = [one for one in residents if _is_pinned(facts, one)]
    names, roles = " and ".join(one.model for one in out), ", ".join(role for one in out for role in one.roles)
    beside = f"{' and '.join(one.model for one in pinned)}, which {'is' if len(pinned) == 1 else 'are'} pinned"
    return error(
        "pinned_out", state.name, f"{names} ({roles}) will not fit into {state.vram_gb:g} GB beside {beside}. Calls to {'it' if len(out) == 1 else 'them'} fail.",
        f"Remove pin from {', '.join(role for one in pinned for role in one.roles if facts.roles[role].pin)}, or give {roles} another server or a smaller model.",
    )  # fmt: skip


def _fit(residents: Iterable[Resident], room: int) -> bool:
    """Whether an Ollama holds them together: it loads the first always, another beside it when it fits well."""
    free = room
    for place, resident in enumerate(sorted(residents, key=lambda one: -one.size)):
        if place and not fits_beside(resident.size - OVERHEAD, free):
            return False
        free -= resident.size
    return True


def _together(residents: list[Resident], room: int) -> list[Resident]:
    """The most of them that fit, in the order of the file."""
    staying: list[Resident] = []
    for resident in sorted(residents, key=lambda one: one.size):
        if _fit([*staying, resident], room):
            staying.append(resident)
    return [one for one in residents if one in staying]


def _smaller_windows(residents: list[Resident], room: int) -> str:
    """The largest window for all of them with which they fit."""
    windows = range(_LEAST_WINDOW, max(one.window for one in residents) + 1, _STEP)
    fitting = bisect(windows, 0, key=lambda window: not _fit([replace(one, window=min(one.window, window)) for one in residents], room))
    if not fitting:
        return ""
    window = windows[fitting - 1]
    return f"Write context_window: {window} for {', '.join(role for one in residents if one.window > window for role in one.roles)}."


def _elsewhere(facts: Facts, state: HostState, residents: list[Resident], room: int) -> str:
    """A server that has room for one of them, so that the others fit. The smallest model moves most easily."""
    for resident in sorted(residents, key=lambda one: one.size):
        if not _fit([one for one in residents if one is not resident], room):
            continue
        for other in facts.states:
            loads = other is not state and other.reachable and other.abilities.loads and other.vram_bytes
            if loads and resident.size <= loads and _fit([*_residents(facts, other), resident], loads):
                fetch = "" if other.has(resident.model) else f", and fetch it: {pull(resident.model, other.name)}"
                return f"Write server: {other.name} for {', '.join(resident.roles)}: it has room for {resident.model}{fetch}."
    return ""


def _gb(size: int) -> str:
    return f"{size / GIB:.1f}"


# ---------------------------------------------------------------- windows


def windows(facts: Facts) -> Iterator[Finding]:
    """Each model once: its roles share the window."""
    seen: set[tuple[str, str]] = set()
    for role in facts.choices:
        for state, listed in facts.listed(role):
            if (state.name, canonical(role.model)) in seen:
                continue
            seen.add((state.name, canonical(role.model)))
            card = facts.card(state.name, role.model)
            yield from _window(state, role, (card and card.context_length) or listed.context_length)


def _window(state: HostState, role: ResolvedRole, longest: int | None) -> Iterator[Finding]:
    if longest is not None and role.window > longest and state.abilities.sets_window:
        yield warning(
            "window_beyond_model", role.name, f"Its window of {role.window} tokens is larger than the one that {role.model} was trained for ({longest}).",
            f"Write context_window: {longest}, or choose a model with a larger window.",
        )  # fmt: skip
    if longest is not None and role.window > longest and not state.abilities.sets_window:
        yield warning(
            "window_not_settable", role.name, f"{state.name} runs {role.model} in a window of {longest}, and MMOS cannot change that. The role needs {role.window}.",
            f"Start the server with a larger window, or write context_window: {longest}.",
        )  # fmt: skip
    loaded = state.holds(role.model)
    if (
        loaded
        and loaded.context_length
        and state.abilities.sets_window
        and loaded.context_length < min(role.window, longest or role.window)
    ):
        yield warning(
            "window_differs", role.name,
            f"Another program has loaded {role.model} on {state.name} with a window of {loaded.context_length}. Roles need {role.window}, so the host loads the model again.",
            f"mmos models warm {quote(role.model)} --host {state.name}, and have the others use the same window",
        )  # fmt: skip


def spilled(facts: Facts) -> Iterator[Finding]:
    for state in facts.states:
        for loaded in state.loaded:
            if 0 < loaded.size_vram < loaded.size:
                part = 100 * (loaded.size - loaded.size_vram) // loaded.size
                yield warning(
                    "spilled", state.name, f"{loaded.name} does not fit into GPU memory: the CPU computes {part} % of it, which is many times slower.",
                    f"Use a smaller window or model, or unload the other models on {state.name}: mmos models unload",
                )  # fmt: skip
            elif loaded.size and not loaded.size_vram and state.vram_gb:
                yield warning(
                    "gpu_unused", state.name, f"{loaded.name} runs on the CPU only, although the host should have {state.vram_gb:g} GB of GPU memory.",
                    steps("GPU_DISCOVERY_FAILED").format(host=state.name),
                )  # fmt: skip
