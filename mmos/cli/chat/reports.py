"""Implements the commands that show something: /help, /tools, /roles, /hosts, /models, /open, /why and /usage."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmos import events
from mmos.choice_events import RuleMet, TaskRouted
from mmos.chunk_events import TaskDivided
from mmos.cli import parts, pattern_words
from mmos.cli.chat.commands import ALIASES, COMMANDS, find
from mmos.cli.chat.page import table
from mmos.cli.output import how_long
from mmos.cli.placement import reason
from mmos.cli.styles import style
from mmos.cli.talks import cause as in_talk
from mmos.cli.talks import watched
from mmos.cli.text import cells, flat, hanging, pad, wrapped
from mmos.cli.trace import what_of
from mmos.cli.verdicts import cause as validating
from mmos.errors import UsageError
from mmos.events import Entry
from mmos.pattern_events import ConflictFound, MemberVoted, PatternBegun, PatternEnded, StepRolledBack
from mmos.plurals import counted
from mmos.talk_events import MessageReviewed, TalkClosed, TalkNoticed, TalkOpened
from mmos.views.routes import candidates, in_words
from mmos.views.rules import in_words as met_in_words

if TYPE_CHECKING:
    from mmos.cli.chat.session import Session
    from mmos.toolbox import Tool
    from mmos.views.run import RunView

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
        command = find(ALIASES.get(name, name))
        page.lines(wrapped(f"/{name} {command.usage}".rstrip() + f": {command.help}", page.width))
        return
    rows = [(f"/{name} {command.usage}".rstrip(), command.help) for name, command in COMMANDS.items()]
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
    toolbox = session.answerer.box
    if not toolbox:
        session.say(f"The {session.answerer.role.name} has no tools.")
        return
    table(session.page, ("TOOL", "FOR"), [(tool.name, tool.spec.description) for tool in toolbox])


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
        (
            name,
            " · ".join(choice.role.model for choice in one.choices),
            ", ".join(one.role.servers) or "any host with it",
            f"{one.role.window:,}",
        )
        for name, one in session.cast().items()
    ]
    table(session.page, ("ROLE", "MODEL", "WHERE IT MAY RUN", "WINDOW"), rows)


async def hosts_(session: Session, argument: str) -> None:  # noqa: ARG001
    from mmos.cli import hosts
    from mmos.fleet.survey import survey

    states = await survey(session.app.fleet, session.app.config.servers())
    session.page.lines([*hosts.table(states, time.time(), session.page.width), *hosts.queue(session.app.fleet.standing().waiting)])


async def models(session: Session, argument: str) -> None:  # noqa: ARG001
    from mmos.app.catalog import Evidence, of_states
    from mmos.cli.fleet import gigabytes
    from mmos.cli.models import rows
    from mmos.cli.models_known import words
    from mmos.fleet.survey import survey
    from mmos.names import canonical

    app = session.app
    states = await survey(app.fleet, app.config.servers())
    catalog = of_states(app.config, states, Evidence(app.benchmarks, app.fleet.speeds.known(), app.trials))
    found = [
        (
            row.model.name,
            gigabytes(row.model.size) if row.model.size else "-",
            words(row.known),
            ", ".join(state.name for state in row.states) or "-",
            ", ".join(row.roles) or "-",
            ", ".join(state.name for state in row.states if state.holds(row.model.name)) or "-",
        )
        for row in rows(app.config, states, {canonical(model.name): model for model in catalog})
    ]
    if found:
        table(session.page, ("MODEL", "SIZE", "GOOD AT", "HOSTS", "ROLES", "LOADED ON"), found, ("GOOD AT", "SIZE"))
    for state in states:
        if not state.reachable and state.error is not None:
            session.say(f"{state.name} did not answer: {state.error.message}")


async def open_(session: Session, argument: str) -> None:
    """Show a specialist's answer by its number or its role. Without an argument, the newest."""
    if not session.consultations:
        raise UsageError("No specialist has answered in this session.")
    fitting = [work for work in session.consultations if argument in ("", str(work.number), work.role)]
    if not fitting:
        listed = ", ".join(f"{work.number} ({work.role})" for work in session.consultations)
        raise UsageError(f"There is no answer {argument!r}.", next_step=f"There are: {listed}.")
    work = fitting[-1]
    page = session.page
    page.lines([style(f"[{work.number}] {work.role} · {work.model} on {work.host}", "bold")])
    page.markdown(work.text)


