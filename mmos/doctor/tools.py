"""Checks whether tools, calls and results reach a model: asks its host for the prompt that it makes of a probe."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from shlex import quote
from typing import Literal

from mmos.calls.spec import Spec, encode_offer
from mmos.config.roles import ResolvedRole
from mmos.doctor.facts import Facts, Rendering
from mmos.doctor.findings import Finding, error, info, warning
from mmos.doctor.hosts import version_number
from mmos.doctor.models import resident
from mmos.errors import HostError
from mmos.fleet.fleet import Fleet
from mmos.fleet.memory import OVERHEAD, fits_beside
from mmos.fleet.survey import HostState
from mmos.hosts.face import Card, ChatRequest, Timeouts
from mmos.hosts.ollama import OllamaHost
from mmos.messages import Message, ToolCall
from mmos.names import canonical

Probing = Literal["loaded", "idle", "all"]
"""Which models are asked, since a host loads a model to show its prompt: those that are loaded; others, too, where nobody has to leave for them; all."""

TOOL, PARAMETER, ARGUMENT, RESULT = "look_up_station", "station_name", "Ouagadougou-7", "platform-93"
WARM_SECONDS = 5.0
COLD_SECONDS = 30.0
_UNASKED = "it is not loaded, and loading it might push another model out of memory"

_SPEC = Spec(
    TOOL,
    "Tells the platform of a station.",
    {"type": "object", "properties": {PARAMETER: {"type": "string", "description": "Which station."}}, "required": [PARAMETER]},
)
_OFFER = encode_offer([_SPEC])
_HISTORY = (
    Message("system", "You answer with the help of tools."),
    Message("user", "Which platform?"),
    Message("assistant", "", (ToolCall("call_probe001", TOOL, {PARAMETER: ARGUMENT}),)),
    Message("tool", RESULT, tool_name=TOOL, call_id="call_probe001"),
    Message("user", "And now?"),
)


async def rendered(facts: Facts, fleet: Fleet, probing: Probing, note: Callable[[str], None]) -> dict[tuple[str, str], Rendering]:
    """For each host and model whose role calls tools by its host: what it makes of the probe."""
    pairs = _pairs(facts)
    probes = _probes(facts, pairs, probing)
    cold = [f"{role.model} on {state.name}" for state, role in probes if not state.holds(role.model)]
    if cold:
        note(f"Loading {', '.join(cold)} to see how tools reach the model …")
    hosts = dict.fromkeys(state.name for state, _ in probes)
    results = await asyncio.gather(*(_on_host(fleet, [one for one in probes if one[0].name == host]) for host in hosts))
    found = {place: one for part in results for place, one in part.items()}
    return {
        (state.name, canonical(role.model)): found.get((state.name, canonical(role.model)), Rendering(None, _UNASKED))
        for state, role in pairs
    }


def holds_tools(role: ResolvedRole) -> bool:
    """Other roles are offered none as yet, so that nothing is loaded on their behalf."""
    return role.name in ("arbiter", "interpreter") or bool(role.tools.allow)


def _pairs(facts: Facts) -> list[tuple[HostState, ResolvedRole]]:
    """Each host and model once, those first that hold tools now."""
    able = [role for role in facts.choices if facts.channel(role) == "tools" and "tools" in (facts.capabilities(role) or ())]
    places: dict[tuple[str, str], tuple[HostState, ResolvedRole]] = {}
    for role in sorted(able, key=holds_tools, reverse=True):
        for state in facts.serving(role):
            if state.kind in ("ollama", "rehearsal"):
                places.setdefault((state.name, canonical(role.model)), (state, role))
    return list(places.values())


def _probes(facts: Facts, pairs: list[tuple[HostState, ResolvedRole]], probing: Probing) -> list[tuple[HostState, ResolvedRole]]:
    """Those that are loaded; and, as far as that is allowed, those that can be loaded without a loss to anybody."""
    probes: list[tuple[HostState, ResolvedRole]] = []
    taken: dict[str, int] = {}
    for state, role in pairs:
        if state.holds(role.model):
            probes.append((state, role))
        elif holds_tools(role) and probing != "loaded":
            size = resident(facts, state, [role]).size
            used = state.vram_used + taken.get(state.name, 0)
            if probing == "all" or not (state.loaded or state.name in taken) or _fits(state, size, used):
                probes.append((state, role))
                taken[state.name] = taken.get(state.name, 0) + size
    return probes


def _fits(state: HostState, size: int, used: int) -> bool:
    return state.vram_bytes is not None and fits_beside(size - OVERHEAD, state.vram_bytes - used)


async def _on_host(fleet: Fleet, probes: list[tuple[HostState, ResolvedRole]]) -> dict[tuple[str, str], Rendering]:
    """One after the other: a host loads one model at a time anyway."""
    return {(state.name, canonical(role.model)): await _ask(fleet, state, role) for state, role in probes}


async def _ask(fleet: Fleet, state: HostState, role: ResolvedRole) -> Rendering:
    host = fleet.host(state.name)
    if not isinstance(host, OllamaHost):
        return Rendering(None, "its host does not show prompts")
    loaded = state.holds(role.model)
    window = (loaded and loaded.context_length) or role.window  # another one would load it anew
    keep_alive = None if loaded else role.keep_alive
    options = {"num_predict": 1}  # where a host does not know the question, it answers it
    request = ChatRequest(role.model, _HISTORY, window, tools=_OFFER, options=options, keep_alive=keep_alive, cold=loaded is None)
    patience = WARM_SECONDS if loaded else COLD_SECONDS
    try:
        text = await host.render(request, timeouts=Timeouts(load=patience, first_byte=patience, total=patience))
    except HostError as error:
        return Rendering(None, error.message.rstrip("."))
    return Rendering(text, "" if text is not None else "its host is too old to show prompts")


# ---------------------------------------------------------------- what came of it

_STRUCT = re.compile(r"\{\{-?\s*\.Function\s*-?\}\}")
_STRUCTS_SINCE = (0, 14, 0)


def tools(facts: Facts) -> Iterator[Finding]:
    for (host, model), seen in facts.rendered.items():
        choices = [role for role in facts.choices if canonical(role.model) == model]
        roles, name = [role.name for role in choices], choices[0].model
        yield from _looked_at(f"{name} on {host}", roles, seen) if seen.text is not None else _guessed(facts, host, name, roles, seen)


def _looked_at(subject: str, roles: list[str], seen: Rendering) -> Iterator[Finding]:
    text = seen.text or ""
    if TOOL not in text:
        yield error("tools_not_rendered", subject, "The offered tools do not reach the model: they are not in its prompt.", _schema(roles))
        return
    if "<nil>" in text:
        yield _structs(subject, roles)
    elif PARAMETER not in text:
        yield error("tools_not_rendered", subject, "The names of the tools reach the model, but their parameters do not.", _schema(roles))
    if RESULT not in text:
        yield warning("tool_history_lost", subject, "Results of tools do not reach the model: they are not in its prompt.", _schema(roles))
    elif ARGUMENT not in text:
        yield warning(
            "tool_history_lost", subject, "Its own earlier calls do not reach the model: they are not in its prompt.", _schema(roles)
        )


def _guessed(facts: Facts, host: str, model: str, roles: list[str], seen: Rendering) -> Iterator[Finding]:
    """Where the prompt could not be seen, its template tells of the one fault that is known."""
    state = next(state for state in facts.states if state.name == host)
    card = facts.card(host, model)
    if card is not None and prints_structs(card, state.version):
        yield _structs(f"{model} on {host}", roles)
    elif any(holds_tools(facts.roles[role]) for role in roles):
        yield info("tools_unchecked", f"{model} on {host}", f"How tools reach it was not checked: {seen.why}.", f"mmos models warm {quote(model)} --host {host}, then mmos doctor again; or mmos doctor --load")  # fmt: skip


def prints_structs(card: Card, version: str) -> bool:
    """Templates that print a tool's `.Function` as a whole, on servers that print it as Go does (Ollama #14601)."""
    number = version_number(version)
    return bool(_STRUCT.search(card.template)) and (number is None or number >= _STRUCTS_SINCE)


def _structs(subject: str, roles: list[str]) -> Finding:
    return warning(
        "tools_rendered_as_structs", subject,
        "Its template prints tools as Go structs, not as JSON (Ollama #14601): the model sees `{name text {object <nil> …`, and calls get worse.",
        f"{_schema(roles)} Or start its Ollama with OLLAMA_GO_TEMPLATE=0, or make a model whose template prints {{{{ . }}}} for each tool.",
    )  # fmt: skip


def _schema(roles: list[str]) -> str:
    return f"Write channel: schema for {', '.join(roles)}."
