"""Implements /thread and /threads: name, continue, start and list conversations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mmos.cli.chat.page import table
from mmos.cli.chat.resuming import standing
from mmos.cli.output import when
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.cli.chat.session import Session
    from mmos.events import Entry
    from mmos.journal import Journal
    from mmos.views.exchanges import Exchange
    from mmos.views.listing import ThreadRow

TAIL = 2
"""When the user returns to a conversation, the chat shows this many exchanges."""


async def thread(session: Session, argument: str) -> None:
    if argument == "new":
        session.begin(None, "")
        session.say("A new conversation begins with your next message.")
    elif argument:
        await take_up(session, argument)
    elif session.thread is None:
        session.say("This is a new conversation. Nothing has been said yet.")
    else:
        said = len(await said_in(session.app.journal, session.thread))
        session.say(f"Thread {session.name or session.thread}, {counted(said, 'exchange')}. Resume it with: {resume_command(session)}")


def resume_command(session: Session) -> str:
    import shlex

    return f"mmos chat --thread {shlex.quote(session.name or session.thread or '')}{session.places}"


async def take_up(session: Session, name: str, *, tell: bool = True) -> None:
    """Continue the conversation with this name or id, or start one with this name. Show its last exchanges."""
    from mmos.errors import NotFound
    from mmos.messages import clean
    from mmos.views.listing import THREAD_KINDS, check_name, find_thread

    name = clean(name)
    check_name(name)
    listed = await session.app.journal.read(kinds=THREAD_KINDS)
    try:
        found = find_thread(listed, name)
    except NotFound:
        session.begin(name, name)
        if tell:
            session.say(f"A new conversation named {name} begins with your next message.")
        return
    session.begin(found, next((row.name for row in _rows(listed) if row.thread == found), ""))
    told = [exchange for exchange in await said_in(session.app.journal, found) if not exchange.withdrawn]
    if told:
        session.last = told[-1].run, told[-1].typed
    if tell:
        _show_tail(session, told)
        if became := await standing(session):
            session.say(became)


def _show_tail(session: Session, told: list[Exchange]) -> None:
    """Show the last exchanges, so that users see where they stopped."""
    from mmos.views.exchanges import with_files

    if len(told) > TAIL:
        session.say(f"… {len(told) - TAIL} earlier")
    for exchange in told[-TAIL:]:
        session.echo(with_files(exchange.task, exchange.files))
        session.page.markdown(exchange.answer or "(no answer)")
        if exchange.status != "answered" and exchange is not told[-1]:  # `standing` describes the last one
            session.say(f"[{exchange.status}]")


async def last_thread(journal: Journal) -> str | None:
    """Find the conversation that was used last."""
    from mmos.views.listing import THREAD_KINDS

    rows = [row for row in _rows(await journal.read(kinds=THREAD_KINDS)) if row.runs]
    return rows[-1].thread if rows else None


async def said_in(journal: Journal, thread: str) -> list[Exchange]:
    from mmos.views.exchanges import EXCHANGE_KINDS, exchanges

    return exchanges(await journal.read(thread=thread, kinds=EXCHANGE_KINDS))


async def threads(session: Session, argument: str) -> None:  # noqa: ARG001
    from mmos.views.listing import THREAD_KINDS

    found = _rows(await session.app.journal.read(kinds=THREAD_KINDS))
    if not found:
        session.say("No conversations yet.")
        return
    rows = [(row.name or row.thread, str(row.runs), when(row.last), row.first) for row in found]
    table(session.page, ("THREAD", "TURNS", "LAST", "FIRST TASK"), rows, ("LAST",))


def _rows(entries: Iterable[Entry]) -> list[ThreadRow]:
    from mmos.views.listing import threads as listed

    return listed(entries)
