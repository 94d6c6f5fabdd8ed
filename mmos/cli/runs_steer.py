"""`mmos runs steer`: writes to the models of a run that talk with each other."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.run import at_home
from mmos.cli.text import flat

if TYPE_CHECKING:
    from mmos.views.run import RunView


@click.command()
@click.argument("run")
@click.argument("text")
@shared_options
def steer(options: Options, run: str, text: str) -> None:
    """Write TEXT to the models of RUN that talk with each other. All of them and the arbiter read it before they write again.

    TEXT may be -, and is then read from standard input.

    \b
    mmos runs steer 9F3K "Do not change the public interface."
    git log -5 | mmos runs steer 9F3K -

    Exit codes: 0 the text is kept for them, 2 no conversation goes on in the run.
    """
    text = sys.stdin.read() if text == "-" else text
    view, working = run_to_end(lambda: _steer(options, run, text))
    talk = [one for one in view.talks.by_id.values() if one.closed is None][-1]
    if options.json:
        steered = talk.steered[-1]
        print_json({"version": 1, "run": view.run, "conversation": steered.talk, "text": steered.text, "working": working})
        return
    who = ", ".join(map(flat, (*talk.opened.participants, talk.opened.arbiter)))
    when = "before they write again" if working else f"when the run goes on: {at_home(options, f'mmos runs resume {view.run}')}"
    click.echo(f"{who} read this {when}.", err=True)


async def _steer(options: Options, run: str, text: str) -> tuple[RunView, bool]:
    from mmos.app.records import Records
    from mmos.views.listing import at_work
    from mmos.views.run import RunView

    async with options.journal(read_only=False) as journal:
        records = Records(journal)
        name = await records.find(run)
        await records.steer(name, text)
        view = RunView.of(await journal.read(run=name))
    return view, at_work(view, journal.alive)
