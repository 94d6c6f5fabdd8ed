"""Implements the commands that act: /cancel, /retry, /edit, /save, /attach, /copy, /system, /set and /quit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmos.cli.chat.attaching import attachment, named, size
from mmos.cli.chat.conversations import said_in
from mmos.cli.chat.outside import put
from mmos.cli.chat.page import table
from mmos.cli.output import when
from mmos.errors import UsageError
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.cli.chat.session import Session
    from mmos.views.exchanges import Exchange


async def cancel(session: Session, argument: str) -> None:
    dropped = session.drop_queue() if argument == "all" else ()
    stopped = session.cancel()
    if dropped:
        session.say(f"Dropped {counted(len(dropped), 'waiting line')}.")
    elif not stopped:
        session.say("Nothing is running.")


async def retry(session: Session, argument: str) -> None:  # noqa: ARG001
    """Ask the last task again. The old exchange leaves the history, so that no model reads the task twice."""
    run, task = _last(session)
    session.instead = run
    session.say("MMOS asks the last task again. The old answer no longer counts in this conversation.")
    await session.ask(task)


async def edit(session: Session, argument: str) -> None:  # noqa: ARG001
    run, task = _last(session)
    changed = await session.page.edit(task)
    if changed is not None and not changed.strip():
        session.say("The text is empty. Nothing was changed.")
        return
    session.page.type((changed if changed is not None else task).rstrip("\n"))
    session.instead = run
    session.say("Press Enter to ask this instead of the last task. The old answer then no longer counts in this conversation.")


def _last(session: Session) -> tuple[str, str]:
    if session.last is None:
        raise UsageError("Nothing has been asked in this conversation yet.")
    return session.last


async def quit_(session: Session, argument: str) -> None:  # noqa: ARG001
    session.leave()


async def save(session: Session, argument: str) -> None:
    """Write the conversation to a file. Only `-f` replaces an existing file."""
    force = argument.startswith("-f ")
    name = argument.removeprefix("-f ").strip()
    if not name:
        raise UsageError("The file name is missing.", next_step="/save FILE writes this conversation as Markdown.")
    if session.thread is None:
        raise UsageError("Nothing has been said yet.")
    told = await said_in(session.app.journal, session.thread)
    _write(name, as_markdown(session.name or session.thread, told), force)
    session.say(f"{counted(len(told), 'exchange')} written to {name}.")


def _write(name: str, text: str, force: bool) -> None:
    try:
        with named(name).open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{name} exists already.", next_step=f"/save -f {name} replaces it.") from None
    except OSError as error:
        raise UsageError(f"{name} cannot be written: {(error.strerror or str(error)).lower()}.") from None


def as_markdown(name: str, told: list[Exchange]) -> str:
    from mmos.views.exchanges import with_files

    parts = [f"# {name}\n"]
    for exchange in told:
        marks = [exchange.status] if exchange.status != "answered" else []
        marks += ["asked again later"] if exchange.withdrawn else []
        head = " · ".join([when(exchange.time), *marks])
        parts.append(f"\n## {head}\n\n{with_files(exchange.task, exchange.files)}\n\n---\n\n{exchange.answer or '(no answer)'}\n")
    return "".join(parts)


async def attach(session: Session, argument: str) -> None:
    if not argument:
        session.attached.clear()
        session.say("No file is attached now.")
        return
    one = attachment(argument)
    session.attached.append(one)
    session.say(f"{one.name} ({counted(size(one), 'byte')}) goes with your next message.")


async def copy(session: Session, argument: str) -> None:
    """Copy the last answer, or a specialist's answer by its number or role, to the clipboard."""
    if argument:
        fitting = [work.text for work in session.opened if argument in (str(work.number), work.role)]
    else:
        fitting = [answer.text for answer in session.answers if answer.text]
    if not fitting:
        raise UsageError("There is no such answer to copy.")
    session.say(await put(fitting[-1], session.page.clip, session.state))


async def system(session: Session, argument: str) -> None:
    if argument in ("", "none"):
        session.wishes.system = "" if argument else session.wishes.system
        session.say(f"Instructions: {session.wishes.system or 'only those of the configuration.'}")
        return
    session.wishes.system = argument
    session.say("The arbiter gets these instructions from the next turn on. /system none removes them.")


async def set_(session: Session, argument: str) -> None:
    """Set or remove one value for the session, then show all values that are set."""
    if argument:
        key, sign, value = argument.partition("=")
        if not sign:
            raise UsageError(f"{argument!r} is not KEY=VALUE.", next_step="Type /set temperature=0.2, or /set coding=MODEL@HOST.")
        before = session.wishes.copy()
        session.wishes.set(key, value.strip(), list(session.cast()))
        try:
            session.cast()
        except UsageError:
            session.wishes = before
            raise
        if key.strip() in session.wishes.roles:
            await _look_for(session, key.strip())
    told = session.wishes.told()
    if told:
        table(session.page, ("SET", "TO"), told)
    else:
        session.say("Nothing is set. Everything is as configured.")


async def _look_for(session: Session, role: str) -> None:
    """Warn at once if no host can serve the role now. The value stays set, because the user may pull the model meanwhile."""
    wanted = f"{role}={session.cast()[role].role.model}"
    for missing in await session.app.unserved(session.wishes.options()):
        if wanted in missing.roles:
            session.say(f"! {missing.text}")
