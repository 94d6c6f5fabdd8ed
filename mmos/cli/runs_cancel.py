"""`mmos runs cancel`: stops runs of other processes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from mmos.cli.options import Options, Seconds, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.run import at_home
from mmos.cli.text import flat, harmless

if TYPE_CHECKING:
    from mmos.journal import Journal
    from mmos.views.run import RunView

LOOK_EVERY = 0.1
"""Seconds between two looks whether a run has ended."""


@dataclass(frozen=True)
class Outcome:
    """What became of one run."""

    view: RunView
    code: int = 0
    note: str = ""
    """What the user should know, if the run was not cancelled."""


@click.command()
@click.argument("run", nargs=-1, required=True)
@click.option(
    "--timeout", type=Seconds(), metavar="S", default="30", show_default=True, help="Wait at most this long until the runs have ended."
)
@shared_options
def cancel(options: Options, run: tuple[str, ...], timeout: float) -> int:
    """Cancel RUN, also if another process works on it. What is there is kept.

    MMOS closes all requests of the run to hosts. `mmos runs resume` can continue the run later.

    \b
    mmos runs cancel 9F3K
    mmos runs cancel 9F3K 2BQX --timeout 5

    Exit codes: 0 no run is at work any more, 1 a process does not react, 2 a run had an answer before.
    """
    outcomes = run_to_end(lambda: _cancel(options, run, timeout))
    if options.json:
        print_json({"version": 1, "runs": [_as_json(options, outcome) for outcome in outcomes]})
    else:
        for outcome in outcomes:
            _print(options, outcome)
    return max(outcome.code for outcome in outcomes)


async def _cancel(options: Options, selection: tuple[str, ...], patience: float) -> list[Outcome]:
    import asyncio  # slow to import, and help and completion do not need it

    from mmos.views.listing import STARTS, find_run

    async with options.journal(read_only=False) as journal:
        started = await journal.read(kinds=STARTS)
        names = dict.fromkeys(find_run(started, name) for name in selection)
        return await asyncio.gather(*(_cancel_one(journal, name, time.monotonic() + patience) for name in names))


async def _cancel_one(journal: Journal, run: str, until: float) -> Outcome:
    import asyncio

    from mmos.answers import this_user
    from mmos.app.cancelling import request
    from mmos.errors import UsageError
    from mmos.events import CancelRequested
    from mmos.views.listing import RUN_KINDS, at_work
    from mmos.views.run import RunView

    try:
        entry = await request(journal, run, this_user())
    except UsageError as error:
        return Outcome(RunView.of(await journal.read(run=run)), 2, error.message)
    if entry is None:
        return Outcome(RunView.of(await journal.read(run=run)), note=f"Run {run} was cancelled before.")
    while isinstance(entry.event, CancelRequested):
        view = RunView.of(await journal.read(run=run, kinds=RUN_KINDS))
        if view.status is not None:
            break
        if not at_work(view, journal.alive):  # it was killed meanwhile: now this command records the end
            return await _cancel_one(journal, run, until)
        if time.monotonic() >= until:
            return Outcome(
                view,
                1,
                f"The process that works on run {run} does not react yet. It will stop when it does. If it hangs, end that process.",
            )
        await asyncio.sleep(LOOK_EVERY)
    view = RunView.of(await journal.read(run=run))
    return Outcome(view, note="" if view.status == "cancelled" else f"Run {run} ended before it could be cancelled.")


def _as_json(options: Options, outcome: Outcome) -> dict[str, Any]:
    view, reason = outcome.view, outcome.view.reason
    return {
        "run": view.run, "status": view.status or "running", "answer": view.answer,
        "reason": {"code": reason.code, "message": reason.message, "next": at_home(options, reason.next)} if reason else None,
        "note": outcome.note, "exit_code": outcome.code,
    }  # fmt: skip


def _print(options: Options, outcome: Outcome) -> None:
    view = outcome.view
    click.echo(f"run {view.run} · {view.status or 'running'}")
    if view.status == "cancelled" and view.answer:
        click.echo(harmless(view.answer))
    if outcome.note:
        click.echo(outcome.note, err=True)
    elif view.reason is not None:
        click.echo(f"{flat(view.reason.message)} To continue it: {at_home(options, f'mmos runs resume {view.run}')}", err=True)
