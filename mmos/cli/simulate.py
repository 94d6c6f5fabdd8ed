"""`mmos simulate`: replays a workload on simulated fleets. Its clock skips every wait."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from mmos.cli.guard import ERASE_LINE
from mmos.cli.options import Options, Seconds, run_to_end, shared_options
from mmos.cli.output import draws, print_json
from mmos.cli.styles import style
from mmos.placement.policies import OURS, POLICIES
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.simulation.figures import Figures
    from mmos.simulation.fleetfile import Machines
    from mmos.simulation.html import Table
    from mmos.simulation.outages import Outage
    from mmos.simulation.race import Lane
    from mmos.simulation.replay import Replay, ReplayResult
    from mmos.simulation.trace import Call

    Contest: TypeAlias = tuple[Machines, str]
    """A fleet and the policy that it uses."""

TELL_SECONDS = 1.0
RACE_SECONDS = 30.0
NOTE = "The simulation uses rehearsal hosts, MMOS's real placement and the hosts' own seconds."


@click.command()
@click.option(
    "--fleet", "fleets", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
    help="A fleet file. Repeat it to compare fleets. Default: the default fleet of `mmos rehearse`.",
)  # fmt: skip
@click.option(
    "--trace", "traces", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
    help="A workload from `mmos runs export --trace`. Repeat it to run several together.",
)  # fmt: skip
@click.option(
    "--generate", metavar="WORDS",
    help="Generate a workload: jobs=20 rate=0.1/s consult=2 prompt=1200 output=300 think=0.1 window=8192 arbiter=MODEL specialists=A,B.",
)  # fmt: skip
@click.option(
    "--policy", "policies", multiple=True, type=click.Choice([OURS, *POLICIES, "all"]), metavar="NAME",
    help=f"How calls find their hosts: {OURS} (what MMOS does), {', '.join(POLICIES)} or all. Repeat it to compare policies. Default: {OURS}.",
)  # fmt: skip
@click.option(
    "--race", is_flag=False, flag_value="", metavar="[FILE]",
    help="Show at the terminal how four policies serve the same calls, and which one wins. FILE: a fleet file. Default: a built-in fleet and workload.",
)  # fmt: skip
@click.option("--seconds", type=Seconds(1.0), metavar="SECONDS", help="How long --race takes, like 10 or 1m. Default: 30.")
@click.option("--model", "models", multiple=True, metavar="OLD=NEW", help="Replace a model of the workload by another one.")
@click.option(
    "--time-scale", type=click.FloatRange(min=0, min_open=True, max=10_000), metavar="X",
    help="Run X times as fast as real time instead of skipping waits.",
)  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, metavar="N", help="Seed of the generated workload.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("simulation"),
    show_default=True,
    metavar="DIR",
    help="The folder for the pictures.",
)
@shared_options
def simulate(options: Options, **arguments: Any) -> int:
    """Replay a workload on a simulated fleet, and see what its machines do.

    \b
    mmos runs export --all --trace > trace.jsonl
    mmos simulate --trace trace.jsonl --fleet today.yaml --fleet with-24gb.yaml
    mmos simulate --generate "jobs=50 rate=0.2/s"
    mmos simulate --race

    Prints figures and draws a picture: which models were in memory, loading, at work or waiting. The same seed gives the same figures.
    After Ctrl-C, it prints the figures so far and ends with 130.
    """
    from mmos.simulation.figures import figures
    from mmos.simulation.tables import comparison, policies, tables

    if arguments["race"] is not None:
        return _race(options, arguments)
    if arguments["seconds"] is not None:
        raise click.UsageError("--seconds is for --race. The other figures come at once.")
    if not arguments["traces"] and not arguments["generate"]:
        raise click.UsageError('There is no workload to replay: give --trace FILE, or --generate "jobs=20 rate=0.1/s".')
    fleets = _fleets(arguments["fleets"])
    calls = _workload(arguments, fleets[0])
    contests = _contests(fleets, arguments["policies"] or [OURS])
    replays, finished = _run(contests, calls, arguments)
    results = [figures(replayed) for replayed in replays]
    if len(contests) > len(fleets):
        sheets = [policies(results)]
    else:
        sheets = [sheet for one in results for sheet in tables(one, several=bool(results[1:]))]
        sheets += [comparison(results)] if results[1:] else []
    files = _draw(replays, sheets, arguments["output"])
    if options.json:
        print_json(_document(arguments, calls, results) | {"files": files})
    else:
        _print(sheets, files)
    _print_problems(results)
    return (0 if not any(one.failed for one in results) else 1) if finished else 130


def _race(options: Options, arguments: dict[str, Any]) -> int:
    """Run the same calls with each policy, then show what happened."""
    from mmos.simulation import race
    from mmos.simulation.figures import figures

    files = [Path(arguments["race"])] if arguments["race"] else []
    fleets = _fleets([*files, *arguments["fleets"]] or [race.FLEET])
    if len(fleets) > 1:
        raise click.UsageError("A race has one fleet: give one fleet file.")
    if not arguments["traces"] and not arguments["generate"]:
        arguments["generate"] = race.WORKLOAD
    calls = _workload(arguments, fleets[0])
    contests = _contests(fleets, arguments["policies"] or race.RACERS)
    replays, finished = _run(contests, calls, arguments, race.outage(fleets[0], calls))
    lanes = [race.Lane(replayed) for replayed in replays]
    if options.json:
        print_json(_document(arguments, calls, list(map(figures, replays))) | race.outcome(lanes))
    else:
        finished = _show(lanes, arguments["seconds"] or RACE_SECONDS, finished)
    return 0 if finished else 130


def _show(lanes: Sequence[Lane], seconds: float, finished: bool) -> bool:
    """Play the race at a terminal, and print its table. Returns whether it was seen to its end."""
    from mmos.cli.race import play, results, verdict

    end = moment = max(lane.end for lane in lanes)
    if finished and draws(sys.stdout):
        moment = run_to_end(lambda: play(lanes, seconds))
    _print([results(lanes, moment)], {})
    if finished and moment >= end:
        click.echo(verdict(lanes))
    return finished and moment >= end


# ---------------------------------------------------------------- what is replayed, on what


def _fleets(paths: Sequence[Path]) -> list[Machines]:
    from mmos.simulation.fleetfile import built_in, read_fleet

    fleets = [read_fleet(path) for path in paths] or [built_in()]
    names = [fleet.name for fleet in fleets]
    return [
        replace(fleet, name=fleet.name if names.count(fleet.name) == 1 else str(path))
        for fleet, path in zip(fleets, paths or [Path()], strict=True)
    ]


def _contests(fleets: Sequence[Machines], chosen: Sequence[str]) -> list[Contest]:
    """Each fleet with each policy."""
    policies = [OURS, *POLICIES] if "all" in chosen else list(dict.fromkeys(chosen))
    if len(policies) == 1:
        return [(fleet, policies[0]) for fleet in fleets]
    return [(replace(fleet, name=f"{fleet.name}, {policy}"), policy) for fleet in fleets for policy in policies]


def _workload(arguments: dict[str, Any], fleet: Machines) -> list[Call]:
    from mmos.simulation.serving import roles_of
    from mmos.simulation.trace import joined, read_trace
    from mmos.simulation.workload import Workload

    parts = [read_trace(path) for path in arguments["traces"]]
    if arguments["generate"]:
        parts.append(Workload.parse(arguments["generate"]).with_roles(roles_of(fleet)).calls(arguments["seed"]))
    others = dict(map(_pair, arguments["models"]))
    return [replace(call, model=others.get(call.model, call.model)) for call in joined(parts)]


def _pair(text: str) -> tuple[str, str]:
    old, sign, new = text.partition("=")
    if not sign or not old or not new:
        raise click.BadParameter(f"{text!r} is not OLD=NEW", param_hint="--model")
    return old, new


# ---------------------------------------------------------------- the replay


@dataclass
class Progress:
    """Shows progress on stderr once a second if the simulation takes long."""

    fleets: int
    began: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)

    def __call__(self, replayed: ReplayResult) -> None:
        now = time.monotonic()
        if now - self.last < TELL_SECONDS:
            return
        self.last = now
        done = f"{len(replayed.calls)} of {counted(replayed.call_count, 'call')}, {max(one.end for one in replayed.calls):.0f} s of the hosts' time"
        where = f"{replayed.machines.name}: " if self.fleets > 1 else ""
        text = f"simulating {where}{done} in {now - self.began:.0f} s"
        if sys.stderr.isatty():
            print(ERASE_LINE + text[: shutil.get_terminal_size().columns - 1], end="", file=sys.stderr, flush=True)
        else:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        if sys.stderr.isatty():
            print(ERASE_LINE, end="", file=sys.stderr, flush=True)


def _run(
    contests: Sequence[Contest], calls: Sequence[Call], arguments: Mapping[str, Any], outage: Outage | None = None
) -> tuple[list[ReplayResult], bool]:
    """What each fleet did, and whether the workload ran to its end on all of them. They have the outage at the same time."""
    from mmos.simulation.leap import loop_for
    from mmos.simulation.replay import Replay

    replays: list[ReplayResult] = []
    progress = Progress(len(contests))
    try:
        for fleet, policy in contests:
            make = partial(Replay, fleet, calls, policy=policy, outage=outage, seed=arguments["seed"], progress=progress)
            with asyncio.Runner(loop_factory=lambda: loop_for(arguments["time_scale"])) as runner:
                replayed, finished = runner.run(_replay(make))
            replays.append(replayed)
            outage = replayed.outage or outage
            if not finished:
                return replays, False
    finally:
        progress.close()
    return replays, True


async def _replay(make: Callable[[], Replay]) -> tuple[ReplayResult, bool]:
    replay = make()
    task = asyncio.ensure_future(replay.run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM) if sys.platform != "win32" else ():
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return replay.result, False
    return replay.result, True


# ---------------------------------------------------------------- what is shown


def _document(arguments: Mapping[str, Any], calls: Sequence[Call], results: Sequence[Figures]) -> dict[str, Any]:
    return {"version": 1, "seed": arguments["seed"], "calls": len(calls), "fleets": [one.to_json() for one in results]}


def _print(sheets: Sequence[Table], files: Mapping[str, str | None]) -> None:
    for title, heads, rows in sheets:
        click.echo(style(title, "bold"))
        click.echo("\n".join(_aligned([heads, *rows])) + "\n")
    for kind, path in files.items():
        if path:
            click.echo(f"{kind}: {path}")


def _print_problems(results: Sequence[Figures]) -> None:
    for figures in results:
        for error in figures.errors[:5]:
            click.echo(f"mmos: {figures.fleet}: {error}", err=True)
        if figures.unfinished:
            click.echo(
                f"mmos: {figures.fleet}: {counted(figures.unfinished, 'call was', 'calls were')} not replayed. The figures are those of the other calls.",
                err=True,
            )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align figures right and words left."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    words = [column[1][:1].isalpha() if len(column) > 1 else True for column in columns]
    lines = [
        [cell.ljust(width) if word else cell.rjust(width) for cell, word, width in zip(row, words, widths, strict=True)] for row in rows
    ]
    return ["  ".join(cells).rstrip() for cells in lines]


def _draw(replays: Sequence[ReplayResult], sheets: Sequence[Table], output: Path) -> dict[str, str | None]:
    """Write the picture as HTML, and as PNG if that is possible."""
    from mmos.simulation import png
    from mmos.simulation.html import page
    from mmos.simulation.picture import picture

    drawing = picture(replays)
    html, image = output / "simulation.html", output / "simulation.png"
    try:
        output.mkdir(parents=True, exist_ok=True)
        html.write_text(page("mmos simulate", NOTE, drawing, sheets), encoding="utf-8")
        if png.can_draw():
            png.write_png(drawing, image)
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written to: {error.strerror}.") from None
    if not png.can_draw():
        click.echo(f"mmos: {png.MISSING}", err=True)
    return {"html": str(html), "png": str(image) if png.can_draw() else None}
