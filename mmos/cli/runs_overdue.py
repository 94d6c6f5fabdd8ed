"""`mmos runs resume --overdue`: continues every waiting run that has a question whose deadline has passed."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.output import one_line, print_json
from mmos.cli.resuming import resuming
from mmos.errors import MmosError

if TYPE_CHECKING:
    from mmos.cli.options import Options
    from mmos.journal import Journal

WIDTH = 120


async def resume_overdue(options: Options, terms: dict[str, Any]) -> int:
    """Resume the runs one after the other. One that cannot start does not stop the others. The exit code is the first that reports a failure."""
    async with options.journal() as journal:
        names = await _overdue(journal)
    if not names and not options.json:
        click.echo("No run has a question whose deadline has passed.", err=True)
    ends = [await _resume(options, name, terms) for name in names]
    if options.json:
        print_json({"version": 1, "runs": [document for document, _ in ends]})
    return next((code for _, code in ends if code not in (0, 3)), 0)


async def _overdue(journal: Journal) -> list[str]:
    from mmos.answers import is_overdue
    from mmos.cli.runs_waiting import questions_of
    from mmos.views.listing import RUN_KINDS, runs

    now = journal.now()
    questions = await questions_of(journal, runs(await journal.read(kinds=RUN_KINDS), journal.alive, now))
    return [run for run, found in questions.items() if any(is_overdue(question, now) for question in found)]


async def _resume(options: Options, run: str, terms: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """Resume one run, and print a line about it. Returns its document and its exit code."""
    from mmos.cli.main import exit_code
    from mmos.cli.run import at_home
    from mmos.views.document import failure

    try:
        async with resuming(options, run, terms) as (app, run_options):
            with redirect_stdout(sys.stderr):  # tools may print: that must not mix with the lines on stdout
                answer = await app.resume(run, options=run_options, as_it_was=terms["as_it_was"])
    except MmosError as error:
        click.echo(f"mmos: {run} was not resumed: {error}", err=True)
        return {**failure(error.code, error.message, error.next_step), "run": run}, exit_code(error)
    if not options.json:
        told = answer.text or (answer.reason.message if answer.reason else "")
        click.echo(f"{run}  {answer.status}  {one_line(told, WIDTH)}".rstrip())
    for warning in answer.view.warnings:
        click.echo(f"mmos: warning: {at_home(options, warning)}", err=True)
    return answer.document(), answer.exit_code
