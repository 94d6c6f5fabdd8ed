"""Runs the session line by line: in a pipe, where stdout holds only answers, and at a terminal that can only print."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from mmos.cli.chat import slash
from mmos.cli.chat.input import Lines
from mmos.cli.chat.opening import caution, go_on, header, opened
from mmos.cli.chat.plain import Documents, Dumb, Pipe
from mmos.cli.chat.resuming import standing
from mmos.cli.wiring import wired

if TYPE_CHECKING:
    from mmos.cli.chat.session import Session
    from mmos.cli.chat.wishes import Wishes
    from mmos.cli.setting import Setting


async def line_by_line(config: Setting, wishes: Wishes, thread: str | None, last: bool, *, at_terminal: bool) -> int:
    """Take each line as a turn. The session ends with the input, with 0 if all lines succeeded."""
    page = Documents() if config.json else Dumb() if at_terminal else Pipe()
    lines = Lines(sys.stdin.fileno())
    async with wired(config, _quiet if config.json else page.note) as app:
        session = opened(config, app, page, wishes)
        await go_on(session, thread, last, tell=at_terminal)
        if isinstance(page, Dumb):
            await _converse(page, session, lines)
        else:
            await _serve(page, session, lines)
    return 0 if at_terminal else page.exit_code


def _quiet(text: str) -> None:
    sys.stderr.write(f"{text}\n")


async def _serve(page: Pipe, session: Session, lines: Lines) -> None:
    ended = asyncio.Event()
    session.leave = ended.set
    if told := await standing(session):
        _quiet(told)
    if told := caution(session.app):
        _quiet(told)
    while not ended.is_set() and (line := await lines.next()) is not None:
        if line.strip():
            await slash.handle(session, line)
            if isinstance(page, Documents):
                page.finish(line)


async def _converse(page: Dumb, session: Session, lines: Lines) -> None:
    """Read lines as from a pipe, but with a prompt and questions. Ctrl-C stops the turn."""
    page.note(header(session))
    if told := caution(session.app):
        page.note(told)
    main = cast("asyncio.Task[Any]", asyncio.current_task())
    left: list[bool] = []

    def leave() -> None:
        left.append(True)
        main.cancel()

    session.leave = leave
    with _interruptible(page, session, leave), suppress(asyncio.CancelledError):
        page.prompt()
        while (line := await lines.next()) is not None:
            if line.strip():
                await slash.handle(session, line)
            page.prompt()
    if left:
        main.uncancel()
    elif main.cancelling():
        raise asyncio.CancelledError
    page.lines([""])


@contextmanager
def _interruptible(page: Dumb, session: Session, leave: Any) -> Iterator[None]:
    """Let Ctrl-C stop the turn. When no turn is running, a second Ctrl-C leaves."""
    loop = asyncio.get_running_loop()
    warned = -1
    """How many lines the user had sent when the chat announced that the next Ctrl-C leaves."""

    def stop() -> None:
        nonlocal warned
        if session.cancel():
            return
        if warned == session.said:
            leave()
        else:
            warned = session.said
            page.note("\nPress Ctrl-C again or Ctrl-D to leave.")
            page.prompt()

    loop.add_signal_handler(signal.SIGINT, stop)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
