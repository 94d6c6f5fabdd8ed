"""`mmos runs import`: brings exported runs into this state folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from mmos.cli.options import AnyPath, Options, run_to_end, shared_options
from mmos.cli.output import print_json
from mmos.cli.run import at_home
from mmos.cli.text import flat
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.app.importing import Import, Source

SHOWN = 20
"""At most this many problems are printed. --json has all."""


@click.command("import")
@click.argument("file", type=AnyPath())
@click.option("--skip", is_flag=True, help="Runs that are already here are no problem: leave them as they are.")
@shared_options
def import_runs(options: Options, file: str, *, skip: bool) -> int:
    """Bring the runs of FILE, which `mmos runs export` wrote, into this state folder. `-` is stdin.

    Runs keep their ids, times and conversations. A run comes whole or not at all. A run that was at work comes as interrupted.

    \b
    mmos runs import run.jsonl
    ssh other mmos runs export --all | mmos runs import - --skip

    Exit codes: 0 everything is here, 1 some runs did not come.
    """
    from mmos.app.importing import read_source

    if file == "-":
        if sys.stdin.isatty():
            raise click.UsageError("There is nothing to read on stdin. Name a file, or pipe an export into this command.")
        source = read_source(_lines(sys.stdin.buffer))
    else:
        with _opened(file) as stream:
            source = read_source(_lines(stream))
    done = run_to_end(lambda: _bring(options, source))
    _report(options, "stdin" if file == "-" else file, done, skip=skip)
    return 1 if done.problems or (done.there and not skip) else 0


def _opened(file: str) -> BinaryIO:
    from mmos.errors import UsageError

    try:
        return Path(file).open("rb")
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(f"{file}: {reason}.", next_step="Check the path.") from None


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines, each up to a length that no export has."""
    from mmos.app.importing import LONGEST

    while line := stream.readline(LONGEST):
        yield line
        while len(line) == LONGEST and not line.endswith(b"\n"):
            line = stream.readline(LONGEST)


async def _bring(options: Options, source: Source) -> Import:
    from mmos.app.importing import bring

    async with options.journal(read_only=False) as journal:
        return await bring(journal, source)


def _report(options: Options, name: str, done: Import, *, skip: bool) -> None:
    problems = sorted(done.problems)
    if options.json:
        rows = [{"line": problem.line, "run": problem.run, "message": problem.message} for problem in problems]
        print_json({"version": 1, "imported": done.runs, "entries": done.entries, "already_there": done.there, "problems": rows})
        return
    for problem in problems[:SHOWN]:
        run = f" Run {flat(problem.run)} was not imported." if problem.run else ""
        click.echo(f"{name}:{problem.line}: {flat(problem.message)}{run}", err=True)
    if len(problems) > SHOWN:
        click.echo(f"… and {len(problems) - SHOWN:,} more problems. --json lists all.", err=True)
    for note in done.notes:
        click.echo(note, err=True)
    if done.there and not skip:
        more = f" and {len(done.there) - SHOWN:,} more" if len(done.there) > SHOWN else ""
        click.echo(f"Already here: {', '.join(done.there[:SHOWN])}{more}.", err=True)
        first = at_home(options, "mmos runs delete RUN")
        click.echo(f"To leave such runs as they are: --skip. To replace one, delete it first: {first}", err=True)
    click.echo(f"Imported {counted(len(done.runs), 'run')} ({done.entries:,} events).", err=True)
