"""Draws the page at a terminal: finished lines go to the scrollback, live lines are redrawn below them, the input line stays open."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app, run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent, Completer
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import History
from prompt_toolkit.input import create_input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output

from mmos.cli.guard import terminal_text, unstyled
from mmos.cli.styles import style
from mmos.cli.text import cells, harmless

E = KeyPressEvent


class InputHandler(Protocol):
    """Receives what the user does at the keyboard."""

    def submit(self, text: str) -> None: ...
    def interrupt(self) -> None: ...
    def leave(self) -> None: ...
    def open_editor(self) -> None: ...


def bindings(handler: InputHandler, forget: Callable[[], None]) -> KeyBindings:
    """Bind the keys of the chat. All other keys work as in a shell."""
    keys = KeyBindings()
    _for_the_line(keys, handler)
    _for_the_session(keys, handler, forget)
    return keys


def _for_the_line(keys: KeyBindings, handler: InputHandler) -> None:
    at_line = has_focus(DEFAULT_BUFFER)

    @keys.add("enter", filter=at_line)
    def _send(event: E) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\"):  # as in a shell, the input continues on the next line
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            handler.submit(buffer.text)

    @keys.add("escape", "enter", filter=at_line)
    def _break(event: E) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-x", "c-e", filter=at_line)
    def _edit(event: E) -> None:  # noqa: ARG001
        handler.open_editor()

    @keys.add("tab", filter=at_line)
    def _complete(event: E) -> None:
        buffer = event.current_buffer
        if buffer.complete_state is not None:
            buffer.complete_next()
            return
        found = list(buffer.completer.get_completions(buffer.document, CompleteEvent(completion_requested=True)))
        if len(found) == 1:
            buffer.apply_completion(found[0])
        else:
            buffer.start_completion(insert_common_part=True)


def _for_the_session(keys: KeyBindings, handler: InputHandler, forget: Callable[[], None]) -> None:
    at_line = has_focus(DEFAULT_BUFFER)
    empty = Condition(lambda: not get_app().current_buffer.text)

    @keys.add("c-c", filter=at_line)
    @keys.add("<sigint>")
    def _stop(event: E) -> None:  # noqa: ARG001
        handler.interrupt()

    @keys.add("c-d", filter=at_line & empty)
    def _leave(event: E) -> None:  # noqa: ARG001
        handler.leave()

    @keys.add("c-l")
    def _clear(event: E) -> None:
        forget()
        event.app.renderer.clear()

    @keys.add("c-z")
    def _suspend(event: E) -> None:
        forget()
        event.app.suspend_to_background()


# ---------------------------------------------------------------- the screen

REDRAW_SECONDS = 0.03
TICK_SECONDS = 0.125
PROMPT = "› "
SPARE_ROWS = 2
"""Rows that stay empty: for a search, and so that no live line is pushed off the screen."""


class Output(Vt100_Output):
    """Writes a whole frame at once, so that erased lines do not flicker. It bypasses the guard of stdout, so it cleans what it writes."""

    is_held = False

    def write(self, data: str) -> None:
        super().write(harmless(data) if data.strip("\r\n") else data)

    def flush(self) -> None:
        if not self.is_held:
            super().flush()


class Terminal:
    """A page that is redrawn. Its live lines are right above the input line, which prompt_toolkit draws and edits."""

    def __init__(self, handler: InputHandler, history: History, completer: Completer, colour: bool) -> None:
        self.colour = colour
        self.asking = ""
        """The prompt of the input line while a question is open."""
        self.live: Callable[[], Sequence[str]] = tuple
        self.below: Callable[[], Sequence[str]] = tuple
        self.unserved: set[str] = set()
        """Roles that no host can serve and that the page has warned of, each as ROLE=MODEL."""
        self._live_lines: list[str] = []
        self._pending: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._last_frame = float("-inf")
        self._clean = False
        self._handler = handler
        self._output: Output = Output.from_pty(sys.stdout)  # type: ignore[assignment]  # returns the class that it is called on
        self._output.enable_cpr = False  # over ssh, a late reply of the terminal would appear in the input line
        self._session: PromptSession[str] = self._prompt_session(history, completer)
        self._loop = asyncio.get_running_loop()
        self._running: asyncio.Task[Any] | None = None

    def _prompt_session(self, history: History, completer: Completer) -> PromptSession[str]:
        session: PromptSession[str] = PromptSession(
            self._message,
            multiline=True,
            prompt_continuation="  ",
            history=history,
            completer=completer,
            complete_while_typing=Condition(lambda: session.default_buffer.text.startswith("/")),
            key_bindings=bindings(self._handler, self.forget),
            color_depth=None if self.colour else ColorDepth.DEPTH_1_BIT,
            erase_when_done=True,
            input=create_input(),
            output=self._output,
        )
        session.default_buffer.accept_handler = self._accepted
        app = session.app
        app.max_render_postpone_time = None
        app.before_render += self._before
        app.after_render += self._after
        return session

    # ---------------------------------------------------------------- what is written

    @property
    def width(self) -> int:
        return self._output.get_size().columns

    def lines(self, lines: Iterable[str]) -> None:
        """Put finished lines into the scrollback."""
        self._pending.extend(lines)
        self.refresh()

    def refresh(self, *, now: bool = False) -> None:
        """Draw what has changed: at once if the last frame is old enough, otherwise together with later changes."""
        wait = 0.0 if now else self._last_frame + REDRAW_SECONDS - self._loop.time()
        if wait <= 0:
            self._invalidate()
        elif self._timer is None:
            self._timer = self._loop.call_later(wait, self._invalidate)

    def _invalidate(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._session.app.invalidate()

    def tick(self, on: bool) -> None:
        """Redraw regularly while something is at work, so that its seconds count up."""
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        if on:
            self.refresh()
            self._ticking = self._loop.call_later(TICK_SECONDS, self.tick, True)

    def forget(self) -> None:
        """Forget the drawn lines: another program used the screen, so they must not be erased."""
        self._live_lines = []

    def _message(self) -> ANSI:
        return ANSI(self._terminal_text(style(self.asking or PROMPT, "bold")))

    def _terminal_text(self, line: str) -> str:
        return terminal_text(line if self.colour else unstyled(line))

    def _before(self, _app: Any) -> None:
        """Draw the changed lines above the input line, before prompt_toolkit draws that line."""
        self._last_frame = self._loop.time()
        rows = self._output.get_size().rows
        live = [*self.live(), *self.below()]
        live = live[max(0, len(live) - max(0, rows - SPARE_ROWS - self._input_rows(rows))) :]
        if not self._clean:
            self._output.is_held = True
            self._output.write_raw("\r")  # erases the provisional prompt of `mmos.cli.chat.main`
            self._output.erase_down()
            self._clean = True
        if not self._pending and live == self._live_lines:
            return
        self._output.is_held = True
        self._session.app.renderer.erase(leave_alternate_screen=False)
        same = 0 if self._pending else _common(live, self._live_lines)
        self._output.cursor_up(len(self._live_lines) - same)
        # Overwrite line by line: some terminals move an erased screen into their scrollback.
        self._output.write_raw("".join(f"\x1b[K{self._terminal_text(line)}\r\n" for line in [*self._pending, *live[same:]]))
        self._output.erase_down()
        self._pending.clear()
        self._live_lines = live

    def _input_rows(self, most: int) -> int:
        """Count the rows of the input line and its completion menu, so that the lines above stay on the screen."""
        buffer = self._session.default_buffer
        menu = self._session.reserve_space_for_menu if buffer.complete_while_typing() or buffer.complete_state is not None else 0
        if buffer.document.line_count >= most:
            return most
        before = max(cells(self.asking), len(PROMPT))
        return max(menu, sum(1 + (before + cells(line)) // self.width for line in buffer.document.lines))

    def _after(self, _app: Any) -> None:
        self._output.is_held = False
        self._output.flush()

    # ---------------------------------------------------------------- the input line

    def _accepted(self, buffer: Buffer) -> bool:
        """Take a line that prompt_toolkit accepted by any of its own keys. The session continues."""
        self._handler.submit(buffer.text)
        return True

    def type(self, text: str) -> None:
        """Put a text into the input line."""
        buffer = self._session.default_buffer
        buffer.text = text
        buffer.cursor_position = len(text)

    @property
    def input_text(self) -> str:
        return self._session.default_buffer.text

    def remember(self, text: str) -> None:
        self._session.history.append_string(text)
        self._session.default_buffer.reset()

    async def aside(self, work: Callable[[], None]) -> None:
        """Give the terminal to another program while it runs."""
        self.forget()
        await run_in_terminal(work, in_executor=True)

    def send(self, sequence: str) -> None:
        """Send a control sequence to the terminal."""
        self._output.write_raw(sequence)
        self._output.flush()

    # ---------------------------------------------------------------- its life

    @contextmanager
    def open(self) -> Iterator[None]:
        """Show the input line."""
        self._running = asyncio.create_task(self._session.app.run_async(set_exception_handler=False))
        self._running.add_done_callback(self._ended)
        yield

    async def close(self) -> None:
        self.tick(False)
        self.live = self.below = tuple
        running = self._running
        if running is None:
            return
        if not running.done():
            self._session.app.exit()
        await asyncio.gather(running, return_exceptions=True)

    def _ended(self, running: asyncio.Task[Any]) -> None:
        """Leave when the terminal or its input was closed."""
        if not running.cancelled() and running.exception() is not None:
            self._handler.leave()


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Count the equal lines at the beginning of both."""
    return next((place for place, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), min(len(one), len(other)))
