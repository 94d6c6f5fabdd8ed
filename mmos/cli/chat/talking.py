"""Runs the session at a terminal: shows the input line first, and loads everything else while the user already types."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mmos.cli.chat import slash
from mmos.cli.chat.opening import caution, go_on, header, opened
from mmos.cli.chat.page import Stray
from mmos.cli.chat.sitting import Sitting
from mmos.cli.styles import colourless
from mmos.cli.wiring import wired
from mmos.errors import MmosError

if TYPE_CHECKING:
    from mmos.cli.chat.page import Page
    from mmos.cli.chat.session import Session
    from mmos.cli.chat.wishes import Wishes
    from mmos.cli.setting import Setting


async def at_terminal(config: Setting, wishes: Wishes, thread: str | None, last: bool) -> int:
    """Talk until the user leaves."""
    main = cast("asyncio.Task[Any]", asyncio.current_task())
    left: list[bool] = []

    def leave() -> None:
        if not left:
            left.append(True)
            main.cancel()

    sitting = Sitting(leave, lambda: _folder(config), colour=not colourless())
    resume = ""
    try:
        with sitting.screen.open(), _logs_on(sitting.screen):
            await asyncio.to_thread(_import, config.rehearse)  # in a thread, so that keys are echoed meanwhile
            async with wired(config, sitting.screen.note, sitting.agree) as app:
                session = opened(config, app, sitting.screen, wishes)
                session.leave, session.drop_queue = leave, sitting.inbox.clear
                try:
                    resume = await _talk(sitting, session, thread, last)
                finally:
                    await sitting.stop()  # before the app closes: these commands read from it
    except asyncio.CancelledError:
        if not left:
            raise
        main.uncancel()
        resume = _resume(sitting.session)
    finally:
        await sitting.screen.close()
    if resume:
        print(resume)
    return 0


def _import(rehearse: bool) -> None:
    """Import the slow modules, and warm up the renderer."""
    for name in ("mmos.app", "mmos.app.lifecycle", *(["mmos.rehearsal.fleet"] if rehearse else [])):
        import_module(name)
    stream = import_module("mmos.cli.chat.markdown").MarkdownStream(80, False)
    stream.feed("- `one`\n\ntwo")  # so that the first answer does not wait for the renderer
    stream.finish()


async def _talk(sitting: Sitting, session: Session, thread: str | None, last: bool) -> str:
    screen = sitting.screen
    await go_on(session, thread, last)
    screen.note(header(session))
    if told := caution(session.app):
        screen.note(told)
    sitting.session = session
    looking = asyncio.create_task(_look_around(sitting, session))
    try:
        while (text := await sitting.inbox.next()) is not None:
            session.echo(text)
            await slash.handle(session, text)
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    return _resume(session)


async def _look_around(sitting: Sitting, session: Session) -> None:
    """Warn of hosts that do not answer before they are needed, and load the names of conversations for Tab."""
    from mmos.views.listing import THREAD_KINDS, threads

    rows = threads(await session.app.journal.read(kinds=THREAD_KINDS))
    sitting.know_threads(row.name or row.thread for row in reversed(rows))
    unserved = await session.app.unserved(session.wishes.options())
    for missing in unserved:
        sitting.screen.note(f"! {missing.text}")
    sitting.screen.unserved.update(role for missing in unserved for role in missing.roles)
    spare = {
        name: error for name, error in (await session.app.fleet.census()).items() if all(name not in missing.hosts for missing in unserved)
    }
    for name, error in spare.items():
        sitting.screen.note(f"! {name}: {error.message}")
    if unserved or spare:
        sitting.screen.note("`mmos doctor` shows how to fix this.")


def _resume(session: Session | None) -> str:
    if session is None or session.thread is None or not session.runs:
        return ""
    from mmos.cli.chat.conversations import resume_command

    return f"To continue: {resume_command(session)}"


def _folder(config: Setting) -> Path | None:
    try:
        return config.found_state()
    except MmosError:  # loading the configuration will report this error
        return None


@contextmanager
def _logs_on(page: Page) -> Iterator[None]:
    """Show logs above the input line while it is open."""
    handlers = [handler for handler in logging.getLogger("mmos").handlers if isinstance(handler, logging.StreamHandler)]
    before = [handler.setStream(Stray(page)) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, before, strict=True):
            handler.setStream(stream)