# ---------------------------------------------------------------- /why and /usage

OTHER_HOSTS = 3
"""How many other hosts it compares with."""


@dataclass
class Account:
    """One participant's part of a turn: its task, its replies, and the participants that it consulted."""

    head: str
    lines: list[str] = field(default_factory=list)
    below: list[Account] = field(default_factory=list)

    def rows(self, depth: int, width: int) -> Iterator[str]:
        yield from indented(self.head, depth, width)
        for line in self.lines:
            yield from indented(line, depth + 1, width)
        for inner in self.below:
            yield from inner.rows(depth + 1, width)


def indented(text: str, depth: int, width: int) -> Iterator[str]:
    """Wrap a text. Continued lines are indented further."""
    room = max(20, width - 2 * depth - 2)
    first, *rest = wrapped(text, room)
    yield "  " * depth + first
    for line in rest:
        yield "  " * (depth + 1) + line


async def why(session: Session, argument: str) -> None:  # noqa: ARG001
    if not session.runs:
        raise UsageError("Nothing has been asked in this session yet.")
    entries = await session.app.journal.read(run=session.runs[-1])
    session.page.lines(reasons(entries, session.page.width, session.options.roles))


def reasons(entries: Iterable[Entry], width: int, overrides: Collection[str] = ()) -> list[str]:
    """Say who asked whom what, on which host and why there, and how the seconds were spent."""
    accounts = Accounts(overrides)
    for entry in entries:
        accounts.apply(entry.event)
    return [line for top in accounts.tops for line in top.rows(0, width)]


@dataclass
class Accounts:
    """The accounts of a run while its events are read."""

    overrides: Collection[str]
    tops: list[Account] = field(default_factory=list)
    _lanes: dict[str, Account] = field(default_factory=dict)
    _within: dict[str, Account] = field(default_factory=dict)
    """Whose account a talk or a pattern belongs to."""
    _calls: dict[str, events.CallStarted] = field(default_factory=dict)

    def apply(self, event: events.Event) -> None:
        match event:
            case events.CallStarted():
                self._calls[event.call] = event
            case TaskRouted():
                self.tops.append(Account(f"route: {flat(in_words(event))}", [flat(line) for line in candidates(event)]))
            case events.LaneOpened():
                account = self._lanes[event.lane] = Account(f"{event.role}: {self._cause(event)}")
                (self._lanes[event.parent].below if event.parent in self._lanes else self.tops).append(account)
            case TalkOpened(lane=lane, talk=one) | PatternBegun(lane=lane, pattern=one) if lane in self._lanes:
                self._within[one] = self._lanes[lane]
        within = getattr(event, "talk", "") or getattr(event, "pattern", "")
        own = self._within.get(within) or self._lanes.get(getattr(event, "lane", ""))
        if own is not None:
            own.lines += _lines(event, self.overrides)

    def _cause(self, event: events.LaneOpened) -> str:
        """Why somebody was asked."""
        call = self._calls.get(event.call)
        return (
            in_talk(call.tool if call else "", event.key)
            or (f"{call.role} called {call.tool}: {flat(what_of(call.arguments))}" if call else "")
            or validating(event.lane)
            or parts.cause(event.lane)
            or pattern_words.cause(event.lane)
            or f"you asked: {flat(event.message.content)}"
        )


