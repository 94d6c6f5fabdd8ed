"""Shows a run while it runs: the answer on stdout, which models are at work on stderr, and signs of life."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TextIO

import click

from mmos import events
from mmos.cli.activity import Activity
from mmos.cli.live_block import LiveBlock
from mmos.cli.output import draws, one_line, whole_seconds, write_unchanged
from mmos.cli.styles import style
from mmos.cli.text import harmless
from mmos.cli.trace import progress
from mmos.cli.work import expectation
from mmos.placement.facts import Outlook
from mmos.scope import Hint

EVERY = 30.0
"""After this many seconds without output, a run says that it is still at work."""
WAITS = 5.0
"""Seconds between two lines about the same wait."""


@dataclass
class Heartbeat:
    """Says what is at work if nothing was printed for a while."""

    every: float = EVERY
    clock: Callable[[], float] = time.monotonic
    live: Activity = field(default_factory=Activity)
    """Who is at work."""
    _start: float = field(init=False)
    _last_output: float = field(init=False)

    def __post_init__(self) -> None:
        self._start = self._last_output = self.clock()

    def restart(self) -> None:
        """Restart the wait: something else was printed."""
        self._last_output = self.clock()

    async def beat(self, say: Callable[[str], None]) -> None:
        """Print signs of life until cancelled."""
        while True:
            await asyncio.sleep(max(0.0, self._last_output + self.every - self.clock()))
            if self.clock() - self._last_output >= self.every:
                self.restart()
                say(self.line())

    def line(self) -> str:
        tokens = f", {self.live.tokens:,} tokens" if self.live.tokens else ""
        return f"mmos: still at work after {whole_seconds(self.clock() - self._start)}: {self._at_work()}{tokens}"

    def _at_work(self) -> str:
        for one in self.live.answering():
            queued = one.stage == "queued" and one.outlook is None
            place = f"{one.role}, waiting for a host" if queued else f"{one.role} on {one.host}" if one.host else one.role
            stage = expectation(one.outlook) if one.outlook else "loading its model" if one.stage == "loading" else ""
            return ", ".join(filter(None, (place, stage, f"turn {one.turns}")))
        tools = self.live.tools()
        return f"the tool {', '.join(tools)}" if tools else "between two turns"


@dataclass
class RunDisplay:
    """Writes to both streams of a terminal, so that their lines do not mix."""

    stream: bool
    """Print the answer as it comes."""
    progress: bool
    """Print which models are at work."""
    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    heartbeat: Heartbeat | None = None
    """Prints signs of life of a long run to stderr. None: print none."""
    patterns: bool = False
    """Print what becomes of a pattern that answers in place of a model, even without `progress`."""
    clock: Callable[[], float] = time.monotonic
    printed: str = ""
    """The printed text of the newest turn."""
    _open: bool = False
    _waiting: list[str] | None = None
    _questions: dict[str, asyncio.Event] = field(default_factory=dict)
    _live: Activity = field(default_factory=Activity)
    _early: list[Hint] = field(default_factory=list)
    _waits: dict[str, float] = field(default_factory=dict)
    """When it was last printed how long a lane waits."""
    _block: LiveBlock = field(init=False)
    """The members of a pattern at work."""
    _ticks: bool = field(init=False)
    """Whether the block is drawn again and again."""

    def __post_init__(self) -> None:
        if self.heartbeat is not None:
            self._live = self.heartbeat.live
        self._block, self._ticks = LiveBlock(self.err, self._members), self.progress and draws(self.err)

    def _members(self, width: int) -> list[str]:
        """The lines of members at work, where nothing else is being written."""
        return [] if self._open or self._waiting is not None else self._live.members(self.clock(), width)

    def on_hint(self, hint: Hint) -> None:
        """Print the arbiter's text as it comes. Report other participants when they are done."""
        self._live.on_hint(hint, self.clock())
        if hint.outlook is not None:
            self._show_wait(hint, hint.outlook)
        if hint.depth:
            return
        if self.progress and self._live.behind:  # lines that belong before the turn are still to come
            self._early.append(hint)
        else:
            self._show_hint(hint)

    def _show_wait(self, hint: Hint, outlook: Outlook) -> None:
        """Print how long a request waits: at once, and then every few seconds."""
        if self._ticks and self._live.is_member(hint.lane):
            return  # its live line says it
        now = self.clock()
        if self.progress and self._waits.get(hint.lane, -math.inf) <= now - WAITS:
            self._waits[hint.lane] = now
            self.note(f"  {hint.role}{f' on {hint.text}' if hint.text else ''}: {expectation(outlook)}")

    def _show_hint(self, hint: Hint) -> None:
        if hint.kind == "token":
            self._say(hint.text)
        elif hint.kind == "turn":
            self._begin()
        elif hint.kind != "restart":
            return
        elif self.printed:
            self._begin()
            self.note(f"[the answer broke off; MMOS tries again: {hint.text}]")
        else:
            self.note(f"  ! {hint.role}: {one_line(hint.text, 120)}")

    def on_event(self, event: events.Event) -> None:
        """Print one event of the journal as a line."""
        self._live.on_event(event, self.clock())
        if not self.progress:
            if self.patterns and (line := self._live.of_patterns(event)):
                self._print(" ".join(line.splitlines()))
            return
        if isinstance(event, events.ModelAsked):
            self._release(not self._live.behind)
        line = " ".join(progress(event).splitlines())  # a name may hold line breaks
        if isinstance(event, events.ModelReplied) and self._live.is_member(event.lane):
            return  # a line about its end follows
        if line and not self._live.repeats(event):
            self.note(line)
        if isinstance(event, events.QuestionAsked):
            self._questions.setdefault(event.question, asyncio.Event()).set()

    @asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Print signs of life while the run inside runs."""
        tasks = [asyncio.create_task(self.heartbeat.beat(self._beat))] if self.heartbeat is not None else []
        if self._ticks:
            tasks.append(asyncio.create_task(self._block.tick()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._block.erase()

    def _beat(self, line: str) -> None:
        if self._waiting is None:  # an open question already shows that the run waits
            self._print(line)

    @asynccontextmanager
    async def quiet(self, question: str) -> AsyncIterator[None]:
        """Print everything from before the question, then hold back lines until it is answered."""
        if self.progress:
            await self._questions.setdefault(question, asyncio.Event()).wait()
        self._block.erase()
        self._waiting = []
        try:
            yield
        finally:
            waiting, self._waiting = self._waiting, None
            for line in waiting:
                self.note(line)

    def finish(self, answer: str | None) -> None:
        """Print the rest of the answer."""
        self._release(True)
        text = answer or ""
        if self.printed and text.startswith(self.printed):
            text = text[len(self.printed) :]
        elif self._open and text:
            self._begin()
        if text:
            self._write(text)
        if self._open:
            self._write("\n")

    def announce(self, line: str, *, on_stdout: bool) -> None:
        """Print a line of a pipeline, which belongs to what the command prints."""
        if not on_stdout:
            self._print(line)
            return
        if self._open:
            self._write("\n")
        self._write(f"{harmless(line)}\n")

    def note(self, line: str) -> None:
        if not self.progress:
            return
        if self._waiting is not None:
            self._waiting.append(line)
            return
        self._print(line)

    def _print(self, line: str) -> None:
        self._block.erase()
        if self._open and self.out.isatty():  # in a file or a pipe, nothing may interrupt the answer
            self._write("\n")
        click.echo(style(harmless(line), "dim"), file=self.err)  # `echo` removes styles if there is no terminal
        self._restart_heartbeat()

    def _restart_heartbeat(self) -> None:
        if self.heartbeat is not None:
            self.heartbeat.restart()

    def _release(self, caught_up: bool) -> None:
        """Print the hints that came before their turn."""
        while caught_up and self._early:
            self._show_hint(self._early.pop(0))

    def _say(self, text: str) -> None:
        if self.stream:
            self.printed += text
            self._write(text)

    def _begin(self) -> None:
        if self._open:
            self._write("\n")
        self.printed = ""

    def _write(self, text: str) -> None:
        self._block.erase()
        write_unchanged(text, self.out)
        self.out.flush()
        self._restart_heartbeat()
        self._open = not text.endswith("\n")
