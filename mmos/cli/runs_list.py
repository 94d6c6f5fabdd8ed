"""`mmos runs list`: lists the runs of a journal."""

from __future__ import annotations

import time
from typing import Any

import click

from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import how_long, print_json, when
from mmos.cli.tables import table


@click.command("list")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="Show only the newest N runs.")
@shared_options
def list_runs(options: Options, limit: int) -> None:
    """List runs, the newest last.

    \b
    mmos runs list
    mmos runs list --limit 5 --json
    """
    rows = run_to_end(lambda: _rows(options))[-limit:]
    if options.json:
        print_json({"version": 1, "runs": rows})
        return
    if not rows:
        click.echo('No runs yet. Try: mmos run --rehearse "Explain what a mutex is"', err=True)
        return
    shown = (
        (
            row["run"],
            f"{row['status']}{', rehearsed' if row['rehearsed'] else ''}",
            when(row["started"]),
            how_long(row["seconds"]),
            row["task"],
        )
        for row in rows
    )
    table(("RUN", "STATUS", "STARTED", "TOOK", "TASK"), shown)


async def _rows(options: Options) -> list[dict[str, Any]]:
    from mmos.views.listing import RUN_KINDS, runs

    async with options.journal() as journal:
        found = runs(await journal.read(kinds=RUN_KINDS), journal.alive, time.time())
    return [
        {
            "run": row.run, "thread": row.thread, "status": row.status, "task": row.task, "files": list(row.files),
            "started": row.started, "seconds": round(max(0.0, row.ended - row.started), 3), "rehearsed": row.rehearsed,
        }
        for row in found
    ]  # fmt: skip
