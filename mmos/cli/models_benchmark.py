"""`mmos models benchmark`: measures how fast models load, read and write on your hosts, and keeps the figures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.benchmarks import as_json, lines
from mmos.cli.fleet import LARGEST_WINDOW, described, exit_code, fault, fleet_of, lacks, missing, nobody, select_hosts, states_of, window_on
from mmos.cli.models_load import plan_load
from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.questions import confirm_for_others
from mmos.cli.steps import clear_step, show_step
from mmos.cli.styles import style
from mmos.cli.text import flat

if TYPE_CHECKING:
    from mmos.config.load import Config
    from mmos.errors import HostError
    from mmos.fitness.benchmark import Benchmark, Plan
    from mmos.fitness.figures import Figures
    from mmos.fleet.fleet import Fleet
    from mmos.fleet.survey import HostState

LEAST_CONTEXT = 128
_KILO = 1024


def _contexts(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    """Converts `1k,4k,500`."""
    if text is None:
        return None
    found = []
    for word in text.split(","):
        number, kilo = word.strip().lower().removesuffix("k"), word.strip().lower().endswith("k")
        tokens = int(number) * (_KILO if kilo else 1) if number.isdecimal() and len(number) < 10 else 0
        if not LEAST_CONTEXT <= tokens <= LARGEST_WINDOW:
            raise click.BadParameter(f"{word.strip()!r} is no number of tokens; write some of at least {LEAST_CONTEXT}, like 1k,4k,16k")
        found.append(tokens)
    return tuple(sorted(dict.fromkeys(found)))


@click.command()
@click.argument("model", nargs=-1)
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Measure on this host. Repeatable. Default: every host that has the model.")  # fmt: skip
@click.option("--quick", is_flag=True, help="Measure each thing once, with prompts of 1k tokens, and leave out the tool calls.")
@click.option("--contexts", callback=_contexts, metavar="LIST", help="Lengths of the prompts in tokens. Default: 1k,4k,16k, as far as they fit into the window.")  # fmt: skip
@click.option("--parallel", type=click.IntRange(1, 256), metavar="N", help="The most calls at the same time. Default: `parallel` of the host.")  # fmt: skip
@click.option("--window", type=click.IntRange(512, LARGEST_WINDOW), metavar="N", help="The window in tokens. Default: the window in the configuration.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Do not ask.")
@shared_options
def benchmark(options: Options, model: tuple[str, ...], hosts: tuple[str, ...], **arguments: Any) -> int:
    """Measure how long models load, how soon the first token comes, how fast they read and write, also several calls at once, and how many tool calls are right.

    \b
    mmos models benchmark qwen2.5:14b
    mmos models benchmark --quick --host ollama01
    mmos models benchmark qwen2.5:14b --contexts 1k,8k --parallel 4 --json

    Without MODEL, MMOS measures the models of all roles. It keeps the figures in the state folder and compares them with the last ones. The catalog of models and the
    choice of hosts use them. Nothing else should use the hosts meanwhile. Ctrl-C keeps what was measured.
    """
    return run_to_end(lambda: _benchmark(options, model, hosts, arguments))


@dataclass(frozen=True)
class Outcome:
    """What came of one model on one host."""

    model: str
    host: str
    figures: Figures | None = None
    before: Figures | None = None
    error: HostError | None = None


@dataclass(frozen=True)
class Job:
    """One model to measure on one host."""

    model: str
    state: HostState
    mine: tuple[str, ...] = ()
    """Models that this command has loaded there. Nobody needs to be asked whether they may leave."""


async def _benchmark(options: Options, models: Sequence[str], hosts: tuple[str, ...], arguments: Mapping[str, Any]) -> int:
    async with fleet_of(options) as (config, fleet):
        names = select_hosts(hosts, config.servers())
        states = await states_of(config, fleet, names)
        if not any(state.reachable for state in states):
            raise nobody(states)
        states = await described(fleet, states)
        jobs = list(_jobs(config, states, models, named=bool(names)))
        if not jobs:
            raise click.UsageError("There is nothing to measure. `mmos models list` shows the models.")
        outcomes: list[Outcome] = []
        for job in jobs:
            job = await _now(config, fleet, job, outcomes)
            outcomes.append(await _measure(options, config, fleet, job, arguments))
        if not options.rehearse:
            await _teach(options, config, outcomes)
    if options.json:
        failed = [{"model": one.model, "host": one.host, "error": fault(one.error)} for one in outcomes if one.error]
        rows = [as_json(one.figures, one.before) for one in outcomes if one.figures]
        print_json({"version": 1, "benchmarks": rows, "failed": failed})
    code = exit_code([one.error for one in outcomes])
    return 1 if code and any(one.figures for one in outcomes) else code


def _jobs(config: Config, states: Sequence[HostState], models: Sequence[str], *, named: bool) -> Iterator[Job]:
    """Each model on each host that has it. A model that no host has is an error if the user named it."""
    from mmos.config.model_keys import named as models_of

    wanted = list(models) or [role.model for role in config.asked()]
    for model in [one.model for one in models_of(wanted, config.orchestration.models)]:
        having = [state for state in states if state.has(model) or (named and models)]
        if models and not any(state.has(model) for state in states):
            raise missing(model, states)
        for state in having:
            if why := _unfit(state, model):
                click.echo(flat(f"{model} on {state.name}: left out, because {why}."), err=True)
            else:
                yield Job(model, state)


def _unfit(state: HostState, model: str) -> str:
    """Why a model is not measured on a host. Empty: it is."""
    from mmos.names import is_cloud

    listed = state.has(model)
    if is_cloud(model) or (listed is not None and listed.remote):
        return "it runs in a cloud"
    able = listed.capabilities if listed is not None else None
    return "it does not answer" if able is not None and "completion" not in able else ""


async def _now(config: Config, fleet: Fleet, job: Job, before: Sequence[Outcome]) -> Job:
    """The job with what the host has in memory now, after the ones before it."""
    from mmos.fleet.survey import look

    seat = next(seat for seat in fleet.seats if seat.name == job.state.name)
    mine = tuple(one.model for one in before if one.host == seat.name and job.state.holds(one.model) is None)
    fresh = await look(seat, config.servers()[seat.name])
    return Job(job.model, replace(job.state, loaded=fresh.loaded), mine)


# ---------------------------------------------------------------- one model on one host


async def _measure(options: Options, config: Config, fleet: Fleet, job: Job, arguments: Mapping[str, Any]) -> Outcome:
    """Measure, keep and print. What was measured before an error or Ctrl-C is kept, too."""
    from mmos.errors import HostError

    model, host, error = job.model, job.state.name, None
    try:
        if not job.state.has(model):
            raise job.state.error or lacks(host, model)
        bench = await _prepared(config, fleet, job, arguments)
    except HostError as fault_of_host:
        _complain(host, fault_of_host)
        return Outcome(model, host, error=fault_of_host)
    try:
        await bench.run()
    except HostError as fault_of_host:
        error = fault_of_host
    except asyncio.CancelledError:
        clear_step()
        _finish(options, config, bench.figures, shows=not options.json)
        raise
    clear_step()
    if error is not None:
        _complain(host, error)
    before = _finish(options, config, bench.figures, shows=not options.json)
    return Outcome(model, host, None if bench.figures.empty else bench.figures, before, error)


def _complain(host: str, error: HostError) -> None:
    click.echo(style(f"{host}: ", "error") + flat(str(error)), err=True)


def _finish(options: Options, config: Config, figures: Figures, *, shows: bool) -> Figures | None:
    """Keep and print the figures, and return the ones before. A rehearsal keeps none: its figures must not count for a real model of that name."""
    from mmos.fitness.history import History

    if figures.empty:
        return None
    before = None
    if not options.rehearse:
        history = History.of_state(options.state_folder(config.path))
        before = next((one for one in reversed(history.of(figures.model, figures.host)) if one.is_of(figures.digest)), None)
        history.put(figures)
    if shows:
        from mmos.cli.fleet import window

        click.echo(style(flat(f"{figures.model} on {figures.host}"), "bold") + f", window {window(figures.window)}")
        click.echo("\n".join(lines(figures, before)))
    return before


async def _prepared(config: Config, fleet: Fleet, job: Job, arguments: Mapping[str, Any]) -> Benchmark:
    from mmos.fitness.benchmark import Benchmark
    from mmos.fitness.figures import Figures
    from mmos.fleet.build import timeouts_of
    from mmos.names import same_model
    from mmos.prompting.templates import Templates

    model, state = job.model, job.state
    listed = state.has(model)
    tools = listed is None or listed.capabilities is None or "tools" in listed.capabilities
    window = arguments["window"] or window_on(config, state, model)
    window = min(window, (listed.context_length if listed else None) or window)
    load = await plan_load(config, fleet, state, model, tokens=window, keep_alive=None)
    _warn(state, model, [name for name in load.in_danger if not any(same_model(name, mine) for mine in job.mine)], yes=arguments["yes"])
    now = time.time()
    figures = Figures(model, state.name, round(now, 3), listed.digest if listed else "", window)
    plan = _plan(state, figures, arguments, tools=tools)
    click.echo(style(f"{model} on {state.name}: this takes a while …", "dim"), err=True)
    return Benchmark(
        fleet, figures, plan, Templates().text("schema"), timeouts_of(config.orchestration), load.options, load.keep_alive, show_step,
        first_number=int(now * 1000) % 10**9,
    )  # fmt: skip


def _plan(state: HostState, figures: Figures, arguments: Mapping[str, Any], *, tools: bool) -> Plan:
    from mmos.fitness.benchmark import Plan

    quick, most = arguments["quick"], arguments["parallel"] or state.parallel
    usual = (_KILO,) if quick else Plan.contexts
    contexts = arguments["contexts"] or [tokens for tokens in usual if tokens <= figures.window] or [figures.window]
    load = state.abilities.loads and not _is_busy(state, figures.model)
    if quick:
        return Plan(contexts, most, 1, 32, load, None)
    return Plan(contexts, most, load=load, channel="tools" if tools else "schema")


def _is_busy(state: HostState, model: str) -> bool:
    from mmos.fleet.residents import stays

    loaded = state.holds(model)
    return loaded is not None and (stays(loaded, time.time()) or 1) < 0


def _warn(state: HostState, model: str, in_danger: Sequence[str], *, yes: bool) -> None:
    """Say what the benchmark does to others, and what others do to it."""
    if in_danger:
        confirm_for_others(f"{state.name} has no room for {model} beside {flat(', '.join(in_danger))}: the host would have to unload them.", yes=yes)  # fmt: skip
    busy = [loaded.name for loaded in state.loaded if _is_busy(state, loaded.name)]
    if busy:
        click.echo(style("warning: ", "warning") + flat(f"{state.name} is busy with {', '.join(busy)}: the figures will be low."), err=True)
    if state.holds(model) and not _is_busy(state, model) and state.abilities.loads:
        click.echo(style(flat(f"{model} is in the memory of {state.name}: MMOS unloads it to measure how long it loads."), "dim"), err=True)


async def _teach(options: Options, config: Config, outcomes: Sequence[Outcome]) -> None:
    """Have the placement of calls use the figures from the next run on."""
    from mmos.fleet.fleet import Fleet
    from mmos.fleet.speeds import Speed

    measured = [one.figures for one in outcomes if one.figures]
    if not measured:
        return
    async with Fleet.open(config, state=options.state_folder(config.path)) as fleet:
        await fleet.census()
        for figures in measured:
            fleet.speeds.measured(Speed(figures.host, figures.model, figures.reads, figures.writes, figures.load_seconds))
