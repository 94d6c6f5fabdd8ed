"""Decides whether a line is a task or a slash command, lists the commands, and implements those that act."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from mmos.cli.chat.conversations import tasks_of
from mmos.cli.chat.desktop import attachment, copy_text, path_of, size
from mmos.cli.chat.page import table
from mmos.cli.output import when
from mmos.errors import UsageError
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.cli.chat.session import Session
    from mmos.views.transcript import TaskRow


@dataclass(frozen=True)
class Command:
    """One command. Its function is imported when it is first used."""

    where: str
    """MODULE:FUNCTION below `mmos.cli.chat`."""
    usage: str
    help: str
    takes: tuple[str, ...] = ()
    """The kinds of names that Tab offers as arguments."""
    at_once: bool = True
    """True: runs while an answer is being written. False: waits in the queue."""

    async def run(self, session: Session, argument: str) -> None:
        module, _, function = self.where.partition(":")
        work: Callable[[Session, str], Awaitable[None]] = getattr(import_module(f"mmos.cli.chat.{module}"), function)
        await work(session, argument)


COMMANDS: dict[str, Command] = {
    "help": Command("reports:help_", "[COMMAND]", "list the commands and keys, or explain one command", ("commands",)),
    "tools": Command("reports:tools", "[TOOL]", "list the arbiter's tools, or show one with its arguments", ("tools",)),
    "roles": Command("reports:roles", "", "list the roles, their models, and where they may run"),
    "hosts": Command("reports:hosts_", "", "list the hosts, and the models that each has in memory"),
    "models": Command("reports:models", "", "list the models, and the hosts that have them in memory"),
    "why": Command("reports:why", "", "explain the last turn: which roles, models and hosts, why, and how many seconds each took"),
    "usage": Command("reports:usage", "", "show tokens, seconds, loads and swaps of the last turn and of this session"),
    "open": Command("reports:open_", "[N|ROLE]", "show a specialist's whole answer", ("roles",)),
    "thread": Command("conversations:thread", "[NAME|new]", "show which conversation this is; continue another, or start one", ("threads",), at_once=False),
    "threads": Command("conversations:threads", "", "list the conversations"),
    "clear": Command("past:clear", "", "begin a new conversation, in which nobody remembers anything; the old one is kept", at_once=False),
    "compact": Command("past:compact", "", "have all exchanges but the newest summarised, so that prompts are shorter; your words stay", at_once=False),
    "undo": Command("past:undo", "", "take the last task and its answer back, as if you had not asked; again: the one before", at_once=False),
    "fork": Command("past:fork", "[NAME]", "go on in a copy of this conversation, named NAME; the old one stays as it is", at_once=False),
    "retry": Command("commands:retry", "", "ask the last task again; the old answer no longer counts", at_once=False),
    "resume": Command("conversations:resume", "[ANSWER]", "continue a turn that was stopped, or that waits for your ANSWER", at_once=False),
    "edit": Command("commands:edit", "", "change the last task in $EDITOR or the input line, and ask it instead", at_once=False),
    "cancel": Command("commands:cancel", "[all]", "stop the turn; `all` also drops the waiting lines"),
    "say": Command("commands:say", "TEXT", "write to the models that talk with each other now; they read it before they write again"),
    "good": Command("commands:good", "[NOTE]", "keep that the last answer was good, with a note if you write one", at_once=False),
    "bad": Command("commands:bad", "[NOTE]", "keep that the last answer was bad, with a note if you write one", at_once=False),
    "compare": Command("comparing:compare", "A B", "show how two models, roles or patterns answer the last task, beside each other", ("roles",), at_once=False),
    "save": Command("commands:save", "FILE", "write the conversation to FILE, as Markdown", ("file",), at_once=False),
    "attach": Command("commands:attach", "[FILE]", "attach a text file or an image to the next message; without FILE, remove all", ("file",), at_once=False),
    "copy": Command("commands:copy", "[N]", "copy the last answer, or a specialist's"),
    "pattern": Command("patterns:pattern", "[NAME [TASK]|off]", "let several models answer in a pattern: from now on, or only TASK; list the patterns", ("patterns",), at_once=False),
    "rag": Command("library:rag", "[on|off|COLLECTION]", "look each task up in a collection of documents, or no longer", at_once=False),
    "sources": Command("library:sources", "[N]", "list the passages of the last answer, or show one with what stands around it"),
    "system": Command("commands:system", "[TEXT]", "add instructions for the arbiter, from the next turn on", at_once=False),
    "set": Command("commands:set_", "[KEY=VALUE]", "set coding=MODEL@HOST, temperature=0.2, timeout=60 …; KEY= removes it; without KEY, show what is set", ("settings",), at_once=False),
    "quit": Command("commands:quit_", "", "leave; the conversation is kept", at_once=False),
}  # fmt: skip

ALIASES = {"exit": "quit", "show": "open", "q": "quit", "?": "help"}

_SHAPE = re.compile(r"/([a-z0-9?_-]*)(?:\s+(.*))?", re.DOTALL | re.IGNORECASE | re.ASCII)


def parse(text: str) -> tuple[str, str] | None:
    """Split a command line into the command's name and its argument. None for a task, also for one that begins with a path."""
    found = _SHAPE.fullmatch(text.strip())
    if found is None or (not found[1] and found[2]):
        return None
    name = found[1].lower()
    return ALIASES.get(name, name), (found[2] or "").strip()


