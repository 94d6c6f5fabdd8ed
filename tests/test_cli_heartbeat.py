"""A long run says that it lives: who is at work, where, for how long; and only when nothing else says so."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import mmos
from mmos import events
from mmos.app.lifecycle import Watch
from mmos.cli.options import Options
from mmos.cli.progress import EVERY, Heartbeat, RunDisplay
from mmos.cli.run import Show
from mmos.messages import Message, Usage
from mmos.scope import Hint
from mmos.testing import Call, stage, until

JSON = Options(None, None, False, True, 0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def consulted(beat: Heartbeat) -> None:
    """A specialist in its third turn."""
    beat.live.on_event(events.CallStarted("c1", "r", "arbiter", "consult_coding_specialist", {}), 0.0)
    beat.live.on_event(events.LaneOpened("r/1", "coding", Message("user", "How?"), "r", "c1", 1), 0.0)
    for turn in (1, 2):
        beat.live.on_hint(Hint("turn", "coding", "r/1", depth=1), 0.0)
        beat.live.on_event(events.ModelAsked(f"a{turn}", "r/1", "coding", "m"), 0.0)
        beat.live.on_event(
            events.ModelReplied(f"a{turn}", "r/1", "coding", "m", "box", Message("assistant", ""), Usage(output_tokens=600)), 0.0
        )
    beat.live.on_hint(Hint("turn", "coding", "r/1", depth=1), 0.0)


def test_who_is_at_work_where_in_which_turn_and_what_it_has_written() -> None:
    clock = Clock()
    beat = Heartbeat(clock=clock)
    consulted(beat)
    clock.now += 60
    assert beat.line() == "mmos: still at work after 60 s: coding, waiting for a host, turn 3, 1,200 tokens"
    beat.live.on_hint(Hint("loading", "coding", "r/1", "ollama02", 1), 0.0)
    beat.live.on_event(events.ModelAsked("a3", "r/1", "coding", "m"), 0.0)
    assert beat.line() == "mmos: still at work after 60 s: coding on ollama02, loading its model, turn 3, 1,200 tokens"
    for _ in range(34):
        beat.live.on_hint(Hint("token", "coding", "r/1", "word ", 1), 0.0)
    assert beat.line() == "mmos: still at work after 60 s: coding on ollama02, turn 3, 1,234 tokens"


def test_a_fact_that_comes_late_ends_no_later_turn() -> None:
    beat = Heartbeat()
    beat.live.on_hint(Hint("turn", "arbiter", "r"), 0.0)
    beat.live.on_hint(Hint("turn", "arbiter", "r"), 0.0)
    beat.live.on_event(events.ModelAsked("a1", "r", "arbiter", "m"), 0.0)
    beat.live.on_event(events.ModelReplied("a1", "r", "arbiter", "m", "box", Message("assistant", "")), 0.0)
    assert "arbiter, waiting for a host, turn 2" in beat.line()


def test_a_tool_at_work_is_named() -> None:
    clock = Clock()
    beat = Heartbeat(clock=clock)
    beat.live.on_event(events.CallStarted("c1", "r", "arbiter", "build", {}), 0.0)
    clock.now += 600
    assert beat.line() == "mmos: still at work after 10 min 0 s: the tool build"
    beat.live.on_event(events.CallFinished("c1", "r", "arbiter", "build", True, Message("tool", "built")), 0.0)
    assert beat.line().endswith(": between two turns")


async def test_it_is_silent_while_something_else_is_shown() -> None:
    clock, said = Clock(), list[str]()
    beat = Heartbeat(every=0.01, clock=clock)
    beating = asyncio.create_task(beat.beat(said.append))
    clock.now += 0.009
    beat.restart()
    for _ in range(3):
        await asyncio.sleep(0)
    assert said == []
    clock.now += 0.01
    await until(lambda: said)
    beating.cancel()


def test_it_beats_in_a_pipe_and_beside_a_document_but_not_where_nobody_wants_to_know() -> None:
    for show in (Show(), Show(progress=True)):
        heartbeat = show.display(JSON, whole=False).heartbeat
        assert heartbeat is not None
        assert heartbeat.every == EVERY == 30.0
    assert Show(progress=False).display(JSON, whole=False).heartbeat is None


# ---------------------------------------------------------------- over real HTTP


@asynccontextmanager
async def watched(app: mmos.App, screen: RunDisplay) -> AsyncIterator[asyncio.Task[mmos.Answer]]:
    """A run with a screen beside it, as `mmos run` has it."""
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(app.run("Go.", watch=Watch(on_hint=screen.on_hint, on_start=started.set_result)))

    async def follow() -> None:
        async with screen.alive():
            async for entry in app.journal.follow(run=await started):
                screen.on_event(entry.event)

    following = asyncio.create_task(follow())
    try:
        yield running
    finally:
        following.cancel()
        await asyncio.gather(following, running, return_exceptions=True)


async def heard(err: io.StringIO, words: str) -> None:
    await until(lambda: words in err.getvalue())


async def test_a_long_tool_is_told_of_on_stderr_alone() -> None:
    built = threading.Event()

    def build() -> str:
        built.wait(10)
        return "built"

    out, err = io.StringIO(), io.StringIO()
    screen = RunDisplay(False, False, out, err, Heartbeat(every=0.02))
    async with stage({"arbiter": [Call("build", {}), "Built."]}, tools=[build]) as on, watched(on.app, screen) as running:
        await heard(err, "still at work after 0 s: the tool build")
        built.set()
        assert (await running).text == "Built."
    assert out.getvalue() == ""
    assert all(line.startswith("mmos: still at work after ") for line in err.getvalue().splitlines())


async def test_a_model_at_work_is_told_of_with_its_host() -> None:
    err = io.StringIO()
    screen = RunDisplay(False, False, io.StringIO(), err, Heartbeat(every=0.02))
    async with stage({"arbiter": ["One two three four."]}) as on:
        on.host.faults.add("stall", chunks=3)
        async with watched(on.app, screen) as running:
            await heard(err, "arbiter on here, turn 1, 3 tokens")
            running.cancel()
