"""Runs a session without control codes: in a pipe, where each line is a turn, and at a terminal that can only print."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

import click

from mmos import events
from mmos.cli.app import app_of
from mmos.cli.chat import commands
from mmos.cli.chat.conversations import caution, continue_thread, header, next_step, open_session, unfinished
from mmos.cli.chat.page import interrupted, spent
from mmos.cli.guard import unstyled
from mmos.cli.output import print_json_line
from mmos.cli.tables import ENDLESS
from mmos.cli.text import harmless, wrapped
from mmos.scope import Hint

if TYPE_CHECKING:
    from mmos.app import Answer
    from mmos.cli.chat.session import Session, SessionOptions
    from mmos.cli.options import Options
    from mmos.cli.progress import RunDisplay
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

    def show_error(self, error: MmosError) -> None:
        self._count(error)
        self.note("\n".join(filter(None, (f"mmos: {error.message}", error.next_step))))

    def _count(self, error: MmosError) -> None:
        from mmos.cli.main import exit_code

        self.exit_code = self.exit_code or exit_code(error)

    def stream(self) -> TextIO:
        return sys.stderr

    def markdown(self, text: str) -> None:
        self.lines([harmless(text).rstrip("\n")])

    def turn_view(self, number: Callable[[Any], int]) -> SilentTurn:
        return SilentTurn(self, number)

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


class JsonPipe(Pipe):
    """Writes one JSON document for each line of input."""

    def __init__(self) -> None:
        super().__init__()
        self._output: list[str] = []

    def lines(self, lines: Iterable[str]) -> None:
        self._output.extend(map(unstyled, lines))

    def note(self, text: str) -> None:
        self._output.append(harmless(text))

    def show_error(self, error: MmosError) -> None:
        from mmos.views.document import failure

        self._count(error)
        self._output.clear()
        self._print(failure(error.code, error.message, error.next_step))

    def answered(self, answer: Answer) -> None:
        self._output.clear()
        self._print(answer.document())

    def finish(self, line: str) -> None:
        """Print the document of a command: everything that it wrote."""
        if self._output:
            self._print({"version": 1, "command": line, "output": "\n".join(self._output)})
            self._output.clear()

    def _print(self, document: Any) -> None:
        print_json_line(document)
        sys.stdout.flush()


class SilentTurn:
    """Shows only the result of a turn. /open still finds the specialists' answers."""

    def __init__(self, page: Pipe, number: Callable[[Any], int]) -> None:
        from mmos.cli.activity import Activity

        self._page = page
        self._live = Activity(number)

    def on_hint(self, hint: Hint) -> None:
        """Ignore hints: nothing is shown before the answer is complete."""

    def on_event(self, event: events.Event) -> None:
        self._live.on_event(event, 0.0)
        self._live.collapsed(self._page.width)  # this gives each finished work its number

    def finish(self, answer: Answer) -> None:
        self._page.answered(answer)


class SimpleTerminal(Pipe):
    """Writes to a simple terminal: prints the answer as it comes, and lines that say who is at work."""

    def __init__(self) -> None:
        super().__init__()
        self._display: RunDisplay | None = None

    @property
    def width(self) -> int:  # type: ignore[override]
        return shutil.get_terminal_size((80, 24)).columns

    def note(self, text: str) -> None:
        self.lines(wrapped(text, self.width))

    def turn_view(self, number: Callable[[Any], int]) -> PrintedTurn:
        from mmos.cli.progress import RunDisplay

        self._display = RunDisplay(stream=True, progress=True)
        return PrintedTurn(self, self._display, number)

    def answerer(self) -> Answerer | None:
        from mmos.cli.questions import Asker

        return Asker(self._display) if self._display is not None else None

    def prompt(self) -> None:
        click.echo("> ", nl=False)


