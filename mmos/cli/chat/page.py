"""What the conversation is written on: a terminal that is redrawn, a dumb one, or a pipe, behind one face."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TextIO

from mmos import events
from mmos.cli.chat.cells import Ink
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
