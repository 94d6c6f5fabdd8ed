"""Lets a pattern answer in the chat: /pattern."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmos.cli.chat.page import table
from mmos.cli.pattern_options import SHAPES

if TYPE_CHECKING:
    from mmos.cli.chat.session import Session

OFF = "off"


async def pattern(session: Session, argument: str) -> None:
    """List the patterns, let one answer from now on, or only one task."""
    name, _, task = argument.partition(" ")
    if not name:
        _list(session)
    elif name == OFF:
        session.options.pattern = ""
        session.say("The arbiter answers again." if not session.options.model else f"{session.options.model} answers again.")
    elif task.strip():
        await _once(session, name, task.strip())
    else:
        _choose(session, name)
        session.say(f"The pattern {name} answers from now on. /pattern {OFF} ends this.")


def _choose(session: Session, name: str) -> None:
    """Take a pattern, if a turn can have it."""
    tried = session.options.copy()
    tried.pattern = name
    session.app.cast(tried.run_options())
    session.options.pattern = name


async def _once(session: Session, name: str, task: str) -> None:
    before = session.options.pattern
    _choose(session, name)
    try:
        await session.ask(task)
    finally:
        session.options.pattern = before


def _list(session: Session) -> None:
    from mmos.app.flow import flows

    found = flows(session.app.config)
    rows = [(name, flow.shape, ", ".join(member.name for member in flow.members)) for name, flow in found.items() if flow.pattern.enabled]
    forms = [(shape, shape, "the models of the roles") for shape in SHAPES if shape not in found]
    table(session.page, ("PATTERN", "FORM", "MEMBERS"), [*rows, *forms])
    session.say(f"{session.options.pattern or 'No pattern'} answers now. /pattern NAME changes that, /pattern NAME TASK does for one task.")


def names(session: Session) -> list[str]:
    """What may follow /pattern."""
    from mmos.app.flow import flows

    return [*(name for name, flow in flows(session.app.config).items() if flow.pattern.enabled), *SHAPES, OFF]
