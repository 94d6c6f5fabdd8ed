"""`mmos runs replay`: compares runs of the journal with what today's code, prompts and configuration would do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import click

from mmos.cli.finding import thread_id
from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json, when
from mmos.cli.resuming import on_its_fleet, outline
from mmos.cli.text import flat, harmless

if TYPE_CHECKING:
    from mmos.app import App
    from mmos.errors import MmosError
    from mmos.journal import Journal
    from mmos.replay.report import Comparison, Replay

VERSION = 1
INDENT = " " * 10


@click.command()
@click.argument("run", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Replay every run in the journal.")
@click.option("--thread", metavar="T", help="Replay every run of the conversation with this name or id.")
@shared_options
def replay(options: Options, run: tuple[str, ...], thread: str | None, *, everything: bool) -> int:
    """Replay RUN from the journal, and show where it would go another way today.

    MMOS makes each request of the run again, byte for byte, and compares it with the request that today's code, prompts and
    configuration would send in its place. It also compares what MMOS reads in the replies, the messages and the results of
    built-in tools, and the answer. No host is asked, and none of your functions runs.

    \b
    mmos runs replay 9F3K
    mmos runs replay 9F3K 2BQX --json
    mmos runs replay --all -c orchestration.yaml
    mmos runs replay --thread build

    Exit codes: 0 all is the same today, 1 something differs, 2 wrong usage or configuration.
    """
    if sum((bool(run), everything, thread is not None)) != 1:
        raise click.UsageError("Name a run, or several, or a thread with --thread, or give --all.")
    return run_to_end(lambda: _replay(options, run, thread))


async def _replay(options: Options, names: Sequence[str], thread: str | None) -> int:
    from mmos.errors import MmosError

    async with options.journal() as journal:
        runs = await _selected(journal, names, thread)
        found: list[Replay] = []
        failed: dict[str, MmosError] = {}
        async for name, result in _each(options, journal, runs):
            if isinstance(result, MmosError):
                failed[name] = result
                continue
            found.append(result)
            if not options.json:
                for line in _whole(result) if len(runs) == 1 else [_line(result)]:
                    click.echo(line)
    if len(runs) == 1 and failed:
        raise failed[runs[0]]
    for name, error in failed.items():
        click.echo(f"mmos: {name} cannot be replayed: {error}", err=True)
    same = not failed and all(one.same for one in found)
    if options.json:
        errors = [{"run": name, "code": error.code, "message": str(error)} for name, error in failed.items()]
        print_json({"version": VERSION, "same": same, "runs": [one.document() for one in found], "failed": errors})
    elif not runs:
        click.echo("There are no runs.", err=True)
    return 0 if same else 1


async def _selected(journal: Journal, names: Sequence[str], thread: str | None) -> list[str]:
    """The runs that the user names, each once."""
    from mmos.views.listing import STARTS, find_run

    starts = await journal.read(kinds=STARTS)
    if thread is not None:
        wanted = await thread_id(journal, thread)
        return [start.run for start in starts if start.run and start.thread == wanted]
    return list(dict.fromkeys([find_run(starts, name) for name in names] or filter(None, (start.run for start in starts))))


async def _each(options: Options, journal: Journal, runs: Sequence[str]) -> AsyncIterator[tuple[str, Replay | MmosError]]:
    """Each run with its replay, or with the reason why it has none. Runs with the same configuration share an app."""
    from mmos.errors import MmosError

    groups: dict[Options, list[str]] = {}
    for name in runs:
        try:
            groups.setdefault(on_its_fleet(options, await outline(journal, name)), []).append(name)
        except MmosError as error:
            yield name, error
    for fleet, members in groups.items():
        left = list(members)
        try:
            async with _app(fleet) as app:
                while left:
                    yield left[0], await _one(app, journal, left.pop(0))
        except MmosError as error:  # of the configuration
            for name in left:
                yield name, error


async def _one(app: App, journal: Journal, name: str) -> Replay | MmosError:
    from mmos.errors import MmosError

    try:
        return await app.replay(name, journal=journal)
    except MmosError as error:
        return error


@asynccontextmanager
async def _app(options: Options) -> AsyncIterator[App]:
    """An app that keeps nothing. The journal of the runs is only read."""
    from mmos.app import open_app
    from mmos.cli.app import ask_for_trust, config_of

    async with config_of(options) as config, open_app(await ask_for_trust(options, config), rehearsed=options.rehearse) as app:
        yield app


# ---------------------------------------------------------------- what it shows


def _whole(replay: Replay) -> Iterator[str]:
    """The run as it happened, with what would differ today below each step."""
    from mmos.cli.trace import each_told

    steps = {step.entry.seq: step for step in replay.comparisons}
    yield f"run {replay.run} · {when(replay.entries[0].time)}"
    for entry, told in each_told(replay.entries):
        yield from told
        if (step := steps.get(entry.seq)) is not None:
            yield from _marks(step)
    yield ""
    yield f"{replay.run}: {flat(replay.summary())}"


def _marks(step: Comparison) -> Iterator[str]:
    if step.unknown:
        yield f"{INDENT}  not compared: {flat(step.unknown)}"
    for difference in step.differences:
        yield f"{INDENT}≠ {flat(difference.part)} in {flat(step.place)}"
        yield from (f"{INDENT}  {harmless(line)}" for line in difference.lines())


def _line(replay: Replay) -> str:
    """One line for each of several runs."""
    return f"{replay.run} {'same' if replay.same else 'differs'} · {flat(replay.summary())}"
