"""`mmos runs list`: lists the runs of a journal."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.finding import thread_id
from mmos.cli.moments import Moment
from mmos.cli.options import Options, options_of, run_to_end, shared_options
from mmos.cli.output import how_long, print_json, when
from mmos.cli.runs_waiting import deadline_of, print_waiting, questions_of, waiting_until
from mmos.cli.tables import table

if TYPE_CHECKING:
    from mmos.events import QuestionAsked
    from mmos.views.listing import RunRow

STATUSES = ("running", "answered", "partial", "waiting", "failed", "cancelled", "interrupted")

filter_options = options_of(
    click.option("--thread", metavar="T", help="Only the runs of this conversation."),
    click.option("--status", "statuses", multiple=True, type=click.Choice(STATUSES), help="Only runs with this status. Repeatable."),
    click.option(
        "--model", metavar="M[@HOST]", help="Only runs that asked this model, or got a reply of it from this host. Without a tag: any tag."
    ),
    click.option(
        "--since", type=Moment(), metavar="WHEN", help="Only runs that started at this time or later: 2026-11-30, 2h ago, 3d ago."
    ),
    click.option(
        "--until",
        type=Moment(end=True),
        metavar="WHEN",
        help="Only runs that started at this time or before: 2026-11-30 (with that day), 2h, 3d.",
    ),
    click.option("--words", metavar="TEXT", default="", help="Only runs whose task or answer has all these words."),
    click.option("--rated", type=click.Choice(["good", "bad"]), help="Only runs with this rating."),
)


@click.command("list")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="Show only the newest N runs.")
@click.option("--waiting", is_flag=True, help="Only runs that wait for an answer, with their questions.")
@filter_options
@shared_options
def list_runs(options: Options, limit: int, *, waiting: bool, **which: Any) -> None:
    """List runs, the newest last. Options select some of them.

    \b
    mmos runs list
    mmos runs list --limit 5 --json
    mmos runs list --waiting
    mmos runs list --status failed --since 3d
    mmos runs list --model qwen3 --words "parser error" --thread notes
    """
    now = time.time()
    rows, questions = run_to_end(lambda: _rows(options, which, limit, now, waiting=waiting))
    if waiting:
        print_waiting(options, [_as_json(row, questions.get(row.run, ())) for row in rows], questions, now)
        return
    if options.json:
        print_json({"version": 1, "runs": [_as_json(row, questions.get(row.run, ())) for row in rows]})
        return
    if not rows and any(value not in ("", (), None) for value in which.values()):
        click.echo("No run fits.", err=True)
    elif not rows:
        click.echo('No runs yet. Try: mmos run --rehearse "Explain what a mutex is"', err=True)
    else:
        shown = (
            (row.run, _status(row, deadline_of(questions.get(row.run, ())), now), when(row.started), how_long(_seconds(row)), row.task)
            for row in rows
        )
        table(("RUN", "STATUS", "STARTED", "TOOK", "TASK"), shown)


async def _rows(
    options: Options, which: dict[str, Any], limit: int, now: float, *, waiting: bool
) -> tuple[list[RunRow], dict[str, list[QuestionAsked]]]:
    """The newest runs that fit, and the open questions of those that wait."""
    from mmos.views.filters import ModelFilter, RunFilter
    from mmos.views.listing import RUN_KINDS, runs

    until = math.inf if which["until"] is None else which["until"]
    async with options.journal() as journal:
        thread = None if which["thread"] is None else await thread_id(journal, which["thread"])
        wanted = RunFilter(thread, which["statuses"], which["since"] or 0.0, until, which["words"], which["rated"] or "")
        found = runs(await journal.read(kinds=RUN_KINDS), journal.alive, now)
        rows = [row for row in found if wanted.fits(row) and (row.status == "waiting" or not waiting)]
        if which["model"] is not None and rows:
            model = ModelFilter(which["model"])
            asked = await journal.runs_with(model.kind, model.part, model.fits, thread=thread)
            rows = [row for row in rows if row.run in asked]
        rows = rows[-limit:]
        return rows, await questions_of(journal, rows)


def _seconds(row: RunRow) -> float:
    return round(max(0.0, row.ended - row.started), 3)


def _status(row: RunRow, deadline: float | None, now: float) -> str:
    marks = [f"{row.status}{waiting_until(deadline, now)}", "rehearsed" if row.rehearsed else "", "forked" if row.origin else ""]
    return ", ".join(filter(None, [*marks, ("good" if row.rating.good else "bad") if row.rating else ""]))


def _as_json(row: RunRow, questions: Sequence[QuestionAsked]) -> dict[str, Any]:
    from mmos.views.document import rating

    return {
        "run": row.run, "thread": row.thread, "status": row.status, "task": row.task, "files": list(row.files), "started": row.started,
        "seconds": _seconds(row), "rehearsed": row.rehearsed, "rating": rating(row.rating), "origin": row.origin or None,
        "deadline": deadline_of(questions),
    }  # fmt: skip
