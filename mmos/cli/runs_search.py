"""`mmos runs search`: finds a text in the runs of a journal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import click

from mmos.cli.finding import thread_id
from mmos.cli.guard import ERASE_LINE
from mmos.cli.options import Options, run_to_end, shared_options
from mmos.cli.output import draws, print_json, when
from mmos.cli.tables import table
from mmos.cli.text import flat

if TYPE_CHECKING:
    from mmos.journal import Journal
    from mmos.views.search import Hit, Search

PATIENCE = 1.0
"""Seconds before a search shows its progress."""


@click.command()
@click.argument("text")
@click.option("--thread", metavar="T", help="Search only this conversation.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Show only the newest N places.")
@click.option("--ranked", is_flag=True, help="Find what fits TEXT, as a question, in other words too; the best first. Needs the extra rag.")
@shared_options
def search(options: Options, text: str, thread: str | None, limit: int, ranked: bool) -> None:
    """Find TEXT in the tasks, answers, tool calls and results of all runs, the newest last. Capitals do not matter.

    \b
    mmos runs search "time zone"
    mmos runs search mutex --thread notes --json
    mmos runs search --ranked "Which time zone did we decide on?"
    """
    if not text.strip():
        raise click.UsageError("The text to find is empty.")
    if ranked:
        if thread is not None:
            raise click.UsageError("--ranked searches all conversations. Leave out --thread.")
        from mmos.cli.runs_ranked import search_ranked

        search_ranked(options, text, limit)
        return
    hits = run_to_end(lambda: _search(options, text, thread, limit))
    if options.json:
        print_json({"version": 1, "text": text, "hits": [_as_json(hit) for hit in hits]})
    elif not hits:
        click.echo("No run has this text.", err=True)
    else:
        rows = ((hit.entry.run, when(hit.entry.time), f"{hit.role}: {hit.kind}", flat(hit.context)) for hit in hits)
        table(("RUN", "TIME", "WHERE", "TEXT"), rows, ("TIME",))


async def _search(options: Options, text: str, thread: str | None, limit: int) -> list[Hit]:
    from mmos.messages import clean
    from mmos.views.search import Search

    async with options.journal() as journal:
        where = None if thread is None else await thread_id(journal, thread)
        progress = Progress()
        try:
            return await _newest(journal, Search(clean(text)), where, limit, progress)
        finally:
            progress.end()


async def _newest(journal: Journal, wanted: Search, thread: str | None, limit: int, progress: Progress) -> list[Hit]:
    """The newest places, in order. A text that a run says again, such as its answer, counts once: where it stands first."""
    from mmos.views.search import SEARCHED_KINDS

    found: dict[tuple[str, str], Hit] = {}
    async for entries, place in journal.search(SEARCHED_KINDS, wanted.may_fit, thread=thread):
        for hit in (hit for entry in entries for hit in wanted.hits(entry)):
            if len(found) < limit or (hit.entry.run, hit.text) in found:
                found[hit.entry.run, hit.text] = hit
        if len(found) == limit:
            break
        progress.at(place)
    return sorted(found.values(), key=lambda hit: hit.entry.seq)


@dataclass
class Progress:
    """Shows how much is searched, at a terminal, if the search takes a while."""

    err: TextIO = field(default_factory=lambda: sys.stderr)
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _all: int = 0
    _drawn: bool = False

    def __post_init__(self) -> None:
        self._began = self.clock()

    def at(self, place: int) -> None:
        """Show it. `place`: how many entries are left, at most."""
        self._all = self._all or place
        if self._all and self.clock() - self._began >= PATIENCE and draws(self.err):
            self._drawn = True
            click.echo(f"{ERASE_LINE}searched {100 - 100 * place // self._all} %", nl=False, file=self.err)

    def end(self) -> None:
        if self._drawn:
            click.echo(ERASE_LINE, nl=False, file=self.err)


def _as_json(hit: Hit) -> dict[str, Any]:
    entry = hit.entry
    return {
        "run": entry.run, "thread": entry.thread, "time": entry.time, "seq": entry.seq, "role": hit.role, "kind": hit.kind, "context": hit.context,
    }  # fmt: skip
