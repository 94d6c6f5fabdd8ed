"""Renders a chat at a terminal: notes, errors, texts, and each turn while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO, cast

from mmos import events
from mmos.cli.activity import Activity
from mmos.cli.chat.conversations import next_step
from mmos.cli.chat.desktop import edit_text
from mmos.cli.chat.markdown import MarkdownStream
from mmos.cli.chat.page import PageStream, interrupted, spent
from mmos.cli.chat.terminal import Terminal
from mmos.cli.styles import style
from mmos.cli.text import wrapped
from mmos.cli.work import Work
from mmos.errors import MmosError
from mmos.scope import Hint

if TYPE_CHECKING:
    from mmos.app import Answer
    from mmos.participant.questions import Answerer

WIDEST = 120
"""Widest line of prose in cells: longer lines are hard to read."""


class TurnRenderer:
    """Moves finished blocks to the scrollback in the order of what happened: consultations come before the answer."""

    def __init__(self, page: Terminal, number: Callable[[Work], int]) -> None:
        self._page = page
        self._live = Activity(number, page.unserved)
        self._clock = asyncio.get_running_loop().time
        self._live.arbiter.start = self._clock()
        self._stream: MarkdownStream | None = None
        self._width = 0
        self._blocks: list[str] = []
        """Finished blocks that wait until earlier calls are done."""
        self._tail: list[str] | None = []
        """The drawn lines of the open block. None: draw it again."""
        self._apart = False
        """Whether the next block needs an empty line above it."""
        self._text = ""
        """The text of the arbiter's newest turn."""
        page.live = self.lines
        page.tick(True)

    # ---------------------------------------------------------------- what comes in

    def on_hint(self, hint: Hint) -> None:
        self._live.on_hint(hint, self._clock())
        if hint.depth:
            return  # the next tick shows it
        if hint.kind == "token":
            first = not self._text
            self._say(hint.text)
            self._page.refresh(now=first)
        elif hint.kind == "turn":
            self._end()
        elif hint.kind == "restart" and self._text:
            self._end()
            self._note("[the answer broke off; MMOS tries again]")  # an event tells why

    def on_event(self, event: events.Event) -> None:
        """Show an event. Text that the arbiter wrote before a call comes before the result of the call."""
        if isinstance(event, events.CallStarted) and self._live.settled:
            self._close()
        self._live.on_event(event, self._clock())
        self._settle()
        self._page.refresh()

    # ---------------------------------------------------------------- the answer's text

    def _say(self, text: str) -> None:
        self._text += text
        self._blocks += self._markdown().feed(text)
        self._tail = None
        self._settle()

    def _markdown(self) -> MarkdownStream:
        if self._stream is None:
            self._width = self._page.width
            self._stream = MarkdownStream(min(WIDEST, self._width), self._page.colour)
        elif self._width != self._page.width:
            self._width = self._page.width
            self._stream.resize(min(WIDEST, self._width))
            self._tail = None
        return self._stream

    def _close(self) -> None:
        """Finish the open block."""
        if self._stream is not None:
            self._blocks += self._stream.finish()
            self._stream = None
        self._tail = []
        self._settle()

    def _end(self) -> None:
        self._close()
        self._text = ""

    def _settle(self) -> None:
        """Move finished lines to the scrollback."""
        page = self._page
        notes = [line for note in self._live.notes for line in wrapped(note, page.width)]
        self._live.notes.clear()
        done = [*(style(note, "dim") for note in notes), *self._live.collapsed(page.width)]
        self._apart = self._apart or bool(done)
        if self._live.settled and self._blocks:
            done += [*([""] if self._apart else []), *self._blocks]
            self._blocks, self._apart = [], False
        if done:
            page.lines(done)

    def _note(self, text: str) -> None:
        self._page.lines(style(line, "dim") for line in wrapped(text, self._page.width))

    # ---------------------------------------------------------------- what is seen

    def lines(self) -> list[str]:
        """Draw the live lines: the consultations, the open block and the arbiter's own line."""
        now, page = self._clock(), self._page
        if self._stream is not None:
            stream = self._markdown()
            if self._tail is None:
                self._tail = stream.tail()
        width = page.width
        works = self._live.lines(now, width)
        blocks = self._blocks if not self._live.settled else []
        status = [] if works else [self._live.status(now, width)]
        return [*works, *blocks, *(self._tail or []), *status]

    def finish(self, answer: Answer) -> None:
        """Show the rest of the answer and how the turn ended."""
        self._live.abandon(self._clock())
        text = answer.text or ""
        if self._text and text.startswith(self._text):
            self._say(text[len(self._text) :])
        elif text and answer.status != "cancelled" and text != self._text:
            self._end()
            self._say(text)
        self._end()
        page = self._page
        page.live = tuple
        page.tick(False)
        for warning in answer.view.warnings:
            if not self._live.knows(warning):
                self._note(f"! {warning}")
        page.lines(self._footer(answer))

    def _footer(self, answer: Answer) -> list[str]:
        width, reason = self._page.width, answer.reason
        lines: list[str] = []
        notes = []
        if answer.status == "cancelled":
            notes.append(interrupted(answer.view))
        elif answer.status != "answered":
            lines += [style(line, "error") for line in wrapped(f"{answer.status}: {reason.message if reason else ''}", width)]
            notes += [step] if reason and (step := next_step(reason)) else []
        return lines + [style(line, "dim") for text in (*notes, spent(answer.view)) for line in wrapped(text, width)]


class TerminalPage(Terminal):
    """The terminal as the page of a chat."""

    ask: Answerer
    """Asks the user a model's question in the input line."""

    def note(self, text: str) -> None:
        self.lines(style(line, "dim") for line in wrapped(text, self.width))

    def show_error(self, error: MmosError) -> None:
        self.lines(style(line, "error") for line in wrapped(error.message, self.width))
        if error.next_step:
            self.note(error.next_step)

    def stream(self) -> TextIO:
        return cast("TextIO", PageStream(self))

    def markdown(self, text: str) -> None:
        from mmos.cli.chat.markdown import MarkdownStream

        stream = MarkdownStream(min(WIDEST, self.width), self.colour)
        self.lines([*stream.feed(text), *stream.finish()])

    def turn_view(self, number: Callable[[Work], int]) -> TurnRenderer:
        return TurnRenderer(self, number)

    def answerer(self) -> Answerer | None:
        return self.ask

    async def edit(self, text: str) -> str | None:
        return await edit_text(text, self.aside)

    def clip(self, text: str) -> bool:
        from base64 import b64encode

        self.send(f"\x1b]52;c;{b64encode(text.encode()).decode()}\x07")
        return True
