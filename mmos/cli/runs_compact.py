"""`mmos runs compact`: makes the journal smaller after deletions."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import how_much, print_json

if TYPE_CHECKING:
    from mmos.journal import Journal


@click.command()
@shared_options
def compact(options: Options) -> None:
    """Write the journal anew, without the gaps that deleted runs left. It deletes nothing.

    MMOS needs room for two more copies of the journal meanwhile. It refuses while a run is at work. Other processes can read the journal.

    \b
    mmos runs delete --older-than 30d --yes
    mmos runs compact
    """
    before, after = run_to_end(lambda: _compact(options))
    if options.json:
        print_json({"version": 1, "bytes_before": before, "bytes_after": after})
    elif not before:
        click.echo("There is no journal yet.", err=True)
    else:
        click.echo(f"The journal had {how_much(before)} and has {how_much(after)} now.", err=True)


async def _compact(options: Options) -> tuple[int, int]:
    async with options.journal() as journal:
        if not journal.size:  # opening it to write would make one
            return 0, 0
        await _check_idle(options, journal)
    async with options.journal(read_only=False) as journal:
        before = journal.size
        await journal.compact()
        return before, journal.size


async def _check_idle(options: Options, journal: Journal) -> None:
    """Raise if a run is at work. It cannot write meanwhile, and would lose its events if this takes long."""
    from mmos.cli.run import at_home
    from mmos.errors import UsageError
    from mmos.views.listing import RUN_KINDS, runs

    found = runs(await journal.read(kinds=RUN_KINDS), journal.alive, time.time())
    if busy := [row.run for row in found if row.status == "running"]:
        raise UsageError(
            f"Still at work: {', '.join(busy)}.", next_step=f"Wait for its end, or stop it: {at_home(options, 'mmos runs cancel RUN')}"
        )
