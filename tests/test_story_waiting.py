"""Stories of waiting: while a call waits, its caller sees its place in line, how far the load is, and about how long it takes."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import mmos
from mmos.app.lifecycle import Watch
from mmos.cli import hosts
from mmos.cli.progress import Heartbeat, RunDisplay
from mmos.cli.work import expectation
from mmos.fleet.asking import Ask, Observer
from mmos.fleet.fleet import Fleet
from mmos.fleet.survey import survey
from mmos.hosts.face import ChatRequest
from mmos.messages import Message
from mmos.placement.facts import Outlook, Planned
from mmos.plurals import ordinal
from mmos.rehearsal.personas import Speed
from mmos.scope import Hint
from mmos.testing import Host, Model, serve, stage, until

GB = 1_000_000_000


class Waiter(Observer):
    def __init__(self) -> None:
        self.seen: list[Outlook] = []
        self.on_wait = self.seen.append


def ask(text: str, observer: Observer, model: str = "m") -> Ask:
    return Ask(ChatRequest(model, [Message("user", text)], 4096), observer=observer)


@asynccontextmanager
async def one_host(load: float, words: int) -> AsyncIterator[Fleet]:
    """A host in true time. An answer takes a hundredth of a second for each word."""
    text = " ".join(f"word{number}" for number in range(words))
    models = [Model.scripted(name, [text], repeat=True, size=GB, speed=Speed(load_seconds=load, decode=100.0)) for name in "mn"]
    async with serve(Host("box", models, time_scale=1.0)) as url, mmos.Fleet.open({"box": {"url": url}}) as fleet:
        yield fleet


async def test_a_load_shows_how_far_it_is_and_never_that_it_is_done() -> None:
    waiter = Waiter()
    async with one_host(2.2, 1) as fleet:
        await fleet.serve(ask("How?", waiter))
    parts = [outlook.part for outlook in waiter.seen]
    assert 1 <= len(parts) <= 3, "one a second at most"
    assert parts == sorted(parts)
    assert all(0 < outlook.part <= 0.99 and outlook.host == "box" and outlook.position == 0 for outlook in waiter.seen)
    assert expectation(waiter.seen[0]).startswith(("loading ", "loading, longer than usual"))


async def test_calls_in_line_see_their_places_and_those_that_are_served_at_once_nothing() -> None:
    first, waiters = Waiter(), [Waiter() for _ in range(3)]
    async with one_host(0.0, 1) as fleet:
        await fleet.serve(ask("Warm up", Observer()))
        await fleet.serve(ask("At once", first))
        assert first.seen == []
    async with one_host(0.0, 200) as fleet:
        await fleet.serve(ask("Warm up", Observer()))
        running = asyncio.create_task(fleet.serve(ask("1", first)))
        tasks = [asyncio.create_task(fleet.serve(ask(str(number), waiter))) for number, waiter in enumerate(waiters)]
        await until(lambda: all(waiter.seen for waiter in waiters))
        assert fleet.standing().waiting == {"m:latest": 2}, "one is on the host, and one waits there"
        assert hosts.queue(fleet.standing().waiting) == ["2 calls in the queue for m:latest"]
        tasks.pop().cancel()
        await asyncio.gather(running, *tasks)
    assert first.seen == []
    assert [waiter.seen[0].position for waiter in waiters] == [1, 2, 3]
    assert 0 < (waiters[0].seen[0].seconds or 0) < (waiters[2].seen[0].seconds or 0)


async def test_an_interface_of_a_run_sees_it_and_the_journal_does_not() -> None:
    hints: list[Hint] = []
    async with stage({"arbiter": Model.scripted("arbiter", ["So."], speed=Speed(load_seconds=1.2))}, time_scale=1.0) as on:
        answer = await on.app.run("How?", watch=Watch(on_hint=hints.append))
        kinds = {entry.event.kind for entry in await on.app.journal.read(run=answer.run)}
    (waiting, *_) = [hint for hint in hints if hint.kind == "waiting"]
    assert (waiting.role, waiting.text) == ("arbiter", "here")
    assert waiting.outlook is not None
    assert waiting.outlook.part > 0
    assert "waiting" not in kinds


async def test_the_hosts_of_this_process_show_what_loads_and_the_swaps() -> None:
    models = [Model.scripted(name, ["So."], repeat=True, size=6 * GB, speed=Speed(load_seconds=0.5)) for name in "mn"]
    server = {"vram_gb": 8, "parallel": 1}
    async with serve(Host("box", models, vram_gb=8, time_scale=1.0, swap_seconds=0.1)) as url:
        config = {
            "orchestration": {
                "servers": {"box": {"url": url, **server}},
                "arbiter": {"model": "m"},
                "specialists": {"coding": {"model": "n"}},
            }
        }
        async with mmos.open(config) as app:
            await app.fleet.serve(ask("How?", Observer()))
            task = asyncio.create_task(app.fleet.serve(ask("How?", Observer(), "n")))
            await until(lambda: any(load.begun for load in app.fleet.standing().loads))
            (state,) = await survey(app.fleet, app.config.servers())
            assert any("n:latest: loading " in line for line in hosts.table([state], 0.0, None))
            await task
            (state,) = await survey(app.fleet, app.config.servers())
            assert state.load is None
            assert any(line.endswith("1 swap so far") for line in hosts.table([state], 0.0, None))


def test_the_words_are_plain() -> None:
    said = {
        "2nd in line, about 12 s": Outlook(2, 12.3),
        "1st in line, no host can take it now": Outlook(1, None),
        "loading 40 %, about 6 s": Outlook(0, 6.0, 0.405, "box"),
        "loading, longer than usual": Outlook(0, None, 0.99, "box"),
        "loading 97 %, about 1 s": Outlook(0, 0.2, 0.97, "box"),
    }
    assert {expectation(outlook): outlook for outlook in said.values()} == said
    assert [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)] == ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]  # fmt: skip
    planned = Planned("box", "n", ("m", "k"), False, 9.0, 0.0)
    assert hosts._load(planned) == "n: planned, when m and k can leave"


def test_the_progress_of_a_run_prints_a_wait_at_once_and_then_seldom() -> None:
    now = [0.0]
    err = io.StringIO()
    display = RunDisplay(False, True, io.StringIO(), err, clock=lambda: now[0])
    for second in range(8):
        now[0] = float(second)
        display.on_hint(Hint("waiting", "coding", "r/1", "", 1, Outlook(8 - second, 10.0 - second)))
    display.on_hint(Hint("waiting", "analysis", "r/2", "box", 1, Outlook(0, 3.0, 0.5, "box")))
    assert err.getvalue().splitlines() == [
        "  coding: 8th in line, about 10 s",
        "  coding: 3rd in line, about 5 s",
        "  analysis on box: loading 50 %, about 3 s",
    ]
    beat = Heartbeat()
    beat.live.on_hint(Hint("turn", "coding", "r/1", depth=1), 0.0)
    beat.live.on_hint(Hint("waiting", "coding", "r/1", "", 1, Outlook(2, 5.0)), 0.0)
    assert "coding, 2nd in line, about 5 s, turn 1" in beat.line()