class PrintedTurn(SilentTurn):
    """Shows a turn in lines that are never redrawn."""

    def __init__(self, page: SimpleTerminal, display: RunDisplay, number: Callable[[Any], int]) -> None:
        super().__init__(page, number)
        self._display = display

    def on_hint(self, hint: Hint) -> None:
        self._display.on_hint(hint)

    def on_event(self, event: events.Event) -> None:
        super().on_event(event)
        self._display.on_event(event)

    def finish(self, answer: Answer) -> None:
        self._display.finish(answer.text if answer.status != "cancelled" else None)
        if answer.status == "cancelled":
            self._page.note(interrupted(answer.view))
        else:
            self._page.ended(answer)
        self._page.note(f"[{spent(answer.view)}]")


# ---------------------------------------------------------------- the input

BLOCK = 65536


class LineReader:
    """Reads lines from a pipe, a file or a simple terminal. It does not read ahead, and its wait can be cancelled."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._ready: deque[str] = deque()
        self._rest = b""
        self._ended = False

    async def next(self) -> str | None:
        """Read the next line without its line break. None at the end of the input."""
        while not self._ready and not self._ended:
            await self._readable()
            self._take(os.read(self._descriptor, BLOCK))
        return self._ready.popleft() if self._ready else None

    def _take(self, block: bytes) -> None:
        if not block:
            self._ended = True
            block = b"\n" if self._rest else b""
        *lines, self._rest = (self._rest + block).split(b"\n")
        self._ready.extend(line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines)

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        try:
            loop.add_reader(self._descriptor, ready.set)
        except PermissionError:  # a file or /dev/null: always readable
            return
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._descriptor)


# ---------------------------------------------------------------- the session


async def line_by_line(options: Options, session_options: SessionOptions, thread: str | None, last: bool, *, at_terminal: bool) -> int:
    """Take each line as a turn. The session ends with the input, with 0 if all lines succeeded."""
    page = JsonPipe() if options.json else SimpleTerminal() if at_terminal else Pipe()
    lines = LineReader(sys.stdin.fileno())
    async with app_of(options, _quiet if options.json else page.note) as app:
        session = open_session(options, app, page, session_options)
        await continue_thread(session, thread, last, on_event=at_terminal)
        if isinstance(page, SimpleTerminal):
            await _converse(page, session, lines)
        else:
            await _serve(page, session, lines)
    return 0 if at_terminal else page.exit_code


def _quiet(text: str) -> None:
    sys.stderr.write(f"{text}\n")


async def _serve(page: Pipe, session: Session, lines: LineReader) -> None:
    ended = asyncio.Event()
    session.leave = ended.set
    if text := await unfinished(session):
        _quiet(text)
    if text := caution(session.app):
        _quiet(text)
    while not ended.is_set() and (line := await lines.next()) is not None:
        if line.strip():
            await commands.handle(session, line)
            if isinstance(page, JsonPipe):
                page.finish(line)


async def _converse(page: SimpleTerminal, session: Session, lines: LineReader) -> None:
    """Read lines as from a pipe, but with a prompt and questions. Ctrl-C stops the turn."""
    page.note(header(session))
    if warning := caution(session.app):
        page.note(warning)
    main = cast("asyncio.Task[Any]", asyncio.current_task())
    left: list[bool] = []

    def leave() -> None:
        left.append(True)
        main.cancel()

    session.leave = leave
    with _interruptible(page, session, leave), suppress(asyncio.CancelledError):
        page.prompt()
        session.app.foresight.chat_begins(session.answerer, session.cast())
        while (line := await lines.next()) is not None:
            if line.strip():
                await commands.handle(session, line)
            page.prompt()
    session.app.foresight.chat_ends()
    if left:
        main.uncancel()
    elif main.cancelling():
        raise asyncio.CancelledError
    page.lines([""])


@contextmanager
def _interruptible(page: SimpleTerminal, session: Session, leave: Any) -> Iterator[None]:
    """Let Ctrl-C stop the turn. When no turn is running, a second Ctrl-C leaves."""
    loop = asyncio.get_running_loop()
    warned = -1
    """How many lines the user had sent when the chat announced that the next Ctrl-C leaves."""

    def stop() -> None:
        nonlocal warned
        if session.cancel():
            return
        if warned == session.lines_sent:
            leave()
        else:
            warned = session.lines_sent
            page.note("\nPress Ctrl-C again or Ctrl-D to leave.")
            page.prompt()

    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
