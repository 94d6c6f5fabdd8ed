"""Implements the commands that show something: /help, /tools, /roles, /hosts, /models and /open."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from mmos.cli.cells import cells, hanging, pad, wrapped
from mmos.cli.chat import slash
from mmos.cli.chat.page import table
from mmos.cli.styles import style
from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.cli.chat.session import Session
    from mmos.toolbox import Tool

KEYS = (
    ("Enter", "sends"),
    ("Alt-Enter", "starts a new line, as does a \\ at the end of the line"),
    ("Ctrl-C", "stops the turn; twice on an empty line leaves"),
    ("Ctrl-D", "leaves"),
    ("Tab", "completes commands, roles, tools and file names"),
    ("Ctrl-R", "searches your earlier input"),
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
    page.lines([*_explained(("COMMAND", "DOES"), rows, page.width), "", *_explained(("KEY", "DOES"), KEYS, page.width)])


def _explained(heads: tuple[str, str], rows: Iterable[tuple[str, str]], width: int) -> list[str]:
    """Write two columns. Wrap the second one."""
    listed = [heads, *rows]
    wide = max(cells(name) for name, _ in listed)
    return [line for name, text in listed for line in hanging(f"{pad(name, wide)}  ", text, width)]


async def tools(session: Session, argument: str) -> None:
    box = session.app.tools
    if argument:
        one = box.get(argument)
        if one is None:
            from mmos.config.wording import perhaps

            raise UsageError(f"There is no tool {argument!r}{perhaps(argument, box.names) or '.'}", next_step="/tools lists the tools.")
        _one_tool(session, one)
        return
    held = session.answerer.box
    if not held:
        session.say(f"The {session.answerer.role.name} has no tools.")
        return
    table(session.page, ("TOOL", "FOR"), [(tool.name, tool.spec.description) for tool in held])


def _one_tool(session: Session, tool: Tool) -> None:
    page = session.page
    page.lines([style(tool.name, "bold"), *wrapped(tool.spec.description, page.width)])
    required = tool.spec.parameters.get("required", ())
    rows = [
        (name, str(spec.get("type", "any")), "yes" if name in required else "no", str(spec.get("description", "")))
        for name, spec in tool.spec.parameters.get("properties", {}).items()
    ]
    if rows:
        page.lines([""])
        table(page, ("ARGUMENT", "TYPE", "REQUIRED", "MEANS"), rows)


async def roles(session: Session, argument: str) -> None:  # noqa: ARG001
    rows = [
        (name, one.role.model, ", ".join(one.role.servers) or "any host with it", f"{one.role.window:,}")
        for name, one in session.cast().items()
    ]
    table(session.page, ("ROLE", "MODEL", "WHERE IT MAY RUN", "WINDOW"), rows)


async def hosts_(session: Session, argument: str) -> None:  # noqa: ARG001
    from mmos.cli import hosts
    from mmos.fleet.survey import survey

    states = await survey(session.app.fleet, session.app.config.servers())
    session.page.lines(hosts.table(states, time.time(), session.page.width))


async def models(session: Session, argument: str) -> None:  # noqa: ARG001
    from mmos.cli import fleet
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
            ", ".join(state.name for state in row.states if state.holds(row.model.name)) or "-",
        )
        for row in rows(app.config, states)
    ]
    if found:
        table(session.page, ("MODEL", "SIZE", "HOSTS", "ROLES", "LOADED ON"), found, ("SIZE",))
    for state in states:
        if not state.reachable and state.error is not None:
            session.say(f"{state.name} did not answer: {state.error.message}")


async def open_(session: Session, argument: str) -> None:
    """Show a specialist's answer by its number or its role. Without an argument, the newest."""
    if not session.opened:
        raise UsageError("No specialist has answered in this session.")
    fitting = [work for work in session.opened if argument in ("", str(work.number), work.role)]
    if not fitting:
        listed = ", ".join(f"{work.number} ({work.role})" for work in session.opened)
        raise UsageError(f"There is no answer {argument!r}.", next_step=f"There are: {listed}.")
    work = fitting[-1]
    page = session.page
    page.lines([style(f"[{work.number}] {work.role} · {work.model} on {work.host}", "bold")])
    page.markdown(work.text)
