"""Defines the page that a chat writes on: the common interface of a redrawn terminal, a simple terminal and a pipe."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from mmos import events
from mmos.cli.guard import unstyled
from mmos.cli.output import how_long
from mmos.cli.styles import style
from mmos.cli.tables import Cell, columns
from mmos.cli.text import flat, harmless
from mmos.cli.verdicts import brief
from mmos.errors import MmosError
from mmos.participant.questions import Answerer
from mmos.plurals import counted
from mmos.scope import Hint

if TYPE_CHECKING:
    from mmos.views.run import RunView


class TurnView(Protocol):
    """Shows one turn."""

    def on_hint(self, hint: Hint) -> None: ...
    def on_event(self, event: events.Event) -> None: ...
    def finish(self, answer: Any) -> None:
        """Show the whole answer. All events have come."""


class Page(Protocol):
    """Takes lines, and controls the input line."""

    colour: bool

    @property
    def width(self) -> int: ...
    def lines(self, lines: Iterable[str]) -> None:
        """Write MMOS's own lines. They may have styles, which a page without colour removes."""

    def note(self, text: str) -> None:
        """Show a message of MMOS itself."""

    def show_error(self, error: MmosError) -> None:
        """Show an error and the next step."""

    def stream(self) -> TextIO:
        """Give a stream for the output of tools."""

    def markdown(self, text: str) -> None:
        """Show a text of a model or of the user, formatted if the page can do that."""

    def turn_view(self, number: Callable[[Any], int]) -> TurnView: ...
    def answerer(self) -> Answerer | None: ...
    def type(self, text: str) -> None:
        """Put a text into the input line, so that the user can change and send it."""

    async def edit(self, text: str) -> str | None:
        """Let the user edit the text. None if there is no editor."""

    def clip(self, text: str) -> bool:
        """Copy the text to the terminal's clipboard. False if there is none."""


class PageStream(io.TextIOBase):
    """A stream that writes its finished lines to the page: for the output of tools and for logs."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self._rest = ""
        self._loop = asyncio.get_running_loop()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        if lines:  # a tool may write from another thread
            self._loop.call_soon_threadsafe(self._page.lines, [style(harmless(unstyled(line)), "dim") for line in lines])
        return len(text)


def table(page: Page, heads: Sequence[str], rows: Iterable[Sequence[Cell]], spare: Sequence[str] = ()) -> None:
    """Write a table to the page."""
    page.lines(columns(heads, rows, page.width, spare))


def interrupted(view: RunView) -> str:
    """Say how a cancelled turn ended, and who cancelled it if another process did."""
    ending = flat(view.reason.message) if view.cancel_request and view.reason else "Interrupted."
    return f"{ending} The partial answer stays in the conversation. /resume continues."


def spent(view: RunView) -> str:
    """Say what a turn cost. An interrupted answer has no token count, because no host reported it."""
    tokens = counted(view.output_tokens, "token") if view.output_tokens else ""
    verdict = brief(view.validation)
    return " · ".join(filter(None, (counted(view.requests, "model call"), tokens, how_long(view.ended - view.started), verdict)))
