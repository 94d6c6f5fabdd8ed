"""What the conversation is written on: a terminal that is redrawn, a dumb one, or a pipe, behind one face."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TextIO

from mmos import events
from mmos.cli.cells import Ink
from mmos.cli.guard import unstyled
from mmos.cli.output import harmless
from mmos.cli.tables import Cell, columns
from mmos.errors import MmosError
from mmos.participant.questions import Answerer
from mmos.scope import Hint


class Showing(Protocol):
    """How one turn is seen."""

    def hint(self, hint: Hint) -> None: ...
    def tell(self, event: events.Event) -> None: ...
    def finish(self, answer: Any) -> None:
        """Everything is told; the whole answer is on the page when this returns."""


class Page(Protocol):
    """Where lines go, and what can be done with the line that is being typed."""

    ink: Ink

    @property
    def width(self) -> int: ...
    def lines(self, lines: Iterable[str]) -> None:
        """Our own lines, styled or not, with nothing in them that would steer the terminal."""

    def note(self, text: str) -> None:
        """What the program says of its own accord."""

    def complain(self, error: MmosError) -> None:
        """What went wrong, and the next step."""

    def stray(self) -> TextIO:
        """Where goes what tools print."""

    def markdown(self, text: str) -> None:
        """A text of a model or of the user, as well as the page can show it."""

    def showing(self, number: Callable[[Any], int]) -> Showing: ...
    def answerer(self) -> Answerer | None: ...
    def type(self, text: str) -> None:
        """Put a text where the user can change and send it."""

    async def edit(self, text: str) -> str | None:
        """The text as the user left it in the editor; None where there is no editor."""

    def clip(self, text: str) -> bool:
        """Give the text to the terminal's clipboard; False where there is none."""


class Stray(io.TextIOBase):
    """A stream whose finished lines stand on the page: for what tools print and logs write while it is drawn."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self._begun = ""
        self._loop = asyncio.get_running_loop()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        if lines:  # a tool may write in a thread of its own
            self._loop.call_soon_threadsafe(self._page.lines, [self._page.ink.dim(harmless(unstyled(line))) for line in lines])
        return len(text)


def table(page: Page, heads: Sequence[str], rows: Iterable[Sequence[Cell]], spare: Sequence[str] = ()) -> None:
    """Columns on the page."""
    inked(page, columns(heads, rows, page.width, spare))


def inked(page: Page, lines: Sequence[str]) -> None:
    """Coloured lines, without their colours where the page has none."""
    import click

    page.lines(lines if page.ink.colour else [click.unstyle(line) for line in lines])