def parse_known(text: str) -> tuple[str, str] | None:
    """As `read`, but only for commands that exist."""
    found = parse(text)
    return found if found is not None and found[0] in COMMANDS else None


def runs_now(name: str, session: Session) -> bool:
    """Whether a command runs now: beside an answer most do, beside another command only /cancel."""
    if session.answering:
        return name not in COMMANDS or COMMANDS[name].at_once
    return session.busy and name == "cancel"


def unescaped(text: str) -> str:
    """Remove the first slash of `//word`, which marks a text that is not a command."""
    return text[1:] if text.startswith("//") and "\n" not in text and parse(text[1:]) else text


def find(name: str) -> Command:
    if name in COMMANDS:
        return COMMANDS[name]
    if not name:
        raise UsageError("There is no command after the slash.", next_step=f"The commands: {' '.join(f'/{one}' for one in COMMANDS)}.")
    from mmos.config.wording import nearest

    near = nearest(name, COMMANDS)
    raise UsageError(
        f"There is no command /{name}." + (f" Did you mean /{near}?" if near else ""),
        next_step=f"/help lists all commands. To send this as a text, write //{name}.",
    )


async def handle(session: Session, text: str) -> None:
    """Carry out one line of the user: a task or a command."""
    command = parse(text)
    await session.carry_out(session.ask(unescaped(text)) if command is None else execute(session, *command))


async def execute(session: Session, name: str, argument: str) -> None:
    await find(name).run(session, argument)


# ---------------------------------------------------------------- commands that act


async def cancel(session: Session, argument: str) -> None:
    dropped = session.drop_queue() if argument == "all" else ()
    stopped = session.cancel()
    if dropped:
        session.say(f"Dropped {counted(len(dropped), 'waiting line')}.")
    elif not stopped:
        session.say("Nothing is running.")


async def say(session: Session, argument: str) -> None:
    if not argument:
        raise UsageError("The text is missing.", next_step="/say TEXT writes to the models that talk with each other.")
    if not session.answering or not session.runs:
        raise UsageError("No models talk with each other now.", next_step="Write your text without /say to ask the arbiter.")
    await session.app.steer(session.runs[-1], argument)
    session.say("They read this before they write again.")


async def retry(session: Session, argument: str) -> None:  # noqa: ARG001
    """Ask the last task again. The old exchange leaves the history, so that no model reads the task twice."""
    run, unescaped = _last(session)
    session.instead = run
    session.say("MMOS asks the last task again. The old answer no longer counts in this conversation.")
    await session.ask(unescaped)


