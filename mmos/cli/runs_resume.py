"""`mmos runs resume` and `mmos runs answer`: continue a run."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import click

from mmos.cli.finding import run_id
from mmos.cli.options import Options, limits, run_to_end, shared_options
from mmos.cli.resuming import resuming
from mmos.cli.run import at_home
from mmos.cli.runs_overdue import resume_overdue

terms_of_resuming = limits(
    timeout="End the run after this time from now on, like 90 or 5m.",
    turns="Limit the turns of the arbiter.",
    calls="Limit the tool calls of the whole run.",
    questions="What to do when a model asks again. Default: as before.",
)


as_it_was_option = click.option(
    "--as-it-was/--as-today",
    default=None,
    help="Go on with the prompts, the schemas of tools and the options that the run has used, or with those of today. Default: as the run was last resumed; at first, as today.",
)


_NUMBER = re.compile(r"-\.?\d[\d.]*(e[+-]?\d+)?", re.IGNORECASE)


class _Answering(click.Command):
    """Takes an answer like -3 as a text, and not as an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.ignore_unknown_options = any(_NUMBER.fullmatch(arg) for arg in args)
        return super().parse_args(ctx, args)


@click.command(cls=_Answering)
@click.argument("run")
@click.argument("text")
@click.option("--question", metavar="ID", help="The question to answer. Needed if the run has several open ones.")
@as_it_was_option
@terms_of_resuming
@shared_options
def answer(options: Options, run: str, text: str, question: str | None, **terms: Any) -> int:
    """Answer the question of RUN with TEXT, and resume the run.

    TEXT may be the number of an option, and for a file its path. The first answer counts. It is kept even if the run cannot be resumed now.

    \b
    mmos runs answer 9F3K "Call it heron."
    mmos runs answer 9F3K --question q2 yes
    """
    return run_to_end(lambda: _answer(options, run, text, question, terms))


@click.command()
@click.argument("run", required=False)
@click.option("--overdue", is_flag=True, help="Resume every waiting run that has a question whose deadline has passed.")
@as_it_was_option
@terms_of_resuming
@shared_options
def resume(options: Options, run: str | None, *, overdue: bool, **terms: Any) -> int:
    """Resume RUN after a crash, a failure or a question. Finished work is not repeated.

    With --overdue, name no run. The questions then get their defaults. A cron job may do this.

    \b
    mmos runs resume 9F3K
    mmos runs resume 9F3K --timeout 300
    mmos runs resume 9F3K --as-it-was
    mmos runs resume --overdue
    """
    if overdue == (run is not None):
        raise click.UsageError("Name a run, or give --overdue.")
    if run is None:
        return run_to_end(lambda: resume_overdue(options, terms))
    return run_to_end(lambda: _resume(options, run, terms))


async def _answer(options: Options, run: str, text: str, question: str | None, terms: dict[str, Any]) -> int:
    """Record the answer before anything of the run is opened, so that it stays when the run cannot go on now."""
    from mmos.app.answering import give_answer
    from mmos.errors import LateAnswer

    options = replace(options, timeout=terms["timeout"])
    async with options.journal() as journal:
        name = await run_id(journal, run)
    kept = "Your answer is kept"
    async with options.journal(read_only=False) as journal:
        try:
            await give_answer(journal, name, text, question=question)
        except LateAnswer as error:
            click.echo(f"mmos: {error}", err=True)
            kept = "The default is kept"
    code: int | None = None
    try:
        code = await _resume(options, name, terms)
    finally:
        if code not in (0, 3):
            click.echo(f"mmos: {kept}. To continue the run: {at_home(options, f'mmos runs resume {name}')}", err=True)
    return code


async def _resume(options: Options, run: str, terms: dict[str, Any]) -> int:
    from mmos.cli.run import Show, run_and_print

    options = replace(options, timeout=terms["timeout"])
    async with options.journal() as journal:
        name = await run_id(journal, run)
    async with resuming(options, name, terms) as (app, run_options):
        return await run_and_print(options, app, run_options, Show(), name, as_it_was=terms["as_it_was"])
