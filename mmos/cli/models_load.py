"""`mmos models warm` and `unload`: loads and unloads models, and asks first if others could be concerned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.fleet import (
    LARGEST_WINDOW,
    check_loads,
    exit_code,
    fault,
    fleet_of,
    holding,
    lacks,
    missing,
    nobody,
    print_outcomes,
    roles_on,
    select_hosts,
    states_of,
    staying,
    window,
    window_on,
)
from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import how_long
from mmos.cli.questions import confirm_for_others
from mmos.cli.styles import style
from mmos.cli.text import flat

if TYPE_CHECKING:
    from mmos.config.load import Config
    from mmos.errors import HostError
    from mmos.fleet.fleet import Fleet
    from mmos.fleet.survey import HostState

CARD_SECONDS = 5.0


@dataclass(frozen=True)
class Plan:
    """The plan to load a model on one host."""

    state: HostState
    window: int
    keep_alive: str | float | None
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options of its roles that it is loaded with."""
    in_danger: tuple[str, ...] = ()
    """Loaded models that the host may have to unload."""


@dataclass(frozen=True)
class LoadResult:
    """The result on one host."""

    host: str
    window: int | None = None
    was_loaded: bool = False
    seconds: float = 0.0
    unloaded: tuple[str, ...] = ()
    """Models that the host unloaded meanwhile."""
    after: HostState | None = None
    error: HostError | None = None


def _keep_alive(_context: click.Context, _option: click.Parameter, text: str | None) -> str | float | None:
    """Converts seconds or a duration, as in the configuration."""
    if text is None:
        return None
    from pydantic import TypeAdapter, ValidationError

    from mmos.config.values import KeepAlive

    value: str | float = text
    with suppress(ValueError):
        value = float(text)
    try:
        read: str | float = TypeAdapter(KeepAlive).validate_python(value)
    except ValidationError:
        raise click.BadParameter('give seconds, or a duration like "10m" or "1h30m", at most 30 years; -1 means for ever') from None
    return read


@click.command()
@click.argument("model")
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Load it on this host. Repeatable. Default: the hosts where roles use it.")  # fmt: skip
@click.option("--window", "tokens", type=click.IntRange(256, LARGEST_WINDOW), metavar="N", help="The window in tokens. Default: the window in the configuration, or a larger one that the model has in memory.")  # fmt: skip
@click.option("--keep-alive", callback=_keep_alive, metavar="TIME", help='How long it stays in memory when idle, like "30m". -1 means for ever. Default: as its role says, or as the host decides.')  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask.")
@shared_options
def warm(options: Options, model: str, hosts: tuple[str, ...], tokens: int | None, keep_alive: str | float | None, yes: bool) -> int:
    """Load MODEL with the window of its roles. A call with a larger window would load it again.

    MMOS asks first if the host would have to unload other models (it needs `vram_gb` of the host to know). It shows which models were unloaded.

    \b
    mmos models warm qwen2.5:14b
    mmos models warm qwen2.5-coder:32b --host ollama02 --keep-alive 2h
    """
    return run_to_end(lambda: _warm(options, model, hosts, tokens=tokens, keep_alive=keep_alive, yes=yes))


async def _warm(options: Options, model: str, hosts: tuple[str, ...], *, yes: bool, **load: Any) -> int:
    from mmos.fleet.survey import survey

    async with fleet_of(options) as (config, fleet):
        model = config.named(model)
        names = select_hosts(hosts, config.servers())
        states = {state.name: state for state in await survey(fleet, config.servers())}
        targets = [states[name] for name in names] or _used(config, model, list(states.values()))
        if not any(state.has(model) for state in targets):
            raise missing(model, targets if names else states.values())
        check_loads(targets)
        plans = await asyncio.gather(*(plan_load(config, fleet, state, model, **load) for state in targets))
        for plan in plans:
            if plan.in_danger:
                confirm_for_others(f"{plan.state.name} has no room for {model} beside {flat(', '.join(plan.in_danger))}: the host would have to unload them.", yes=yes)  # fmt: skip
        results = await asyncio.gather(*(_load(config, fleet, plan, model) for plan in plans))
    return _print_loads(options, model, results)


