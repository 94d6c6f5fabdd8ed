"""`mmos runs rate`: keeps whether a run was good."""

from __future__ import annotations

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import print_json


@click.command()
@click.argument("run")
@click.argument("rating", type=click.Choice(["good", "bad"]))
@click.option("--note", default="", metavar="TEXT", help="Why.")
@shared_options
def rate(options: Options, run: str, rating: str, note: str) -> None:
    """Rate RUN as good or bad. The newest rating counts.

    \b
    mmos runs rate 9F3K good
    mmos runs rate 9F3K bad --note "It forgot the time zone."
    mmos runs list --rated bad
    """
    name = run_to_end(lambda: _rate(options, run, rating, note))
    if options.json:
        print_json({"version": 1, "run": name, "rating": {"good": rating == "good", "note": note}})
    else:
        click.echo(f"Run {name} is rated {rating}.", err=True)


async def _rate(options: Options, run: str, rating: str, note: str) -> str:
    from mmos.app.records import Records

    async with options.journal(read_only=False) as journal:
        records = Records(journal)
        name = await records.find(run)
        await records.rate(name, good=rating == "good", note=note)
    return name
