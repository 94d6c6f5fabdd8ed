"""Plays a race of policies at a terminal, a lane for each: models slide in and out of the hosts, and waiting calls are dots."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rich.live import Live
from rich.text import Text

from mmos.cli.console import CleanConsole
from mmos.cli.styles import colourless
from mmos.placement.policies import OURS
from mmos.plurals import counted
from mmos.simulation.html import Table
from mmos.simulation.picture import clock
from mmos.simulation.race import Bay, Block, Lane, View, ranked

FRAMES = 12
"""A second."""
SLIDE = 0.5
"""Seconds that a block takes to slide out."""
NARROWEST = 12
"""Cells of the bar of a small host."""
COLOURS = ("cyan", "yellow", "magenta", "green", "blue", "bright_red", "bright_cyan", "bright_yellow", "bright_magenta", "bright_green")
HEADS = ("POLICY", "DONE", "MEAN s", "P95 s", "LOADS", "WAITED s", "LOST")


def name(policy: str) -> str:
    return "MMOS" if policy == OURS else policy.replace("_", " ")


# ---------------------------------------------------------------- the result


def results(lanes: Sequence[Lane], moment: float) -> Table:
    """The table at a moment."""
    whole = max(lane.end for lane in lanes)
    title = "the race" if moment >= whole else f"the race, after {clock(moment)} of {clock(whole)}"
    return title, HEADS, [_row(lane, moment) for lane in lanes]


def _row(lane: Lane, moment: float) -> list[str]:
    now = lane.standing(moment)
    figures = (f"{now.mean:.1f}", f"{now.p95:.1f}", str(now.loads), f"{now.waited_seconds:.0f}", str(now.lost))
    return [name(lane.policy), f"{now.done}/{lane.count}", *figures]


def verdict(lanes: Sequence[Lane]) -> str:
    """Who won, and by how much."""
    if len(lanes) < 2:
        return ""
    first, second = ranked(lanes)[:2]
    ours, theirs = first.total, second.total
    less = round(100 * (1 - ours.mean / theirs.mean)) if theirs.mean else 0
    times = f"its calls took {ours.mean:.1f} s on average, {less}% less than with {name(second.policy)} ({theirs.mean:.1f} s)"
    return f"{name(first.policy)} won: {times}, and {counted(ours.loads, 'load')} instead of {theirs.loads}."


# ---------------------------------------------------------------- the animation


async def play(lanes: Sequence[Lane], seconds: float) -> float:
    """Play the race in so many seconds. Returns the moment of the race at its end, or at Ctrl-C."""
    console, loop = CleanConsole(sys.stdout), asyncio.get_running_loop()
    whole, moment, began = max(lane.end for lane in lanes), 0.0, loop.time()
    drawing = Drawing(lanes, whole, SLIDE * whole / seconds, plain=colourless())
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live, suppress(asyncio.CancelledError):
        while moment < whole:
            moment = min(whole, (loop.time() - began) / seconds * whole)
            live.update(drawing.frame(moment, console.width, console.height), refresh=True)
            await asyncio.sleep(1 / FRAMES)
    return moment


@dataclass
class Drawing:
    """Draws the moments of a race."""

    lanes: Sequence[Lane]
    whole: float
    """Seconds of the longest lane."""
    slide: float
    plain: bool
    """No colours and no bold text: blocks have brackets."""

    def __post_init__(self) -> None:
        models = sorted({model for lane in self.lanes for model in lane.models})
        self._colours: Mapping[str, str] = {model: COLOURS[number % len(COLOURS)] for number, model in enumerate(models)}

    def frame(self, moment: float, width: int, height: int) -> Text:
        views = [lane.at(moment, self.slide) for lane in self.lanes]
        hosts = len(views[0].bays)
        beside = next((n for n in range(1, hosts) if 2 + len(views) * (1 - -hosts // n) < height), hosts)
        lines = [self._top(moment)]
        for lane, view in zip(self.lanes, views, strict=True):
            lines += [_head(lane, view, moment, width), *self._bays(view.bays, beside, width)]
        lines.append(Text("• an answer  ░ loading  ● a waiting call  Ctrl-C ends it", style="dim"))
        for line in lines:
            line.truncate(width)
        picture = Text("\n", no_wrap=True).join(lines)
        return Text(picture.plain, no_wrap=True) if self.plain else picture

    def _top(self, moment: float) -> Text:
        policies = counted(len(self.lanes), "policy", "policies")
        return Text(f"{counted(self.lanes[0].count, 'call')} with {policies}, {clock(moment)} of {clock(self.whole)}")

    def _bays(self, bays: Sequence[Bay], beside: int, width: int) -> list[Text]:
        """The hosts of a lane, so many in a line. Their bars have one scale."""
        label = min(10, max(len(bay.host) for bay in bays)) + 1
        room = width // beside - label - 2
        largest = max(bay.capacity for bay in bays) or 1.0
        drawn = []
        for bay in bays:
            cells = min(room, max(NARROWEST, round(room * bay.capacity / largest)))
            bar = self._bar(bay, cells)
            bar.pad_right(room - cells)
            drawn.append(Text.assemble(" ", f"{bay.host[: label - 1]:{label}}", bar, " "))
        return [Text.assemble(*drawn[first : first + beside]) for first in range(0, len(drawn), beside)]

    def _bar(self, bay: Bay, cells: int) -> Text:
        if not bay.powered:
            return Text(" no power ".center(cells, "×"), style="bold red")
        bar, edge = Text(), 0.0
        for block in bay.blocks:
            edge += block.size / bay.capacity
            bar.append_text(self._block(block, min(cells, round(edge * cells)) - len(bar)))
        return bar.append("·" * (cells - len(bar)), style="dim")

    def _block(self, block: Block, cells: int) -> Text:
        text = f" {block.model} {'•' * block.answers}".ljust(cells)[: max(0, cells)]
        if self.plain and cells > 1:
            text = f"[{text[1:-1]}]"
        there, colour = round(cells * block.loaded), self._colours[block.model]
        return Text.assemble((text[:there], f"black on {colour}"), (text[there:].replace(" ", "░"), colour))


def _head(lane: Lane, view: View, moment: float, width: int) -> Text:
    """The name of a policy, its counts, and its queue."""
    now = view.standing
    counts = f"{now.done:>3}/{lane.count} done {now.loads:>3} loads {now.waited_seconds:>5.0f} s waited  "
    head = Text.assemble((f"{name(lane.policy):11} ", "bold"), counts)
    if now.lost:
        head.append(f"{now.lost} lost  ", style="red")
    if moment >= lane.end:
        return head.append(f"✓ {clock(lane.end)}", style="green")
    room = width - len(head) - 3
    return head.append("●" * min(view.waiting, max(0, room)) + (f" {view.waiting}" if view.waiting > room else ""))
