"""`mmos runs list`: lists the runs of a journal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import how_long, print_json, when
from mmos.cli.runs_waiting import deadline_of, print_waiting, questions_of, waiting_until
from mmos.cli.tables import table

if TYPE_CHECKING:
    from mmos.events import QuestionAsked


@click.command("list")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="Show only the newest N runs.")
@click.option("--waiting", is_flag=True, help="Show only runs that wait for an answer, with their questions.")
@shared_options
def list_runs(options: Options, limit: int, *, waiting: bool) -> None:
    """List runs, the newest last.

    \b
    mmos runs list
    mmos runs list --limit 5 --json
    mmos runs list --waiting
    """
    now = time.time()
    rows, questions = run_to_end(lambda: _rows(options, limit, now, waiting=waiting))
    if waiting:
        print_waiting(options, rows, questions, now)
        return
    if options.json:
        print_json({"version": 1, "runs": rows})
        return
    if not rows:
        click.echo('No runs yet. Try: mmos run --rehearse "Explain what a mutex is"', err=True)
        return
    shown = (
        (
            row["run"],
            f"{row['status']}{waiting_until(row['deadline'], now)}{', rehearsed' if row['rehearsed'] else ''}",
            when(row["started"]),
            how_long(row["seconds"]),
            row["task"],
        )
        for row in rows
    )
    table(("RUN", "STATUS", "STARTED", "TOOK", "TASK"), shown)


async def _rows(options: Options, limit: int, now: float, *, waiting: bool) -> tuple[list[dict[str, Any]], dict[str, list[QuestionAsked]]]:
    """The newest runs, and the open questions of those that wait."""
    from mmos.views.listing import RUN_KINDS, runs

    async with options.journal() as journal:
        found = [row for row in runs(await journal.read(kinds=RUN_KINDS), journal.alive, now) if row.status == "waiting" or not waiting]
        found = found[-limit:]
        questions = await questions_of(journal, found)
    rows = [
        {
            "run": row.run, "thread": row.thread, "status": row.status, "task": row.task, "files": list(row.files),
            "started": row.started, "seconds": round(max(0.0, row.ended - row.started), 3), "rehearsed": row.rehearsed,
            "deadline": deadline_of(questions.get(row.run, ())),
        }
        for row in found
    ]  # fmt: skip
    return rows, questions
