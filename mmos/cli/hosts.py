"""`mmos hosts`: shows which hosts answer, and which models each has in memory for how long; `serve` runs hosts on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mmos.cli.delete import Age
from mmos.cli.fleet import fault, fleet_of, holding, select_hosts, staying, window
from mmos.cli.guard import terminal_text
from mmos.cli.hints import HintingGroup
from mmos.cli.hosts_serve import serve
from mmos.cli.options import Options, Seconds, run_to_end, shared_options
from mmos.cli.output import draws, has_no_reader, how_long, print_json, print_json_line
from mmos.cli.regret import show_regret
from mmos.cli.tables import Cell, columns, terminal_width
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.fleet.survey import HostState
    from mmos.hosts.face import Loaded
    from mmos.placement.facts import Planned

HEADS = ("HOST", "KIND", "URL", "VERSION", "STATE", "MEMORY", "LOADED")
SPARE = ("KIND", "VERSION", "URL")
EVERY = "2"
STATES = {"host_unreachable": "down", "host_timeout": "silent", "unauthorized": "refuses", "host_busy": "busy"}
Draw = Callable[[Sequence["HostState"]], None]


@click.group(cls=HintingGroup, invoke_without_command=True)
@click.option("--watch", is_flag=False, flag_value=EVERY, type=Seconds(0.1), metavar="[SECONDS]", help="Repeat every SECONDS, like 5 or 1m, until Ctrl-C. Default: 2.")  # fmt: skip
@click.option("--host", "names", multiple=True, metavar="HOST", help="Show only this host. Repeatable.")
@click.option("--regret", is_flag=True, help="Compare what MMOS expected of each call with what happened. Asks no host.")
@click.option("--since", type=Age(), metavar="AGE", help="With --regret: only calls of this time, like 12h or 7d.")
@shared_options
@click.pass_context
def hosts(
    context: click.Context, options: Options, watch: float | None, names: tuple[str, ...], since: float | None, *, regret: bool
) -> int:
    """Show every host: whether it answers, its version, its GPU memory, and which models it has in memory for how long.

    MMOS asks all hosts at once, and waits at most a second and a half. Exit code 4 if no host answers.

    \b
    mmos hosts
    mmos hosts --watch         look every two seconds
    mmos hosts --host ollama01 --json
    mmos hosts --regret --since 7d
    mmos hosts serve --gpus 0,1
    """
    if context.invoked_subcommand is not None:
        if given := [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]:
            raise click.UsageError(f"Write options after {context.invoked_subcommand!r}, not before it: {given[0]}.")
        return 0
    if since is not None and not regret:
        raise click.UsageError("--since belongs to --regret: mmos hosts --regret --since 7d")
    if regret and watch is not None:
        raise click.UsageError("--regret reads the journal once, so it does not go with --watch.")
    return run_to_end(lambda: show_regret(options, since, names) if regret else _hosts(options, watch, names))


hosts.add_command(serve)


async def _hosts(options: Options, every: float | None, names: Sequence[str]) -> int:
    from mmos.fleet.survey import beside, look

    async with fleet_of(options, remembers=True) as (config, fleet):
        servers = config.servers()
        selection = select_hosts(names, servers) or tuple(servers)
        seats = [seat for seat in fleet.seats if seat.name in selection]

        async def survey() -> Sequence[HostState]:
            return [*beside(fleet, await asyncio.gather(*(look(seat, servers[seat.name]) for seat in seats)))]

        if every is None:
            states = await survey()
            _print(options, states)
            return 0 if any(state.reachable for state in states) else 4
        with contextlib.suppress(asyncio.CancelledError), _drawing(options) as draw:  # Ctrl-C is the normal end of --watch
            while True:
                draw(await survey())
                await asyncio.sleep(every)
    return 0


def _print(options: Options, states: Sequence[HostState]) -> None:
    if options.json:
        print_json(document(states, time.time()))
    else:
        for line in table(states, time.time(), terminal_width()):
            click.echo(line)
        if any(state.error is not None for state in states):
            click.echo("`mmos doctor` shows how to fix this.", err=True)


# ---------------------------------------------------------------- watching


@contextlib.contextmanager
def _drawing(options: Options) -> Iterator[Draw]:
    """Redraw in place at a terminal. In a pipe, print a block or a JSON line when something has changed."""
    if options.json or not draws(sys.stdout):
        yield _Changes(options.json)
        return
    from rich.live import Live
    from rich.text import Text

    from mmos.cli.console import CleanConsole

    console = CleanConsole(sys.stdout)
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:

        def draw(states: Sequence[HostState]) -> None:
            lines = [*table(states, time.time(), console.width), "", f"{time.strftime('%H:%M:%S')} · Ctrl-C ends it"]
            live.update(Text.from_ansi("\n".join(map(terminal_text, lines)), no_wrap=True, overflow="ellipsis"), refresh=True)

        yield draw


class _Changes:
    """Print only real changes, not the passing of time."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._last: Any = None

    def __call__(self, states: Sequence[HostState]) -> None:
        if has_no_reader(sys.stdout):
            raise BrokenPipeError
        seen = [_identity(state) for state in states]
        if seen == self._last:
            return
        if self._json:
            print_json_line(document(states, time.time()))
        else:
            click.echo("\n".join([time.strftime("%H:%M:%S"), *table(states, time.time(), None), ""]))
        sys.stdout.flush()
        self._last = seen