def _lines(event: events.Event, overrides: Collection[str]) -> list[str]:
    """What an account says of an event."""
    match event:
        case RuleMet():
            return [flat(met_in_words(event))]
        case TaskDivided():
            return [flat(parts.record(event))]
        case events.ModelReplied():
            why = reason(event, most=OTHER_HOSTS)
            return [_place(event, overrides), *([why] if why else []), *([] if event.cached else [_seconds(event)])]
        case events.PhaseChanged():
            return [f"phase: {event.phase}{f': {flat(event.reason)}' if event.reason else ''}"]
        case TalkOpened() | MessageReviewed() | TalkNoticed() | TalkClosed():
            return [told] if (told := flat(watched(event))) else []
        case PatternBegun() | MemberVoted() | StepRolledBack() | ConflictFound() | PatternEnded():
            return [flat(line) for line in (pattern_words.record(event), *pattern_words.details(event))]
        case events.ModelFailed():
            return [f"failed{f' on {event.host}' if event.host else ''}: {flat(event.detail)}"]
    return []


def _place(event: events.ModelReplied, overrides: Collection[str]) -> str:
    """Say why this model and this host were used."""
    named = "as set in this session" if event.role in overrides else "as configured"
    return ", ".join([event.model, named, "from the cache" if event.cached else f"on {event.host}", *_memory(event)])


def _memory(event: events.ModelReplied) -> list[str]:
    """Say whether the host had to load the model for this reply."""
    if event.placement.get("swap"):
        return ["which unloaded another model to load it"]
    if event.usage.loaded:
        return ["which had to load it"]
    return ["which had it in memory"] if event.placement.get("warm") else []


def _seconds(event: events.ModelReplied) -> str:
    """Say how the time was spent, by the host's own clock."""
    usage = event.usage
    queued = max(float(event.placement.get("queue_seconds") or 0.0), usage.queue_seconds)
    cached = f" ({usage.cached_tokens} known)" if usage.cached_tokens else ""
    speed = f", {usage.output_tokens / usage.output_seconds:.0f} tok/s" if usage.output_seconds > 0 else ""
    parts = [
        f"queued {how_long(queued)}",
        f"loading {how_long(usage.load_seconds)}",
        f"reading {counted(usage.prompt_tokens, 'token')}{cached} {how_long(usage.prompt_seconds)}",
        f"writing {counted(usage.output_tokens, 'token')} {how_long(usage.output_seconds)}{speed}",
    ]
    return " · ".join(parts)


async def usage(session: Session, argument: str) -> None:  # noqa: ARG001
    from mmos.cli.reused import in_words
    from mmos.prompting.reuse import reuse_of
    from mmos.views.run import RunView

    if not session.runs:
        raise UsageError("Nothing has been asked in this session yet.")
    read = session.app.journal.read
    views = [RunView.of(await read(run=run)) for run in session.runs]
    page = session.page
    heads = ("ROLE", "MODEL", "HOST", "CALLS", "PROMPT", "OUTPUT", "LOADING", "QUEUED", "AT WORK")
    uses = [
        (use.role, use.model, use.host, str(use.calls), str(use.prompt_tokens), str(use.output_tokens),
         how_long(use.load_seconds), how_long(use.queue_seconds), how_long(use.busy_seconds))
        for use in views[-1].roles.values()
    ]  # fmt: skip
    table(page, heads, uses, ("QUEUED", "LOADING", "HOST", "CALLS", "PROMPT", "MODEL"))
    totals = [_total("last turn", views[-1:]), _total("this session", views)]
    page.lines([""])
    table(page, ("", "CALLS", "CACHED", "PROMPT", "OUTPUT", "SECONDS", "LOADS", "SWAPS"), totals, ("LOADS", "PROMPT", "CACHED", "CALLS"))
    if reused := in_words(reuse_of(await read(thread=views[-1].thread))):
        page.lines(["", *wrapped(reused, page.width)])


def _total(name: str, views: list[RunView]) -> tuple[str, ...]:
    seconds = sum(max(0.0, view.ended - view.started) for view in views)
    loads = sum(view.loads for view in views)
    return (
        name, str(sum(view.requests for view in views)), str(sum(view.cached for view in views)), str(sum(view.prompt_tokens for view in views)),
        str(sum(view.output_tokens for view in views)), how_long(seconds), str(loads), str(sum(view.swaps for view in views)),
    )  # fmt: skip
