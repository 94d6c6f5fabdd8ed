"""`mmos runs diff`: shows the first step in which two runs differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.run import at_home
from mmos.cli.text import flat, harmless
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.replay.parting import Parting

VERSION = 1


@click.command()
@click.argument("run")
@click.argument("other")
@shared_options
def diff(options: Options, run: str, other: str) -> int:
    """Show the first step in which RUN and OTHER differ, and how to take that turn again.

    MMOS compares every request, every reply, every result of a tool, and the end. The ids of runs and calls, times and hosts do not count.

    \b
    mmos runs diff 9F3K 2BQX
    mmos runs diff 9F3K 2BQX --json

    Exit codes: 0 the runs are the same, 1 they differ, 2 wrong usage.
    """
    return run_to_end(lambda: _diff(options, run, other))


async def _diff(options: Options, run: str, other: str) -> int:
    from mmos.replay.parting import parting
    from mmos.replay.state import around
    from mmos.views.listing import STARTS, find_run

    async with options.journal() as journal:
        starts = await journal.read(kinds=STARTS)
        names = [find_run(starts, name) for name in (run, other)]
        first, second = [await around(journal, name) for name in names]
    found = parting(names[0], first, names[1], second)
    if options.json:
        print_json(_document(options, found))
    else:
        for line in _lines(options, found):
            click.echo(line)
    return 0 if found.same else 1


def _document(options: Options, found: Parting) -> dict[str, object]:
    return {
        "version": VERSION, "same": found.same, "runs": [found.one, found.other], "turns": found.turns,
        "place": found.place or None, "turn": found.turn or None, "fork": at_home(options, found.fork) if found.fork else None,
        "differences": [{"part": each.part, "one": each.then, "other": each.now} for each in found.differences],
    }  # fmt: skip


def _lines(options: Options, found: Parting) -> Iterator[str]:
    if found.same:
        yield f"The runs are the same: {counted(found.turns, 'turn')}, and the same end."
        return
    yield f"The runs are the same for {counted(found.turns, 'turn')}." if found.turns else "The runs differ from the first turn on."
    for difference in found.differences:
        yield f"≠ {flat(difference.part)} in {flat(found.place)}"
        yield from (f"  {harmless(line)}" for line in difference.lines())
    if found.fork:
        yield f"Take this turn again: {at_home(options, found.fork)}"