def _identity(state: HostState) -> tuple[object, ...]:
    models = tuple((loaded.name, loaded.context_length, loaded.size_vram) for loaded in state.loaded)
    return (state.name, state.reachable, state.error and state.error.code, state.version, models, state.stuck and state.stuck.model)


# ---------------------------------------------------------------- shapes


def document(states: Sequence[HostState], now: float) -> dict[str, Any]:
    """Make the JSON document with everything about the hosts."""
    return {"version": 1, "hosts": [as_json(state, now) for state in states]}


def as_json(state: HostState, now: float) -> dict[str, Any]:
    return {
        "host": state.name,
        "kind": state.kind,
        "url": state.url or None,
        "reachable": state.reachable,
        "error": fault(state.error),
        "version": state.version or None,
        "vram_gb": state.vram_gb,
        "vram_used": state.vram_used if state.reachable and state.abilities.tells_loaded else None,
        "parallel": state.parallel,
        "models": len(state.installed) if state.reachable else None,
        "loaded": [{**holding(loaded, now), "pinned": state.pins(loaded.name)} for loaded in state.loaded],
        "stuck": state.stuck and {"model": state.stuck.model, "seconds": round(state.stuck.seconds)},
        "abilities": asdict(state.abilities),
    }


def table(states: Sequence[HostState], now: float, width: int | None) -> list[str]:
    """Write the hosts as lines. Each further loaded model has its own line."""
    return columns(HEADS, [row for state in states for row in _rows(state, now)], width, SPARE)


def _rows(state: HostState, now: float) -> list[list[Cell]]:
    lines = [_loaded(state, loaded, now) for loaded in state.loaded] or [_nothing(state)]
    if state.reachable and state.error is not None:
        lines.append((state.error.message, "warning"))
    if state.stuck is not None:
        lines.append((f"did not finish with {state.stuck.model}, {how_long(state.stuck.seconds)} ago: it gets no loads", "warning"))
    if state.in_flight:
        lines.append(f"{state.in_flight} of MMOS's calls in progress")
    if state.load is not None:
        lines.append(_load(state.load))
    if state.swaps:
        lines.append(f"{counted(state.swaps, 'swap')} so far")
    first: list[Cell] = [state.name, state.kind, state.url or "-", state.version or "-", state_cell(state), memory(state), lines[0]]
    return [first, *(["", "", "", "", "", "", more] for more in lines[1:])]


def _load(load: Planned) -> str:
    from mmos.cli.work import loading

    if load.begun:
        return f"{load.model}: {loading(load.part, load.seconds)}"
    return f"{load.model}: planned" + (f", when {' and '.join(load.victims)} can leave" if load.victims else "")


def queue(waiting: Mapping[str, int]) -> list[str]:
    """Write which models calls of this process wait for."""
    return [f"{counted(number, 'call')} in the queue for {model}" for model, number in sorted(waiting.items())]


def state_cell(state: HostState) -> Cell:
    if state.error is None:
        return ("up", "ok") if state.stuck is None else ("stuck", "warning")
    if state.reachable:
        return "unwell", "warning"
    return STATES.get(state.error.code, "fails"), "error"


def _nothing(state: HostState) -> Cell:
    if not state.reachable and state.error is not None:
        return state.error.message, "error"
    if not state.abilities.tells_loaded:
        return f"unknown; models: {len(state.installed)}"
    return f"nothing; models: {len(state.installed)}"


def _loaded(state: HostState, loaded: Loaded, now: float) -> Cell:
    """Describe a loaded model: its window, how long it stays, and how much of it is on the CPU."""
    slow = 100 * (loaded.size - loaded.size_vram) // loaded.size if loaded.size else 0
    pinned = "pinned" if state.pins(loaded.name) else ""
    parts = [loaded.name, window(loaded.context_length), staying(loaded, now), pinned, f"{slow} % on the CPU" if slow > 0 else ""]
    text = " · ".join(part for part in parts if part)
    return (text, "warning") if slow > 0 else text


def memory(state: HostState) -> str:
    """Write the GPU memory in use, and the configured amount."""
    if not state.reachable or not state.abilities.tells_loaded:
        return "-" if state.vram_gb is None else f"{state.vram_gb:g} GB"
    used = f"{state.vram_used / (1 << 30):.1f}"
    return f"{used} GB" if state.vram_gb is None else f"{used} of {state.vram_gb:g} GB"
