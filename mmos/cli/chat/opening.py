"""Opens a session: takes up a conversation, and shows the first line with the arbiter, the hosts and the thread."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from mmos.cli.chat.conversations import last_thread, take_up
from mmos.cli.chat.session import Session
from mmos.errors import NotFound
from mmos.plurals import counted
from mmos.version import __version__

if TYPE_CHECKING:
    from mmos.app import App
    from mmos.cli.chat.page import Page
    from mmos.cli.chat.wishes import Wishes
    from mmos.cli.setting import Setting

SHOWN = 8
"""Characters of a thread's id in the first line."""

REHEARSAL = "[rehearsal: scripted models answer; no model is asked]"
EMBEDDED = "[embedded: one model of 135 million parameters plays all roles; it only shows how a fleet works together]"


def opened(config: Setting, app: App, page: Page, wishes: Wishes) -> Session:
    """Open a session. Fails if the configuration does not have the requested roles."""
    session = Session(app, page, config.state_folder(app.config.path), wishes, _places(config))
    session.cast()
    return session


def _places(config: Setting) -> str:
    flags = [f" --{name}" for name in ("rehearse", "embedded") if getattr(config, name)]
    named = [f" {flag} {shlex.quote(value)}" for flag, value in (("-c", config.config), ("--state", config.state)) if value]
    return "".join([*flags, *named])


async def go_on(session: Session, thread: str | None, last: bool, *, tell: bool = True) -> None:
    """Continue the requested conversation."""
    if last:
        thread = await last_thread(session.app.journal)
        if thread is None:
            raise NotFound("There is no conversation to continue yet.", next_step="Start one with `mmos chat`.")
    if thread is not None:
        await take_up(session, thread, tell=tell)


def caution(app: App) -> str:
    """Warn that scripted or tiny models answer. Empty for the user's own fleet."""
    if app.rehearsed:
        return REHEARSAL
    built_in = app.config.path is None and any(server.kind == "embedded" for server in app.config.servers().values())
    return EMBEDDED if built_in else ""


def short(thread: str | None) -> str:
    """Shorten an id to its last characters, which --thread accepts."""
    return thread[-SHOWN:] if thread else ""


def header(session: Session) -> str:
    """Write the first line: version, model, hosts, thread."""
    app, who = session.app, session.answerer.role
    parts = [
        f"mmos {__version__}",
        f"{who.name} {who.model}",
        counted(len(app.config.servers()), "host"),
        f"thread {session.name or short(session.thread) or 'new'}",
        "/help",
    ]
    return " · ".join(parts)