def _used(config: Config, model: str, states: list[HostState]) -> list[HostState]:
    """Choose the hosts where roles use the model and that have it, or the only host that has it."""
    roles = [role for role in config.users() if role.uses(model)]
    named = {server for role in roles for server in role.servers}
    having = [state for state in states if state.has(model)]
    used = [state for state in having if state.name in named]
    if used or len(having) < 2:
        return used or having
    raise click.UsageError(f"Several hosts have {model}. Name one with --host: {', '.join(state.name for state in having)}.")


async def plan_load(
    config: Config, fleet: Fleet, state: HostState, model: str, *, tokens: int | None, keep_alive: str | float | None
) -> Plan:
    """How a model is loaded on a host, and which models may have to leave."""
    from mmos.config.windows import LOAD_OPTIONS
    from mmos.errors import HostError
    from mmos.fleet import memory
    from mmos.names import canonical, same_model

    roles = [role for role in roles_on(config, state.name).values() if role.uses(model)]
    keep_alive = config.keeping()[state.name].times.get(canonical(model)) if keep_alive is None else keep_alive
    options = {name: value for role in roles for name, value in role.options.items() if name in LOAD_OPTIONS}
    listed, mine = state.has(model), state.holds(model)
    tokens = tokens or max(window_on(config, state, model), (mine and mine.context_length) or 0)
    plan = Plan(state, tokens, keep_alive, options)
    others = tuple(other.name for other in state.loaded if not same_model(other.name, model) and other.size_vram)
    if listed is None or not others or state.vram_bytes is None or (mine is not None and mine.context_length == tokens):
        return plan
    try:
        async with asyncio.timeout(CARD_SECONDS):
            kv_cache = memory.cache((await fleet.host(state.name).show(model)).details)
    except (HostError, TimeoutError):
        kv_cache = None
    free = state.vram_bytes - state.vram_used + (mine.size_vram if mine else 0)
    told = int(config.sizes().get(canonical(model), 0.0) * memory.GIB)
    size = told or listed.size + (kv_cache.size(tokens, state.parallel) if kv_cache else 0)
    return plan if memory.fits_beside(size, free) else replace(plan, in_danger=others)


async def _load(config: Config, fleet: Fleet, plan: Plan, model: str) -> LoadResult:
    from mmos.errors import HostError
    from mmos.fleet.build import timeouts_of
    from mmos.fleet.survey import look

    state = plan.state
    seat = next(seat for seat in fleet.seats if seat.name == state.name)
    before = state.holds(model)
    same = before is not None and (before.context_length == plan.window or not state.abilities.sets_window)
    result = LoadResult(state.name, plan.window if state.abilities.sets_window else None, same)
    if not state.reachable or state.has(model) is None:
        return replace(result, error=state.error or lacks(state.name, model))
    try:
        timeouts = timeouts_of(config.orchestration).scaled(seat.time_scale)
        seconds = await seat.host.preload(model, num_ctx=plan.window, options=plan.options, keep_alive=plan.keep_alive, timeouts=timeouts)
    except HostError as error:
        return replace(result, error=error)
    after = await look(seat, config.servers()[state.name])
    unloaded = tuple(other.name for other in state.loaded if after.error is None and after.holds(other.name) is None)
    return replace(result, seconds=seconds, unloaded=unloaded, after=after)


def _print_loads(options: Options, model: str, results: Sequence[LoadResult]) -> int:
    document = {"model": model, "hosts": [_as_json(one, model) for one in results]}
    print_outcomes(options, document, ((one.host, one.error, _warm_line(one, model)) for one in results))
    return exit_code([one.error for one in results])


def _warm_line(one: LoadResult, model: str) -> str:
    loaded = one.after.holds(model) if one.after else None
    parts = [
        "already in memory" if one.was_loaded else f"loaded in {how_long(one.seconds)}",
        f"window {window(loaded.context_length if loaded else one.window)}" if loaded or one.window else "",
        f"stays {staying(loaded, time.time())}" if loaded and one.after and one.after.kind != "embedded" else "",
        f"unloaded for it: {', '.join(one.unloaded)}" if one.unloaded else "",
        "unloaded when this command ends: an embedded model lives as long as the mmos process that loaded it"
        if one.after and one.after.kind == "embedded"
        else "",
    ]
    return flat(f"{model} on {one.host}: {' · '.join(text for text in parts if text)}")


