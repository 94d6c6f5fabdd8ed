"""Implements /why and /usage: why a turn used these roles, models and hosts, and what it cost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mmos import events
from mmos.cli.cells import flat, wrapped
from mmos.cli.chat.page import table
from mmos.cli.output import how_long
from mmos.cli.trace import what_of
from mmos.errors import UsageError
from mmos.events import Entry
from mmos.plurals import counted

if TYPE_CHECKING:
    from mmos.cli.chat.session import Session
    from mmos.views.run import RunView

TOLD = frozenset({"host", "warm", "swap", "queue_seconds"})
"""Fields of a placement that the line shows in another way."""


@dataclass
class Account:
    """One participant's part of a turn: its task, its replies, and the participants that it consulted."""

    head: str
    lines: list[str] = field(default_factory=list)
    below: list[Account] = field(default_factory=list)

    def told(self, depth: int, width: int) -> Iterator[str]:
        yield from indented(self.head, depth, width)
        for line in self.lines:
            yield from indented(line, depth + 1, width)
        for inner in self.below:
            yield from inner.told(depth + 1, width)


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
    session.page.lines(reasons(entries, session.page.width, session.wishes.roles))


def reasons(entries: Iterable[Entry], width: int, chosen: Collection[str] = ()) -> list[str]:
    """Say who asked whom what, on which host and why there, and how the seconds were spent."""
    accounts: dict[str, Account] = {}
    calls: dict[str, str] = {}
    tops: list[Account] = []
    for entry in entries:
        match entry.event:
            case events.CallStarted() as event:
                calls[event.call] = f"{event.role} called {event.tool}: {flat(what_of(event.arguments))}"
            case events.LaneOpened() as event:
                asked = calls.get(event.call) or f"you asked: {flat(event.message.content)}"
                account = accounts[event.lane] = Account(f"{event.role}: {asked}")
                (accounts[event.parent].below if event.parent in accounts else tops).append(account)
            case events.ModelReplied() as event if event.lane in accounts:
                accounts[event.lane].lines += [_place(event, chosen), _seconds(event)]
            case events.ModelFailed() as event if event.lane in accounts:
                accounts[event.lane].lines.append(f"failed{f' on {event.host}' if event.host else ''}: {flat(event.detail)}")
    return [line for top in tops for line in top.told(0, width)]


def _place(event: events.ModelReplied, chosen: Collection[str]) -> str:
    """Say why this model and this host were used."""
    named = "as set in this session" if event.role in chosen else "as configured"
    placement = event.placement
    known = _memory(event)
    known += [f"{name.replace('_', ' ')} {_figure(value)}" for name, value in placement.items() if name not in TOLD and _plain(value)]
    return f"{event.model}, {named}, on {event.host}{', ' if known else ''}{', '.join(known)}"


def _memory(event: events.ModelReplied) -> list[str]:
    """Say whether the host had to load the model for this reply."""
    if event.placement.get("swap"):
        return ["which unloaded another model to load it"]
    if event.usage.loaded:
        return ["which had to load it"]
    return ["which had it in memory"] if event.placement.get("warm") else []


def _plain(value: Any) -> bool:
    return isinstance(value, str | float | int)


def _figure(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else flat(str(value))


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
    table(page, ("", "CALLS", "PROMPT", "OUTPUT", "SECONDS", "LOADS", "SWAPS"), totals, ("LOADS", "PROMPT", "CALLS"))


def _total(name: str, views: list[RunView]) -> tuple[str, ...]:
    seconds = sum(max(0.0, view.ended - view.started) for view in views)
    loads = sum(view.loads for view in views)
    return (
        name, str(sum(view.asked for view in views)), str(sum(view.prompt_tokens for view in views)),
        str(sum(view.output_tokens for view in views)), how_long(seconds), str(loads), str(sum(view.swaps for view in views)),
    )  # fmt: skip
