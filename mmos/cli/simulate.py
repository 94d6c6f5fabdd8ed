"""`mmos simulate`: replays a workload on simulated fleets. Its clock skips every wait."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from mmos.cli.guard import ERASE_LINE
from mmos.cli.options import Options, shared_options
from mmos.cli.output import print_json
from mmos.cli.styles import style
from mmos.placement.policies import OURS, POLICIES
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.simulation.figures import Figures
    from mmos.simulation.fleetfile import Machines
    from mmos.simulation.html import Table
    from mmos.simulation.replay import ReplayResult
    from mmos.simulation.trace import Call

    Contest: TypeAlias = tuple[Machines, str]
    """A fleet and the policy that it uses."""

TELL_SECONDS = 1.0
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
    "--policy", "policies", multiple=True, type=click.Choice([OURS, *POLICIES, "all"]), default=[OURS], metavar="NAME",
    help=f"How calls find their hosts: {OURS} (what MMOS does), {', '.join(POLICIES)} or all. Repeat it to compare policies.",
)  # fmt: skip
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

    Prints figures and draws a picture: which models were in memory, loading, at work or waiting. The same seed gives the same figures.
    After Ctrl-C, it prints the figures so far and ends with 130.
    """
    from mmos.simulation.figures import figures
    from mmos.simulation.tables import comparison, policies, tables

    if not arguments["traces"] and not arguments["generate"]:
        raise click.UsageError('There is no workload to replay: give --trace FILE, or --generate "jobs=20 rate=0.1/s".')
    fleets = _fleets(arguments["fleets"])
    calls, seed = _workload(arguments, fleets[0]), arguments["seed"]
    contests = _contests(fleets, arguments["policies"])
    replays, finished = _run(contests, calls, seed, arguments["time_scale"])
    results = [figures(replayed) for replayed in replays]
    if len(contests) > len(fleets):
        sheets = [policies(results)]
    else:
        sheets = [sheet for one in results for sheet in tables(one, several=bool(results[1:]))]
        sheets += [comparison(results)] if results[1:] else []
    files = _draw(replays, sheets, arguments["output"])
    if options.json:
        print_json({"version": 1, "seed": seed, "calls": len(calls), "fleets": [one.to_json() for one in results], "files": files})
    else:
        _print(sheets, files)
    _print_problems(results)
    return (0 if not any(one.failed for one in results) else 1) if finished else 130


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
        end, start = ("", ERASE_LINE) if sys.stderr.isatty() else ("\n", "")
        print(f"{start}simulating {where}{done} in {now - self.began:.0f} s", end=end, file=sys.stderr, flush=True)

    def close(self) -> None:
        if sys.stderr.isatty():
            print(ERASE_LINE, end="", file=sys.stderr, flush=True)


def _run(contests: Sequence[Contest], calls: Sequence[Call], seed: int, time_scale: float | None) -> tuple[list[ReplayResult], bool]:
    """What each fleet did, and whether the workload ran to its end on all of them."""
    from mmos.simulation.leap import loop_for

    replays: list[ReplayResult] = []
    progress = Progress(len(contests))
    try:
        for contest in contests:
            with asyncio.Runner(loop_factory=lambda: loop_for(time_scale)) as runner:
                replayed, finished = runner.run(_replay(contest, calls, seed, progress))
            replays.append(replayed)
            if not finished:
                return replays, False
    finally:
        progress.close()
    return replays, True


async def _replay(contest: Contest, calls: Sequence[Call], seed: int, progress: Progress) -> tuple[ReplayResult, bool]:
    from mmos.simulation.replay import Replay

    fleet, policy = contest
    replay = Replay(fleet, calls, policy=policy, seed=seed, progress=progress)
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


def _print(sheets: Sequence[Table], files: Mapping[str, str | None]) -> None:
    for title, heads, rows in sheets:
        click.echo(style(title, "bold"))
        click.echo("\n".join(_aligned([heads, *rows])) + "\n")
    click.echo("\n".join(f"{kind}: {path}" for kind, path in files.items() if path))


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
