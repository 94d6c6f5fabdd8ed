"""Shows how far `mmos modify` is: the lines of the pipeline on stdout, and who is at work on stderr."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TextIO

import click

from mmos.app.modifying import Rewrite
from mmos.cli.output import whole_seconds
from mmos.cli.pipeline_lines import PipelineLines
from mmos.cli.styles import style
from mmos.cli.text import flat, harmless
from mmos.cli.trace import progress
from mmos.config.load import Config
from mmos.event import Event
from mmos.plurals import counted
from mmos.rewriting.sources import Source


def _stdout() -> TextIO:
    return sys.stdout


def _at_terminal() -> bool:
    return sys.stderr.isatty()


EVERY = 30.0
"""After this many seconds a long rewrite says that it is still at work."""


@dataclass
class Progress:
    """Prints the events of the runs as lines, with the file before them if there are several."""

    total: int
    config: Config
    quiet: bool = False
    out: TextIO = field(default_factory=_stdout)
    """Where the lines of a pipeline go."""
    shown: bool = field(default_factory=_at_terminal)
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    _pipelines: dict[str, PipelineLines] = field(default_factory=dict)
    """By file: what happens in one run says nothing about another one."""

    def on_event(self, source: Source, event: Event) -> None:
        if source.name not in self._pipelines:
            self._pipelines[source.name] = PipelineLines.of(self.config, self._announce)
        self._pipelines[source.name].on_event(event)
        self.say(event, self._of(source))

    def say(self, event: Event, before: str = "") -> None:
        """Print what an event says, if it says anything. `before`: the words before it."""
        line = " ".join(progress(event).splitlines())
        if line and self.shown and not self.quiet:
            click.echo(style(harmless(f"{before}{line}"), "dim"), err=True)

    def _announce(self, line: str) -> None:
        click.echo(harmless(line), file=sys.stderr if self.quiet else self.out)

    def on_end(self, rewrite: Rewrite) -> None:
        self.done += 1
        if self.total > 1 and self.shown and not self.quiet:
            click.echo(style(f"✓ {self.done} of {self.total}: {flat(rewrite.source.name)}", "dim"), err=True)

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Print signs of life while the files inside are rewritten, if nothing else shows that."""
        beating = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _beat(self) -> None:
        start = self.clock()
        while True:
            await asyncio.sleep(EVERY)
            click.echo(
                f"mmos: still at work after {whole_seconds(self.clock() - start)}: {self.done} of {counted(self.total, 'file')}", err=True
            )

    def _of(self, source: Source) -> str:
        return f"{flat(source.name)}: " if self.total > 1 else ""
