"""`mmos threads compact`: has the older exchanges of a conversation summarised."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.app.compacting import Compaction


@click.command()
@click.argument("thread")
@shared_options
def compact(options: Options, thread: str) -> None:
    """Have all exchanges of THREAD but the newest summarised by a model, so that its next prompts are shorter.

    What you said stays in the prompts. Models can still read the whole, and `mmos threads show` shows it.

    \b
    mmos threads compact notes
    """
    done = run_to_end(lambda: _compact(options, thread))
    if options.json:
        print_json({"version": 1, **asdict(done)})
        return
    click.echo(sentence(done), err=True)


async def _compact(options: Options, thread: str) -> Compaction:
    from mmos.cli.app import app_of

    async with app_of(options) as app:
        return await app.compact(thread)


def sentence(done: Compaction) -> str:
    """What compacting a conversation brought."""
    if not done.exchanges and done.before:
        return f"A summary is not shorter: {done.after:,} tokens in place of {done.before:,}. The conversation stays as it is."
    if not done.exchanges:
        return "There is nothing to summarise: the newest exchange always stays as it is."
    return f"{counted(done.exchanges, 'exchange')} became a summary by {done.by}: {done.before:,} to {done.after:,} tokens."
