"""Commands that tell: what can be typed, the tools, the roles, the fleet, and what a specialist answered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mmos.cli.chat import slash
from mmos.cli.chat.cells import columns, wrapped
from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.cli.chat.session import Session
    from mmos.toolbox import Tool

KEYS = (
    ("Enter", "sends"),
    ("Alt-Enter", "breaks the line, as does a \\ at its end"),
    ("Ctrl-C", "stops the turn; twice on an empty line leaves"),
    ("Ctrl-D", "leaves"),
    ("Tab", "completes commands, roles, tools and file names"),
    ("Ctrl-R", "searches what was typed before"),
    ("Ctrl-X Ctrl-E", "opens the line in $EDITOR"),
)


async def help_(session: Session, argument: str) -> None:
    page = session.page
    if argument:
        name = argument.removeprefix("/")
        command = slash.find(slash.ALIASES.get(name, name))
        page.lines(wrapped(f"/{name} {command.usage}".rstrip() + f": {command.help}", page.width))
        return
    rows = [(f"/{name} {command.usage}".rstrip(), command.help) for name, command in slash.COMMANDS.items()]
    page.lines(columns(("COMMAND", "DOES"), rows, page.width))
    page.lines(["", *columns(("KEY", "DOES"), KEYS, page.width)])


async def tools(session: Session, argument: str) -> None:
    box = session.app.tools
    if argument:
        one = box.get(argument)
        if one is None:
            from mmos.config.wording import perhaps

            raise UsageError(f"There is no tool {argument!r}{perhaps(argument, box.names) or '.'}", next_step="/tools lists them.")
        _one_tool(session, one)
        return
    held = session.cast()["arbiter"].box
    session.page.lines(columns(("TOOL", "FOR"), [(tool.name, tool.spec.description) for tool in held], session.page.width))


def _one_tool(session: Session, tool: Tool) -> None:
    page = session.page
    page.lines([page.ink.bold(tool.name), *wrapped(tool.spec.description, page.width)])
    required = tool.spec.parameters.get("required", ())
    rows = [
        (name, str(spec.get("type", "any")), "yes" if name in required else "no", str(spec.get("description", "")))
        for name, spec in tool.spec.parameters.get("properties", {}).items()
    ]
    if rows:
        page.lines(["", *columns(("ARGUMENT", "TYPE", "REQUIRED", "MEANS"), rows, page.width)])


async def roles(session: Session, argument: str) -> None:  # noqa: ARG001
    rows = [
        (name, one.role.model, ", ".join(one.role.servers) or "any that has it", f"{one.role.window:,}")
        for name, one in session.cast().items()
    ]
    session.page.lines(columns(("ROLE", "MODEL", "WHERE IT MAY RUN", "WINDOW"), rows, session.page.width))


async def hosts(session: Session, argument: str) -> None:  # noqa: ARG001
    from mmos.cli.hosts import table
    from mmos.fleet.survey import survey

    states = await survey(session.app.fleet, session.app.config.servers())
    _coloured(session, table(states, time.time(), session.page.width))


async def models(session: Session, argument: str) -> None:  # noqa: ARG001
    from mmos.cli import fleet, tables
    from mmos.cli.models import rows
    from mmos.fleet.survey import survey

    app = session.app
    states = await survey(app.fleet, app.config.servers())
    found = [
        (
            row.model.name,
            fleet.gigabytes(row.model.size) if row.model.size else "-",
            ", ".join(state.name for state in row.states),
            ", ".join(row.roles) or "-",
            ", ".join(state.name for state in row.states if any(same(held.name, row.model.name) for held in state.loaded)) or "-",
        )
        for row in rows(app.config, states)
    ]
    _coloured(session, tables.columns(("MODEL", "SIZE", "HOSTS", "ROLES", "LOADED ON"), found, session.page.width, ("SIZE",)))
    for state in states:
        if not state.reachable and state.error is not None:
            session.say(f"{state.name} did not answer: {state.error.message}")


def same(one: str, other: str) -> bool:
    """Whether two names are of one model."""
    from mmos.fleet.seats import key

    return key(one) == key(other)


def _coloured(session: Session, lines: list[str]) -> None:
    import click

    session.page.lines(lines if session.page.ink.colour else [click.unstyle(line) for line in lines])


async def open_(session: Session, argument: str) -> None:
    """A specialist's answer by its number or by his role; the newest without either."""
    if not session.opened:
        raise UsageError("No specialist has answered in this session.")
    fitting = [work for work in session.opened if argument in ("", str(work.number), work.role)]
    if not fitting:
        listed = ", ".join(f"{work.number} ({work.role})" for work in session.opened)
        raise UsageError(f"There is no answer {argument!r}.", next_step=f"There are: {listed}.")
    work = fitting[-1]
    page = session.page
    page.lines([page.ink.bold(f"[{work.number}] {work.role} · {work.model} on {work.host}")])
    page.markdown(work.text)
