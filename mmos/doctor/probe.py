"""The probe of tool rendering: a request with a tool, a call and its result, and the prompt that the host makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from mmos.calls.spec import Spec, encode_offer
from mmos.config.roles import ResolvedRole
from mmos.doctor.facts import Facts, Rendered
from mmos.errors import HostError
from mmos.fleet.fleet import Fleet
from mmos.fleet.memory import OVERHEAD, cache, fits_beside, need
from mmos.fleet.survey import HostState
from mmos.hosts.face import ChatRequest, Timeouts
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


async def rendered(facts: Facts, fleet: Fleet, probing: Probing, note: Callable[[str], None]) -> dict[tuple[str, str], Rendered]:
    """For each host and model whose role calls tools by its host: what it makes of the probe."""
    wanted = _wanted(facts)
    asked = _asked(facts, wanted, probing)
    cold = [f"{role.model} on {state.name}" for state, role in asked if not state.holds(role.model)]
    if cold:
        note(f"Loading {', '.join(cold)} to see how tools reach the model …")
    hosts = dict.fromkeys(state.name for state, _ in asked)
    told = await asyncio.gather(*(_on_host(fleet, [one for one in asked if one[0].name == host]) for host in hosts))
    found = {place: one for part in told for place, one in part.items()}
    return {
        (state.name, canonical(role.model)): found.get((state.name, canonical(role.model)), Rendered(None, _UNASKED))
        for state, role in wanted
    }


def holds_tools(role: ResolvedRole) -> bool:
    """Other roles are offered none as yet, so that nothing is loaded on their behalf."""
    return role.name in ("arbiter", "interpreter") or bool(role.tools.allow)


def _wanted(facts: Facts) -> list[tuple[HostState, ResolvedRole]]:
    """Each host and model once, those first that hold tools now."""
    able = [role for role in facts.roles.values() if facts.channel(role) == "tools" and "tools" in (facts.capabilities(role) or ())]
    places: dict[tuple[str, str], tuple[HostState, ResolvedRole]] = {}
    for role in sorted(able, key=holds_tools, reverse=True):
        for state in facts.serving(role):
            if state.kind in ("ollama", "rehearsal"):
                places.setdefault((state.name, canonical(role.model)), (state, role))
    return list(places.values())


def _asked(facts: Facts, wanted: list[tuple[HostState, ResolvedRole]], probing: Probing) -> list[tuple[HostState, ResolvedRole]]:
    """Those that are loaded; and, as far as that is allowed, those that can be loaded without a loss to anybody."""
    asked: list[tuple[HostState, ResolvedRole]] = []
    taken: dict[str, int] = {}
    for state, role in wanted:
        if state.holds(role.model):
            asked.append((state, role))
        elif holds_tools(role) and probing != "loaded":
            size = _size(facts, state, role)
            held = state.vram_used + taken.get(state.name, 0)
            if probing == "all" or not (state.loaded or state.name in taken) or _fits(state, size, held):
                asked.append((state, role))
                taken[state.name] = taken.get(state.name, 0) + size
    return asked


def _fits(state: HostState, size: int, held: int) -> bool:
    return state.vram_bytes is not None and fits_beside(size - OVERHEAD, state.vram_bytes - held)


def _size(facts: Facts, state: HostState, role: ResolvedRole) -> int:
    listed, card = state.has(role.model), facts.card(state.name, role.model)
    return need(listed.size if listed else 0, cache(card.details) if card else None, role.window, state.parallel)


async def _on_host(fleet: Fleet, asked: list[tuple[HostState, ResolvedRole]]) -> dict[tuple[str, str], Rendered]:
    """One after the other: a host loads one model at a time anyway."""
    return {(state.name, canonical(role.model)): await _ask(fleet, state, role) for state, role in asked}


async def _ask(fleet: Fleet, state: HostState, role: ResolvedRole) -> Rendered:
    host = fleet.host(state.name)
    if not isinstance(host, OllamaHost):
        return Rendered(None, "its host does not show prompts")
    held = state.holds(role.model)
    window = (held and held.context_length) or role.window  # another one would load it anew
    keep_alive = None if held else role.keep_alive
    options = {"num_predict": 1}  # where a host does not know the question, it answers it
    request = ChatRequest(role.model, _HISTORY, window, tools=_OFFER, options=options, keep_alive=keep_alive, cold=held is None)
    patience = WARM_SECONDS if held else COLD_SECONDS
    try:
        text = await host.render(request, timeouts=Timeouts(load=patience, first_byte=patience, total=patience))
    except HostError as error:
        return Rendered(None, error.message.rstrip("."))
    return Rendered(text, "" if text is not None else "its host is too old to show prompts")
