"""Commands that do something: stop, save, attach, copy, set, leave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mmos.cli.chat.attaching import attachment
from mmos.cli.chat.cells import columns
from mmos.cli.chat.clipboard import put
from mmos.cli.chat.conversations import said_in
from mmos.cli.output import when
from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.cli.chat.session import Session
    from mmos.views.exchanges import Exchange


async def cancel(session: Session, argument: str) -> None:
    dropped = session.drop_queue() if argument == "all" else ()
    stopped = session.cancel()
    if dropped:
        session.say(f"{len(dropped)} that waited dropped.")
    elif not stopped:
        session.say("Nothing is going on.")


async def quit_(session: Session, argument: str) -> None:  # noqa: ARG001
    session.leave()


async def save(session: Session, argument: str) -> None:
    """Write the conversation; a file that is there is replaced only when that is said."""
    force = argument.startswith("-f ")
    name = argument.removeprefix("-f ").strip()
    if not name:
        raise UsageError("Where to?", next_step="/save FILE writes this conversation as Markdown.")
    if session.thread is None:
        raise UsageError("Nothing has been said yet.")
    told = await said_in(session.app.journal, session.thread)
    _write(name, as_markdown(session.name or session.thread, told), force)
    session.say(f"{len(told)} exchange{'' if len(told) == 1 else 's'} written to {name}.")


def _write(name: str, text: str, force: bool) -> None:
    try:
        with Path(name).expanduser().open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{name} is there already.", next_step=f"/save -f {name} replaces it.") from None
    except OSError as error:
        raise UsageError(f"{name} cannot be written: {(error.strerror or str(error)).lower()}.") from None


def as_markdown(name: str, told: list[Exchange]) -> str:
    parts = [f"# {name}\n"]
    for exchange in told:
        marks = [exchange.status] if exchange.status != "answered" else []
        marks += ["asked again later"] if exchange.withdrawn else []
        head = " · ".join([when(exchange.time), *marks])
        parts.append(f"\n## {head}\n\n{exchange.task}\n\n---\n\n{exchange.answer or '(no answer)'}\n")
    return "".join(parts)


async def attach(session: Session, argument: str) -> None:
    if not argument:
        session.attached.clear()
        session.say("Nothing is attached.")
        return
    one = attachment(argument)
    session.attached.append(one)
    session.say(f"{one.name} ({len(one.text.encode()):,} bytes) goes with your next message.")


async def copy(session: Session, argument: str) -> None:
    """The last answer, or a specialist's by its number, to the clipboard."""
    if argument:
        fitting = [work.text for work in session.opened if argument in (str(work.number), work.role)]
    else:
        fitting = [answer.text for answer in session.answers if answer.text]
    if not fitting:
        raise UsageError("There is no such answer to be copied.")
    session.say(await put(fitting[-1], session.page.clip, session.state))


async def system(session: Session, argument: str) -> None:
    if argument in ("", "none"):
        session.wishes.system = "" if argument else session.wishes.system
        session.say(f"Instructions: {session.wishes.system or 'those of the configuration, no others'}.")
        return
    session.wishes.system = argument
    session.say("The arbiter is told so from the next turn on; /system none takes it back.")


async def set_(session: Session, argument: str) -> None:
    """Set one thing for the session, show what is set, or take it back."""
    if argument:
        key, sign, value = argument.partition("=")
        if not sign:
            raise UsageError(f"{argument!r} is not KEY=VALUE.", next_step="Say /set temperature=0.2, or /set coding=MODEL@HOST.")
        before = session.wishes.copy()
        session.wishes.set(key, value.strip(), list(session.cast()))
        try:
            session.cast()
        except UsageError:
            session.wishes = before
            raise
    told = session.wishes.told()
    if told:
        session.page.lines(columns(("SET", "TO"), told, session.page.width))
    else:
        session.say("Nothing is set: everything is as configured.")