async def edit(session: Session, argument: str) -> None:  # noqa: ARG001
    run, unescaped = _last(session)
    changed = await session.page.edit(unescaped)
    if changed is not None and not changed.strip():
        session.say("The text is empty. Nothing was changed.")
        return
    session.page.type((changed if changed is not None else unescaped).rstrip("\n"))
    session.instead = run
    session.say("Press Enter to ask this instead of the last task. The old answer then no longer counts in this conversation.")


def _last(session: Session) -> tuple[str, str]:
    if session.last is None:
        raise UsageError("Nothing has been asked in this conversation yet.")
    return session.last


async def good(session: Session, argument: str) -> None:
    await _rate(session, argument, good=True)


async def bad(session: Session, argument: str) -> None:
    await _rate(session, argument, good=False)


async def _rate(session: Session, note: str, *, good: bool) -> None:
    run, _ = _last(session)
    await session.app.rate(run, good=good, note=note)
    session.say(f"The last answer is rated {'good' if good else 'bad'}.")


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
    tasks = await tasks_of(session.app.journal, session.thread)
    _write(name, as_markdown(session.name or session.thread, tasks), force)
    session.say(f"{counted(len(tasks), 'exchange')} written to {name}.")


def _write(name: str, text: str, force: bool) -> None:
    try:
        with path_of(name).open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{name} exists already.", next_step=f"/save -f {name} replaces it.") from None
    except OSError as error:
        raise UsageError(f"{name} cannot be written: {(error.strerror or str(error)).lower()}.") from None


def as_markdown(name: str, tasks: list[TaskRow]) -> str:
    from mmos.views.transcript import with_files

    parts = [f"# {name}\n"]
    for task in tasks:
        marks = [task.status] if task.status != "answered" else []
        marks += ["taken back"] if task.withdrawn else []
        head = " · ".join([when(task.time), *marks])
        parts.append(f"\n## {head}\n\n{with_files(task.task, task.files)}\n\n---\n\n{task.answer or '(no answer)'}\n")
    return "".join(parts)


async def attach(session: Session, argument: str) -> None:
    if not argument:
        session.attachments.clear()
        session.say("No file is attached now.")
        return
    one = attachment(argument)
    session.attachments.append(one)
    session.say(f"{one.name} ({counted(size(one), 'byte')}) goes with your next message.")


async def copy(session: Session, argument: str) -> None:
    """Copy the last answer, or a specialist's answer by its number or role, to the clipboard."""
    if argument:
        fitting = [work.text for work in session.consultations if argument in (str(work.number), work.role)]
    else:
        fitting = [answer.text for answer in session.answers if answer.text]
    if not fitting:
        raise UsageError("There is no such answer to copy.")
    session.say(await copy_text(fitting[-1], session.page.clip, session.state))


async def system(session: Session, argument: str) -> None:
    if argument in ("", "none"):
        session.options.system = "" if argument else session.options.system
        session.say(f"Instructions: {session.options.system or 'only those of the configuration.'}")
        return
    session.options.system = argument
    session.say("The arbiter gets these instructions from the next turn on. /system none removes them.")


async def set_(session: Session, argument: str) -> None:
    """Set or remove one value for the session, then show all values that are set."""
    if argument:
        key, sign, value = argument.partition("=")
        if not sign:
            raise UsageError(f"{argument!r} is not KEY=VALUE.", next_step="Type /set temperature=0.2, or /set coding=MODEL@HOST.")
        before = session.options.copy()
        session.options.set(key, value.strip(), list(session.cast()))
        try:
            session.cast()
        except UsageError:
            session.options = before
            raise
        if key.strip() in session.options.roles:
            await _look_for(session, key.strip())
    rows = session.options.rows()
    if rows:
        table(session.page, ("SET", "TO"), rows)
    else:
        session.say("Nothing is set. Everything is as configured.")


async def _look_for(session: Session, role: str) -> None:
    """Warn at once if no host can serve the role now. The value stays set, because the user may pull the model meanwhile."""
    assignment = f"{role}={session.cast()[role].role.model}"
    for missing in await session.app.unserved(session.options.run_options()):
        if assignment in missing.roles:
            session.say(f"! {missing.text}")
