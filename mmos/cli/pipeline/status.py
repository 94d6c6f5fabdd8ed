"""`mmos pipeline status`: says which backends of the pipelines answer, and how their last runs ended."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import how_long, print_json, when
from mmos.cli.pipeline.list import NONE, as_json
from mmos.cli.tables import Cell, table

if TYPE_CHECKING:
    from mmos.config.load import Config
    from mmos.config.pipelines import Step
    from mmos.fleet.survey import HostState

HEADS = ("PIPELINE", "STEP", "MODEL", "STATE", "HOSTS")
MOST_RUNS = 3


@dataclass(frozen=True)
class LastRun:
    """A time when a pipeline worked."""

    run: str
    at: float
    status: str
    """running: its end is not written."""
    seconds: float


@click.command()
@click.argument("pipelines", nargs=-1)
@shared_options
def status(options: Options, pipelines: tuple[str, ...]) -> int:
    """Say of each backend of the pipelines whether it answers and has its model, and how the last runs ended.

    MMOS asks all hosts at once. Exit code 4 if no host answers, 1 if a pipeline that is enabled lacks a backend.

    \b
    mmos pipeline status
    mmos pipeline status refine-pro --json
    """
    return run_to_end(lambda: _status(options, pipelines))


async def _status(options: Options, names: Sequence[str]) -> int:
    from mmos.cli.fleet import fleet_of, states_of
    from mmos.config.pipelines import pipelines_of, steps_of

    async with fleet_of(options) as (config, fleet):
        found = pipelines_of(config)
        wanted = _named(names, found) or list(found)
        states = await states_of(config, fleet, ()) if wanted else []
    steps = {name: [(step, *_state(step, states)) for step in steps_of(config, name)] for name in wanted}
    runs = await _last_runs(options, wanted)
    if options.json:
        print_json({"version": 1, "pipelines": [_as_json(config, name, steps[name], runs.get(name, ())) for name in wanted]})
    elif wanted:
        table(HEADS, (_row(name, index, row) for name in wanted for index, row in enumerate(steps[name])))
        _print_runs(wanted, runs)
    else:
        click.echo(NONE, err=True)
    if states and not any(state.reachable for state in states):
        return 4
    lacking = [name for name in wanted if found[name].enabled and any(state != "ready" for _, state, _ in steps[name])]
    return 1 if lacking else 0


def _named(names: Sequence[str], found: Mapping[str, object]) -> list[str]:
    """The pipelines that the command line names. Each must be there."""
    for name in names:
        if name not in found:
            from mmos.config.wording import perhaps
            from mmos.errors import UsageError

            raise UsageError(f"There is no pipeline {name!r}{perhaps(name, found) or '.'}", next_step="`mmos pipeline list` lists them.")
    return [*dict.fromkeys(names)]


def _state(step: Step, states: Sequence[HostState]) -> tuple[str, list[str]]:
    """Whether a backend can work, and the hosts that it can work on."""
    if step.role is None:
        return "ready" if step.member.model else "unknown", []
    may = [state for state in states if not step.role.servers or state.name in step.role.servers]
    there = [state.name for state in may if state.reachable and state.has(step.role.model)]
    if there:
        return "ready", there
    if not any(state.reachable for state in may):
        return "no answer", [state.name for state in may]
    return "no such model", [state.name for state in may if state.reachable]


def _row(name: str, index: int, row: tuple[Step, str, list[str]]) -> list[Cell]:
    step, state, hosts = row
    model = step.role.model if step.role else step.member.model or ""
    shown: Cell = state if state == "ready" else (state, "warning")
    return ["" if index else name, f"{index + 1}. {step.name}", model, shown, ", ".join(hosts)]


def _print_runs(names: Sequence[str], runs: Mapping[str, Sequence[LastRun]]) -> None:
    rows = [[name, one.run, one.status, when(one.at), how_long(one.seconds)] for name in names for one in runs.get(name, ())]
    if rows:
        click.echo()
        table(("PIPELINE", "RUN", "ENDED", "STARTED", "TOOK"), rows)


def _as_json(config: Config, name: str, rows: Sequence[tuple[Step, str, list[str]]], runs: Sequence[LastRun]) -> dict[str, Any]:
    document = as_json(config, name)
    for step, (_, state, hosts) in zip(document["steps"], rows, strict=True):
        step |= {"state": state, "hosts": hosts}
    last = [{"run": one.run, "status": one.status, "started": one.at, "seconds": round(one.seconds, 3)} for one in runs]
    return {**document, "runs": last}


async def _last_runs(options: Options, names: Sequence[str]) -> dict[str, list[LastRun]]:
    """The newest runs of each pipeline, the newest last."""
    from mmos.pattern_events import PatternBegun, PatternEnded

    if not (options.found_state() / "journal.db").is_file():
        return {}
    async with options.journal() as journal:
        entries = await journal.read(kinds=(PatternBegun.kind, PatternEnded.kind))
    ends = {(entry.run, entry.event.pattern): entry.event for entry in entries if isinstance(entry.event, PatternEnded)}
    last: dict[str, list[LastRun]] = {}
    for entry in entries:
        begun = entry.event
        if isinstance(begun, PatternBegun) and begun.name in names:
            end = ends.get((entry.run, begun.pattern))
            seconds = end.seconds if end else max(0.0, time.time() - entry.time)
            last.setdefault(begun.name, []).append(LastRun(entry.run, entry.time, end.status if end else "running", seconds))
    return {name: found[-MOST_RUNS:] for name, found in last.items()}
