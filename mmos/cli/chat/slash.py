"""What a line of the user is: a task, or one of the slash commands in the table here, each with the function that does it."""

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
    """One command; its function is imported when it is first used."""

    where: str
    """MODULE:FUNCTION below `mmos.cli.chat`."""
    usage: str
    help: str
    takes: tuple[str, ...] = ()
    """Kinds of names that Tab offers after it."""
    at_once: bool = True
    """It is done while an answer is being written; else when its turn comes."""

    async def run(self, session: Session, argument: str) -> None:
        module, _, function = self.where.partition(":")
        work: Callable[[Session, str], Awaitable[None]] = getattr(import_module(f"mmos.cli.chat.{module}"), function)
        await work(session, argument)


COMMANDS: dict[str, Command] = {
    "help": Command("telling:help_", "[COMMAND]", "what can be typed here", ("commands",)),
    "tools": Command("telling:tools", "[TOOL]", "the tools that the arbiter holds, or one with its arguments", ("tools",)),
    "roles": Command("telling:roles", "", "who answers: roles, their models, where they may run"),
    "hosts": Command("telling:hosts_", "", "the hosts of the fleet, and what each has loaded"),
    "models": Command("telling:models", "", "the models of the fleet, and who holds them in memory"),
    "why": Command("why:why", "", "why these roles, models and hosts in the last turn, in seconds"),
    "usage": Command("why:usage", "", "tokens, seconds, loads and swaps, of the last turn and of this session"),
    "open": Command("telling:open_", "[N|ROLE]", "a specialist's whole answer", ("roles",)),
    "thread": Command("conversations:thread", "[NAME|new]", "which conversation this is; go on with another, or begin one", ("threads",), at_once=False),
    "threads": Command("conversations:threads", "", "the conversations that there are"),
    "retry": Command("doing:retry", "", "ask the last task again; the old answer no longer counts", at_once=False),
    "resume": Command("resuming:resume", "[ANSWER]", "go on with a turn that was stopped, or that waits for your ANSWER", at_once=False),
    "edit": Command("doing:edit", "", "change the last task in $EDITOR or the input line, and ask it instead", at_once=False),
    "cancel": Command("doing:cancel", "[all]", "stop the turn; with `all` drop what was typed ahead, too"),
    "save": Command("doing:save", "FILE", "write the conversation to FILE, as Markdown", ("file",), at_once=False),
    "attach": Command("doing:attach", "[FILE]", "let a text file or an image go with the next message; without FILE, none", ("file",), at_once=False),
    "copy": Command("doing:copy", "[N]", "copy the last answer, or that of a specialist"),
    "system": Command("doing:system", "[TEXT]", "more instructions for the arbiter, from the next turn on", at_once=False),
    "set": Command("doing:set_", "[KEY=VALUE]", "coding=MODEL@HOST, temperature=0.2, timeout=60 …; what is set; KEY= takes it back", ("settings",), at_once=False),
    "quit": Command("doing:quit_", "", "leave; the conversation is kept", at_once=False),
}  # fmt: skip

ALIASES = {"exit": "quit", "show": "open", "q": "quit", "?": "help"}

_SHAPE = re.compile(r"/([a-z0-9?_-]*)(?:\s+(.*))?", re.DOTALL | re.IGNORECASE | re.ASCII)


def read(text: str) -> tuple[str, str] | None:
    """The command that a line is, with what follows it; a path at the beginning of a task is none."""
    found = _SHAPE.fullmatch(text.strip())
    if found is None or (not found[1] and found[2]):
        return None
    name = found[1].lower()
    return ALIASES.get(name, name), (found[2] or "").strip()


def known(text: str) -> tuple[str, str] | None:
    """The same, for commands that there are."""
    found = read(text)
    return found if found is not None and found[0] in COMMANDS else None


def at_once(name: str, session: Session) -> bool:
    """Whether a command is obeyed beside what goes on: beside an answer most are, beside another command only the one that stops it."""
    if session.answering:
        return name not in COMMANDS or COMMANDS[name].at_once
    return session.busy and name == "cancel"


def task(text: str) -> str:
    """What a line asks the models: the first slash of `//word` only says that it is no command."""
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
        next_step=f"/help lists them all. To send a text that begins so, write //{name}.",
    )


async def handle(session: Session, text: str) -> None:
    """One line of the user."""
    command = read(text)
    await session.carry_out(session.ask(task(text)) if command is None else obey(session, *command))


async def obey(session: Session, name: str, argument: str) -> None:
    """Carry out a command."""
    await find(name).run(session, argument)
