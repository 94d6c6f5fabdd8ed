"""Defines pages without control codes: a pipe, where each line is a turn, and a terminal that can only print."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TextIO

import click

from mmos import events
from mmos.cli.cells import wrapped
from mmos.cli.chat.resuming import next_step
from mmos.cli.chat.work import INTERRUPTED, spent
from mmos.cli.guard import unstyled
from mmos.cli.output import harmless, print_json_line
from mmos.cli.tables import ENDLESS
from mmos.scope import Hint

if TYPE_CHECKING:
    from mmos.app import Answer
    from mmos.cli.screen import Screen
    from mmos.errors import MmosError
    from mmos.participant.questions import Answerer


class Pipe:
    """Writes answers to stdout and everything else to stderr."""

    colour = False
    width = ENDLESS

    def __init__(self) -> None:
        self.exit_code = 0
        """The exit code of the first line that failed, or 0."""

    def lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            sys.stdout.write(f"{unstyled(line)}\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        sys.stderr.write(f"{harmless(text)}\n")
        sys.stderr.flush()

    def complain(self, error: MmosError) -> None:
        self._count(error)
        self.note("\n".join(filter(None, (f"mmos: {error.message}", error.next_step))))

    def _count(self, error: MmosError) -> None:
        from mmos.cli.main import exit_code

        self.exit_code = self.exit_code or exit_code(error)

    def stray(self) -> TextIO:
        return sys.stderr

    def markdown(self, text: str) -> None:
        self.lines([harmless(text).rstrip("\n")])

    def showing(self, number: Callable[[Any], int]) -> Told:
        return Told(self, number)

    def answerer(self) -> Answerer | None:
        return None

    def type(self, text: str) -> None:
        self.note(text)

    async def edit(self, text: str) -> str | None:  # noqa: ARG002
        return None

    def clip(self, text: str) -> bool:  # noqa: ARG002
        return False

    def answered(self, answer: Answer) -> None:
        if answer.text:
            self.markdown(answer.text)
        self.ended(answer)

    def ended(self, answer: Answer) -> None:
        for warning in answer.view.warnings:
            self.note(f"mmos: warning: {warning}")
        if answer.reason is not None:
            self.note("\n".join(filter(None, (f"mmos: {answer.status}: {answer.reason.message}", next_step(answer.reason)))))


class Documents(Pipe):
    """Writes one JSON document for each line of input."""

    def __init__(self) -> None:
        super().__init__()
        self._said: list[str] = []

    def lines(self, lines: Iterable[str]) -> None:
        self._said.extend(map(unstyled, lines))

    def note(self, text: str) -> None:
        self._said.append(harmless(text))

    def complain(self, error: MmosError) -> None:
        from mmos.views.document import failure

        self._count(error)
        self._said.clear()
        self._print(failure(error.code, error.message, error.next_step))

    def answered(self, answer: Answer) -> None:
        self._said.clear()
        self._print(answer.document())

    def finish(self, line: str) -> None:
        """Print the document of a command: everything that it wrote."""
        if self._said:
            self._print({"version": 1, "command": line, "output": "\n".join(self._said)})
            self._said.clear()

    def _print(self, document: Any) -> None:
        print_json_line(document)
        sys.stdout.flush()


class Told:
    """Shows only the result of a turn. /open still finds the specialists' answers."""

    def __init__(self, page: Pipe, number: Callable[[Any], int]) -> None:
        from mmos.cli.chat.live import Live

        self._page = page
        self._live = Live(number)

    def hint(self, hint: Hint) -> None:
        """Ignore hints: nothing is shown before the answer is complete."""

    def tell(self, event: events.Event) -> None:
        self._live.tell(event, 0.0)
        self._live.collapsed(self._page.width)  # this gives each finished work its number

    def finish(self, answer: Answer) -> None:
        self._page.answered(answer)


class Dumb(Pipe):
    """Writes to a simple terminal: prints the answer as it comes, and lines that say who is at work."""

    def __init__(self) -> None:
        super().__init__()
        self._screen: Screen | None = None

    @property
    def width(self) -> int:  # type: ignore[override]
        return shutil.get_terminal_size((80, 24)).columns

    def note(self, text: str) -> None:
        self.lines(wrapped(text, self.width))

    def showing(self, number: Callable[[Any], int]) -> Printed:
        from mmos.cli.screen import Screen

        self._screen = Screen(stream=True, progress=True)
        return Printed(self, self._screen, number)

    def answerer(self) -> Answerer | None:
        from mmos.cli.asking import Asker

        return Asker(self._screen) if self._screen is not None else None

    def prompt(self) -> None:
        click.echo("> ", nl=False)


class Printed(Told):
    """Shows a turn in lines that are never redrawn."""

    def __init__(self, page: Dumb, screen: Screen, number: Callable[[Any], int]) -> None:
        super().__init__(page, number)
        self._screen = screen

    def hint(self, hint: Hint) -> None:
        self._screen.hint(hint)

    def tell(self, event: events.Event) -> None:
        super().tell(event)
        self._screen.tell(event)

    def finish(self, answer: Answer) -> None:
        self._screen.finish(answer.text if answer.status != "cancelled" else None)
        if answer.status == "cancelled":
            self._page.note(INTERRUPTED)
        else:
            self._page.ended(answer)
        self._page.note(f"[{spent(answer.view)}]")
