"""Shows a run while it runs: prints the answer to stdout, and which models are at work to stderr."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TextIO

import click

from mmos import events
from mmos.cli.activity import Activity
from mmos.cli.heartbeat import Heartbeat
from mmos.cli.output import harmless, one_line, write_unchanged
from mmos.cli.styles import style
from mmos.cli.trace import progress
from mmos.scope import Hint


@dataclass
class Screen:
    """Writes to both streams of a terminal, so that their lines do not mix."""

    stream: bool
    """Print the answer as it comes."""
    progress: bool
    """Print which models are at work."""
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    heartbeat: Heartbeat | None = None
    """Prints signs of life of a long run to stderr. None: print none."""
    said: str = ""
    """The printed text of the newest turn."""
    _open: bool = False
    _held: list[str] | None = None
    _asked: dict[str, asyncio.Event] = field(default_factory=dict)
    _live: Activity = field(default_factory=Activity)
    _early: list[Hint] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.heartbeat is not None:
            self._live = self.heartbeat.live

    def on_hint(self, hint: Hint) -> None:
        """Print the arbiter's text as it comes. Report other participants when they are done."""
        self._live.on_hint(hint, 0.0)
        if hint.depth:
            return
        if self.progress and self._live.behind:  # lines that belong before the turn are still to come
            self._early.append(hint)
        else:
            self._show_hint(hint)

    def _show_hint(self, hint: Hint) -> None:
        if hint.kind == "token":
            self._say(hint.text)
        elif hint.kind == "turn":
            self._begin()
        elif hint.kind != "restart":
            return
        elif self.said:
            self._begin()
            self.note(f"[the answer broke off; MMOS tries again: {hint.text}]")
        else:
            self.note(f"  ! {hint.role}: {one_line(hint.text, 120)}")

    def on_event(self, event: events.Event) -> None:
        """Print one event of the journal as a line."""
        self._live.on_event(event, 0.0)
        if not self.progress:
            return
        if isinstance(event, events.ModelAsked):
            self._release(not self._live.behind)
        line = " ".join(progress(event).splitlines())  # a name may hold line breaks
        if line and not self._live.repeats(event):
            self.note(line)
        if isinstance(event, events.QuestionAsked):
            self._asked.setdefault(event.question, asyncio.Event()).set()

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Print signs of life while the run inside runs."""
        beating = asyncio.create_task(self.heartbeat.beat(self._beat)) if self.heartbeat is not None else None
        try:
            yield
        finally:
            if beating is not None:
                beating.cancel()
                await asyncio.gather(beating, return_exceptions=True)

    def _beat(self, line: str) -> None:
        if self._held is None:  # an open question already shows that the run waits
            self._print(line)

    @asynccontextmanager
    async def quiet(self, question: str) -> AsyncIterator[None]:
        """Print everything from before the question, then hold back lines until it is answered."""
        if self.progress:
            await self._asked.setdefault(question, asyncio.Event()).wait()
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            for line in held:
                self.note(line)

    def finish(self, answer: str | None) -> None:
        """Print the rest of the answer."""
        self._release(True)
        text = answer or ""
        if self.said and text.startswith(self.said):
            text = text[len(self.said) :]
        elif self._open and text:
            self._begin()
        if text:
            self._write(text)
        if self._open:
            self._write("\n")

    def note(self, line: str) -> None:
        if not self.progress:
            return
        if self._held is not None:
            self._held.append(line)
            return
        self._print(line)

    def _print(self, line: str) -> None:
        if self._open and self.out.isatty():  # in a file or a pipe, nothing may interrupt the answer
            self._write("\n")
        click.echo(style(harmless(line), "dim"), file=self.err)  # `echo` removes styles if there is no terminal
        self._show()

    def _show(self) -> None:
        if self.heartbeat is not None:
            self.heartbeat.shown()

    def _release(self, caught_up: bool) -> None:
        """Print the hints that came before their turn."""
        while caught_up and self._early:
            self._show_hint(self._early.pop(0))

    def _say(self, text: str) -> None:
        if self.stream:
            self.said += text
            self._write(text)

    def _begin(self) -> None:
        if self._open:
            self._write("\n")
        self.said = ""

    def _write(self, text: str) -> None:
        write_unchanged(text, self.out)
        self.out.flush()
        self._show()
        self._open = not text.endswith("\n")
