#!/usr/bin/env python
"""Draws the pictures of docs/simulate.md: three moments of `mmos simulate --race`, as SVG. The same MMOS draws the same pictures."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from io import StringIO

import pyte
from chat_pictures import COLUMNS, PICTURES, ROWS, RunDisplay, drawn
from rich.console import Console

from mmos.cli.race import Drawing
from mmos.simulation.fleetfile import read_fleet
from mmos.simulation.leap import LeapingLoop
from mmos.simulation.race import FLEET, RACERS, WORKLOAD, Lane, outage
from mmos.simulation.replay import Replay, ReplayResult
from mmos.simulation.serving import roles_of
from mmos.simulation.workload import Workload

SLIDE = 10.0


def lanes() -> Iterator[Lane]:
    fleet = read_fleet(FLEET)
    calls = Workload.parse(WORKLOAD).with_roles(roles_of(fleet)).calls(0)
    cut = outage(fleet, calls)

    async def run(policy: str) -> ReplayResult:
        return await Replay(fleet, calls, policy=policy, outage=cut).run()

    for policy in RACERS:
        with asyncio.Runner(loop_factory=LeapingLoop) as runner:
            result = runner.run(run(policy))
        cut = result.outage
        yield Lane(result)


def screen(drawing: Drawing, moment: float) -> RunDisplay:
    text = StringIO()
    console = Console(file=text, force_terminal=True, color_system="standard", width=COLUMNS, _environ={"TERM": "xterm"})
    console.print(drawing.frame(moment, COLUMNS, ROWS))
    display = RunDisplay(COLUMNS, ROWS)
    pyte.Stream(display).feed(text.getvalue().replace("\n", "\r\n"))
    return display


def main() -> int:
    raced = list(lanes())
    whole = max(lane.end for lane in raced)
    drawing = Drawing(raced, whole, SLIDE, plain=False)
    cut = raced[0].outage
    if cut is None or cut.span is None:
        raise SystemExit("No host lost its power in this race.")
    moments = {
        "race-begins": (whole / 12, "mmos simulate --race: the models are loaded"),
        "race-no-power": ((cut.span[0] + cut.span[1]) / 2, f"mmos simulate --race: {cut.host} has no power"),
        "race-won": (raced[0].end + 1.0, "mmos simulate --race: MMOS has answered all calls"),
    }
    for name, (moment, title) in moments.items():
        path = PICTURES / f"{name}.svg"
        path.write_text(drawn(title, screen(drawing, moment)), encoding="utf-8")
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
