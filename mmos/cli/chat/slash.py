"""Lists the slash commands with their functions, and decides whether a line is a task or a command."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.cli.chat.session import Session


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
    "help": Command("telling:help_", "[COMMAND]", "list the commands and keys, or explain one command", ("commands",)),
    "tools": Command("telling:tools", "[TOOL]", "list the arbiter's tools, or show one with its arguments", ("tools",)),
    "roles": Command("telling:roles", "", "list the roles, their models, and where they may run"),
    "hosts": Command("telling:hosts_", "", "list the hosts, and the models that each has in memory"),
    "models": Command("telling:models", "", "list the models, and the hosts that have them in memory"),
    "why": Command("why:why", "", "explain the last turn: which roles, models and hosts, why, and how many seconds each took"),
    "usage": Command("why:usage", "", "show tokens, seconds, loads and swaps of the last turn and of this session"),
    "open": Command("telling:open_", "[N|ROLE]", "show a specialist's whole answer", ("roles",)),
    "thread": Command("conversations:thread", "[NAME|new]", "show which conversation this is; continue another, or start one", ("threads",), at_once=False),
    "threads": Command("conversations:threads", "", "list the conversations"),
    "retry": Command("doing:retry", "", "ask the last task again; the old answer no longer counts", at_once=False),
    "resume": Command("resuming:resume", "[ANSWER]", "continue a turn that was stopped, or that waits for your ANSWER", at_once=False),
    "edit": Command("doing:edit", "", "change the last task in $EDITOR or the input line, and ask it instead", at_once=False),
    "cancel": Command("doing:cancel", "[all]", "stop the turn; `all` also drops the waiting lines"),
    "save": Command("doing:save", "FILE", "write the conversation to FILE, as Markdown", ("file",), at_once=False),
    "attach": Command("doing:attach", "[FILE]", "attach a text file or an image to the next message; without FILE, remove all", ("file",), at_once=False),
    "copy": Command("doing:copy", "[N]", "copy the last answer, or a specialist's"),
    "system": Command("doing:system", "[TEXT]", "add instructions for the arbiter, from the next turn on", at_once=False),
    "set": Command("doing:set_", "[KEY=VALUE]", "set coding=MODEL@HOST, temperature=0.2, timeout=60 …; KEY= removes it; without KEY, show what is set", ("settings",), at_once=False),
    "quit": Command("doing:quit_", "", "leave; the conversation is kept", at_once=False),
}  # fmt: skip

ALIASES = {"exit": "quit", "show": "open", "q": "quit", "?": "help"}

_SHAPE = re.compile(r"/([a-z0-9?_-]*)(?:\s+(.*))?", re.DOTALL | re.IGNORECASE | re.ASCII)


def read(text: str) -> tuple[str, str] | None:
    """Split a command line into the command's name and its argument. None for a task, also for one that begins with a path."""
    found = _SHAPE.fullmatch(text.strip())
    if found is None or (not found[1] and found[2]):
        return None
    name = found[1].lower()
    return ALIASES.get(name, name), (found[2] or "").strip()


def known(text: str) -> tuple[str, str] | None:
    """As `read`, but only for commands that exist."""
    found = read(text)
    return found if found is not None and found[0] in COMMANDS else None


def at_once(name: str, session: Session) -> bool:
    """Whether a command runs now: beside an answer most do, beside another command only /cancel."""
    if session.answering:
        return name not in COMMANDS or COMMANDS[name].at_once
    return session.busy and name == "cancel"


def task(text: str) -> str:
    """Remove the first slash of `//word`, which marks a text that is not a command."""
    return text[1:] if text.startswith("//") and "\n" not in text and read(text[1:]) else text


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
    command = read(text)
    await session.carry_out(session.ask(task(text)) if command is None else obey(session, *command))


async def obey(session: Session, name: str, argument: str) -> None:
    await find(name).run(session, argument)