def _as_json(one: LoadResult, model: str) -> dict[str, Any]:
    loaded = one.after.holds(model) if one.after else None
    return {
        "host": one.host, "ok": one.error is None, "was_loaded": one.was_loaded, "seconds": round(one.seconds, 3), "window": one.window,
        "unloaded": list(one.unloaded), "loaded": holding(loaded, time.time()) if loaded else None, "error": fault(one.error),
    }  # fmt: skip


# ---------------------------------------------------------------- unload


@click.command()
@click.argument("model", required=False)
@click.option(
    "--host", "hosts", multiple=True, metavar="HOST", help="Unload it on this host. Repeatable. Default: every host that has it in memory."
)
@click.option("--all", "everything", is_flag=True, help="Unload every loaded model.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@shared_options
def unload(options: Options, model: str | None, hosts: tuple[str, ...], everything: bool, yes: bool) -> int:
    """Unload MODEL from memory. The host finishes running answers first.

    MMOS asks before it unloads on several hosts, or a model that looks busy. A model that is not loaded is not an error.

    \b
    mmos models unload qwen2.5:32b --host ollama02
    mmos models unload --all --host ollama01 --yes
    """
    if everything == bool(model):
        raise click.UsageError("Name a model, or add --all.")
    return run_to_end(lambda: _unload(options, model or "", hosts, yes=yes))


async def _unload(options: Options, model: str, hosts: tuple[str, ...], *, yes: bool) -> int:
    from mmos.names import same_model

    async with fleet_of(options) as (config, fleet):
        model = config.named(model)
        names = select_hosts(hosts, config.servers())
        states = await states_of(config, fleet, names)
        if names:
            check_loads(states)
        if not any(state.reachable for state in states):
            raise nobody(states)
        if model and not any(state.has(model) or state.holds(model) for state in states):
            raise missing(model, states)
        there = [(state, loaded.name) for state in states for loaded in state.loaded if not model or same_model(loaded.name, model)]
        _ask_to_unload(there, yes=yes)
        errors = await asyncio.gather(*(_unload_on(fleet, state.name, name) for state, name in there))
    _print_unloads(options, [(state.name, name, error) for (state, name), error in zip(there, errors, strict=True)])
    silent = [state for state in states if not state.reachable]
    for state in silent:
        click.echo(style(f"{state.name}: ", "warning") + flat(str(state.error)), err=True)
    return exit_code([*errors, *(state.error for state in silent if state.name in names)])


def _ask_to_unload(there: Sequence[tuple[HostState, str]], *, yes: bool) -> None:
    from mmos.fleet.residents import stays

    busy = [(state, name) for state, name in there if (loaded := state.holds(name)) and (stays(loaded, time.time()) or 1) < 0]
    if len(there) > 1:
        confirm_for_others("Unload " + ", ".join(f"{flat(name)} on {state.name}" for state, name in there) + "?", yes=yes)
    elif busy:
        confirm_for_others(f"{flat(busy[0][1])} on {busy[0][0].name} looks busy: someone may be waiting for its answer.", yes=yes)


async def _unload_on(fleet: Fleet, host: str, model: str) -> HostError | None:
    from mmos.errors import HostError

    try:
        await fleet.host(host).unload(model)
    except HostError as error:
        return error
    return None


def _print_unloads(options: Options, results: Sequence[tuple[str, str, HostError | None]]) -> None:
    rows = [{"host": host, "model": name, "ok": error is None, "error": fault(error)} for host, name, error in results]
    outcomes = ((host, error, f"{flat(name)} is out of the memory of {host}.") for host, name, error in results)
    print_outcomes(options, {"unloaded": rows}, outcomes)
    if not results and not options.json:
        click.echo("Nothing was loaded.")
