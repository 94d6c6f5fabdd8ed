"""`mmos hosts --regret`: prints how good the placement of calls was, by what happened afterwards."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from mmos.cli.options import Options
from mmos.cli.output import how_long, print_json, when
from mmos.cli.tables import table
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.views.regret import LoadOutcome, Report


async def show_regret(options: Options, since: float | None, hosts: Sequence[str]) -> int:
    from mmos.views.regret import REGRET_KINDS, report

    first = 0.0 if since is None else time.time() - since
    async with options.journal() as journal:
        entries = await journal.read(kinds=REGRET_KINDS)
    found = report((entry for entry in entries if entry.time >= first), hosts)
    if options.json:
        print_json({"version": 1, **asdict(found)})
    else:
        _print(found)
    return 0


def _print(report: Report) -> None:
    if report.left_out:
        are = "is" if report.left_out == 1 else "are"
        click.echo(
            f"{counted(report.left_out, 'call')} of older versions of MMOS {are} left out: they did not keep what was expected.", err=True
        )
    if not report.rows:
        click.echo("The journal has no calls for this report. The report is about runs: mmos run TASK", err=True)
        return
    table(
        ("HOST", "CALLS", "EXPECTED", "TOOK", "ERROR", "90 % BELOW", "LOST", "SWAPS", "MODEL"),
        [
            (
                row.host,
                str(row.calls),
                *map(how_long, (row.expected, row.took, row.error, row.error_p90, row.lost)),
                str(row.swaps),
                row.model,
            )
            for row in report.rows
        ],
    )
    click.echo("\nThe calls with the largest errors:")
    table(
        ("RUN", "WHEN", "EXPECTED", "TOOK", "BEST", "ROLE", "CALL"),
        [
            (call.run[-6:], when(call.time), how_long(call.expected), how_long(call.took), f"{how_long(call.best)} on {call.best_host}", call.role, f"{call.model} on {call.host}")
            for call in report.worst
        ],
    )  # fmt: skip
    if report.loads:
        click.echo("\nLoads:")
        table(("WHEN", "EXPECTED", "TOOK", "SAVES", "COSTS", "WANTED BACK", "LOAD"), [_load(load) for load in report.loads])


def _load(load: LoadOutcome) -> tuple[str, ...]:
    back = ("yes" if load.wanted_back else "no") if load.victims else "-"
    took = "-" if load.took is None else how_long(load.took)
    gone = f" instead of {', '.join(load.victims)}" if load.victims else ""
    return when(load.time), how_long(load.ready), took, how_long(load.gain), how_long(load.loss), back, f"{load.model} on {load.host}{gone}"
