"""Stories of models that are loaded before they are asked, over rehearsal hosts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.events import ModelReplied
from mmos.fleet.warmth import Wish
from mmos.hosts.face import Timeouts
from mmos.placement.habits import Habits, Hour
from mmos.placement.rates import Sequence
from mmos.rehearsal.personas import Speed
from mmos.testing import Host, Model, Stage, consult, facts, serve, stage, until
from tests.shell import shell
from tests.terminal import CTRL_D, terminal

GB = 1_000_000_000
ASK = [{"role": "user", "content": "How?"}]
SPEED = Speed(load_seconds=10.0, prefill=2000.0, decode=50.0)
SCALE = 100.0


def model(name: str, seconds: float = 10.0) -> Model:
    return Model.scripted(
        name, ["A short answer."], repeat=True, size=6 * GB, speed=Speed(load_seconds=seconds, prefill=2000.0, decode=50.0)
    )


@asynccontextmanager
async def hosts(*names: str, models: str = "ab", scale: float = SCALE) -> AsyncIterator[tuple[mmos.Fleet, dict[str, Host]]]:
    """Hosts that each hold one of these models."""
    boxes = {name: Host(name, [model(one) for one in models], vram_gb=8.0, time_scale=scale, swap_seconds=0.5) for name in names}
    async with served(boxes) as urls:
        servers = {name: {"url": url, "vram_gb": 8.0, "time_scale": scale} for name, url in urls.items()}
        async with mmos.Fleet.open(servers) as fleet:
            yield fleet, boxes


@asynccontextmanager
async def served(boxes: dict[str, Host]) -> AsyncIterator[dict[str, str]]:
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(serve(box)) for name, box in boxes.items()}


async def asked(fleet: mmos.Fleet, *wishes: Wish, job: str = "job") -> bool:
    """Whether there was anything to load."""
    asking = fleet.warmth.expect(job, wishes)
    if asking is not None:
        await asking
    return bool(fleet.standing().loads)


async def test_an_expected_model_is_loaded_and_its_first_call_finds_it_there() -> None:
    async with hosts("box") as (fleet, boxes):
        assert await asked(fleet, Wish("a", window=4096))
        await until(lambda: boxes["box"].loads)
        reply = await fleet.ask("a", ASK, num_ctx=4096)
        assert (reply.placement["warm"], reply.usage.loaded, boxes["box"].loads) == (True, False, 1)


async def test_a_call_that_comes_during_the_load_waits_for_it_and_sees_how_far_it_is() -> None:
    async with hosts("box", scale=10.0) as (fleet, boxes):
        assert await asked(fleet, Wish("a", window=4096))
        (load,) = fleet.standing().loads
        assert (load.host, load.model, load.begun) == ("box", "a:latest", True)
        reply = await fleet.ask("a", ASK, num_ctx=4096)
        assert (reply.text, boxes["box"].loads) == ("A short answer.", 1)


async def test_a_model_that_is_in_memory_somewhere_is_not_loaded_again() -> None:
    async with hosts("one", "two") as (fleet, boxes):
        await fleet.census()
        first = await fleet.ask("a", ASK, num_ctx=4096)
        assert not await asked(fleet, Wish("a", window=4096))
        assert fleet.warmth.expect("job", [Wish("a", window=4096)]) is None, "it asks no host"
        assert {name: box.loads for name, box in boxes.items()} == {"one": 0, "two": 0} | {first.host: 1}


async def test_a_busy_model_does_not_leave_for_one_that_is_only_expected() -> None:
    async with hosts("box") as (fleet, boxes):
        await fleet.census()
        await fleet.ask("a", ASK, num_ctx=4096)
        boxes["box"].faults.add("hang", model="a", times=1)
        call = asyncio.create_task(fleet.ask("a", ASK, num_ctx=4096))
        await until(lambda: boxes["box"].open)
        assert not await asked(fleet, Wish("b", window=4096))
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert boxes["box"].loads == 1


async def test_a_load_for_nobody_yet_makes_way_for_a_call() -> None:
    async with hosts("box", scale=10.0) as (fleet, boxes):
        assert await asked(fleet, Wish("a", window=4096))
        reply = await fleet.ask("b", ASK, num_ctx=4096)
        assert (reply.text, boxes["box"].loads) == ("A short answer.", 1)


@pytest.mark.parametrize("forgotten", [False, True])
async def test_what_is_not_expected_any_more_is_not_loaded(forgotten: bool) -> None:
    async with hosts("box") as (fleet, _):
        await fleet.census()
        asking = fleet.warmth.expect("job", [Wish("a", window=4096)])
        assert asking is not None
        if forgotten:
            fleet.warmth.forget("job")
        await asyncio.wait([asking])
        assert (asking.cancelled(), bool(fleet.standing().loads)) == (forgotten, not forgotten)


async def test_two_expected_models_of_one_host_do_not_push_each_other_out() -> None:
    async with hosts("box") as (fleet, boxes):
        await asked(fleet, Wish("a", window=4096), Wish("b", window=4096))
        await until(lambda: boxes["box"].loads == 1)
        await until(lambda: not fleet.standing().loads)
        assert not await asked(fleet, Wish("a", window=4096), Wish("b", window=4096))
        assert boxes["box"].loads == 1


def chat_fleet(warm_up: str = "plan") -> dict[str, Any]:
    return {"fleet": {"warm_up": warm_up}, "servers": {"here": {"time_scale": 10.0}}}


async def test_a_chat_loads_the_model_of_the_arbiter_while_the_user_types(tmp_path: Path) -> None:
    roles = {"arbiter": Model.scripted("arbiter", ["Because."], size=6 * GB, speed=SPEED)}
    async with shell(tmp_path, roles, orchestration=chat_fleet(), time_scale=10.0) as on, terminal(tmp_path, "chat") as at:
        await at.shows("arbiter:latest on here: loading ")
        at.say("Why?")
        await at.shows("1 model call")
        assert "Because." in at.seen
        assert on.on.host.loads == 1
        at.press(CTRL_D)
        assert await at.ended() == 0


async def test_a_chat_loads_nothing_before_a_task_when_that_is_switched_off(tmp_path: Path) -> None:
    roles = {"arbiter": Model.scripted("arbiter", ["Because."], size=6 * GB, speed=SPEED)}
    async with shell(tmp_path, roles, orchestration=chat_fleet("off"), time_scale=10.0) as on, terminal(tmp_path, "chat") as at:
        await at.shows("›")
        at.say("Why?")
        await at.shows("1 model call")
        assert [entry.path for entry in on.on.host.requests].count("/api/generate") == 0
        at.press(CTRL_D)


# ---------------------------------------------------------------- what a run will ask next

QUERY = " ".join(f"w{number}" for number in range(150))


@asynccontextmanager
async def run_of(*, warm_up: str | bool = "plan", state: Path | None = None, **arbiter: Any) -> AsyncIterator[Stage]:
    """A run whose arbiter writes a long question to the specialist `coding`, whose model is not in memory."""
    slow = Speed(load_seconds=10.0, prefill=2000.0, decode=20.0)
    roles = {
        "arbiter": Model.scripted("arbiter", [consult("coding", QUERY), "Done."], size=6 * GB, speed=slow),
        "coding": Model.scripted("coding", ["So."], size=6 * GB, speed=slow),
    }
    changes = {"fleet": {"warm_up": warm_up}, "servers": {"here": {"time_scale": 20.0, "vram_gb": 40}}, "arbiter": arbiter}
    async with stage(roles, state=state, orchestration=changes, time_scale=20.0, vram_gb=40.0) as on:
        yield on


def loads_ahead(on: Stage) -> list[str]:
    """The models that were loaded without a call."""
    return [entry.model for entry in on.host.requests.to("/api/chat") if not entry.json["messages"]]


@pytest.mark.parametrize(
    ("arbiter", "warm_up", "expected"),
    [
        ({"channel": "schema"}, "plan", ["coding"]),
        ({"channel": "schema"}, False, []),
        ({"consult_first": True}, "plan", ["coding"]),
        ({"channel": "tools"}, "plan", []),
    ],
    ids=["written", "switched off", "consult first", "not foreseen"],
)
async def test_a_specialist_is_loaded_while_the_arbiter_still_writes_its_question(
    arbiter: dict[str, Any], warm_up: str | bool, expected: list[str]
) -> None:
    async with run_of(warm_up=warm_up, **arbiter) as on:
        answer = await on.app.run("How?")
        assert (answer.text, [name.partition(":")[0] for name in loads_ahead(on)]) == ("Done.", expected)
        (coding,) = [reply for reply in await facts(on.app, answer.run, ModelReplied) if reply.role == "coding"]
        assert coding.usage.loaded is not bool(expected)
        assert on.host.loads == 2


async def test_a_model_that_its_specialist_pushed_out_is_loaded_on_an_idle_host_meanwhile() -> None:
    """The specialist has only one host, and that one held the arbiter."""
    slow = Speed(load_seconds=10.0, prefill=2000.0, decode=20.0)
    models = [
        Model.scripted("boss", [consult("coding"), "Done."], size=6 * GB, speed=slow),
        Model.scripted("coder", [QUERY * 4], size=6 * GB, speed=slow),
    ]
    spare = [Model.scripted("boss", ["Done."], size=6 * GB, speed=slow)]
    boxes = {"one": Host("one", models, vram_gb=8.0, time_scale=20.0), "two": Host("two", spare, vram_gb=8.0, time_scale=20.0)}
    async with served(boxes) as urls:
        servers = {name: {"url": url, "vram_gb": 8, "time_scale": 20.0} for name, url in urls.items()}
        roles = {"arbiter": {"model": "boss"}, "specialists": {"coding": {"model": "coder", "server": "one"}}}
        async with mmos.open({"orchestration": {"servers": servers, **roles}}) as app:
            await app.fleet.host("one").preload("boss", num_ctx=8192, timeouts=Timeouts())
            answer = await app.run("How?")
            replies = await facts(app, answer.run, ModelReplied)
            assert [(reply.role, reply.host, reply.usage.loaded) for reply in replies] == [
                ("arbiter", "one", False),
                ("coding", "one", True),
                ("arbiter", "two", False),
            ]
            assert boxes["two"].loads == 1


# ---------------------------------------------------------------- what earlier runs did


@pytest.mark.parametrize(("warm_up", "expected"), [("predict", ["coding"]), ("plan", [])])
async def test_what_followed_in_earlier_runs_is_loaded_ahead(tmp_path: Path, warm_up: str, expected: list[str]) -> None:
    for loaded in ([], expected):
        async with run_of(warm_up=warm_up, state=tmp_path) as on:
            assert (await on.app.run("How?")).text == "Done."
            assert [name.partition(":")[0] for name in loads_ahead(on)] == loaded


async def test_a_chat_loads_what_is_asked_at_this_hour_of_the_week(tmp_path: Path) -> None:
    async with run_of(state=tmp_path) as on:
        await on.app.run("How?", options=mmos.RunOptions(role_only="coding"))
    kept = json.loads((tmp_path / "fleet.json").read_text())
    ((hour, (chance, week)),) = kept["habits"]["coding:latest"]["hours"].items()
    assert (0 <= int(hour) < 168, chance) == (True, 0.4)
    kept["habits"]["coding:latest"]["hours"] = {str(hour): [0.8, week] for hour in range(168)}  # whatever the hour is now
    (tmp_path / "fleet.json").write_text(json.dumps(kept))
    async with run_of(warm_up="predict", state=tmp_path) as on:
        await on.app.warm_up()
        await until(lambda: on.host.loads == 2)
        assert [name.partition(":")[0] for name in loads_ahead(on)] == ["arbiter", "coding"]


def habits() -> Habits:
    return Habits(Sequence())


MONDAY = Hour.of(4 * 24 * 3600.0)
"""The first one of 1970, at midnight."""


def test_an_hour_that_comes_again_each_week_grows_likely_and_fades_when_it_does_not() -> None:
    known = habits()
    assert (MONDAY.hour, Hour.of(4 * 24 * 3600.0 - 1).hour) == (0, 167)
    for week in range(3):
        known.asked("m", replace(MONDAY, week=week))
        known.asked("m", replace(MONDAY, week=week))
    assert known.at(replace(MONDAY, week=3)) == {"m": pytest.approx(0.784)}
    assert known.at(Hour(167, 2)) == {"m": pytest.approx(0.784)}, "an hour earlier, too"
    assert known.at(replace(MONDAY, week=6)) == {"m": pytest.approx(0.784 * 0.6**3)}
    assert known.at(Hour(5, 3)) == {}


def test_habits_come_back_from_what_was_kept_and_nonsense_does_not() -> None:
    known = habits()
    known.asked("a", MONDAY)
    for _ in range(8):
        known.sequence.wanted("job", "a")
        known.sequence.finished("job", "a")
        known.sequence.wanted("job", "b")
        known.sequence.finished("job", "b")
    again = habits()
    again.recall("a", known.of_model("a"))
    assert again.at(MONDAY) == known.at(MONDAY)
    assert again.after("a")["b"] == pytest.approx(known.after("a")["b"], abs=0.15)
    for nonsense in (
        {"hours": {"x": [1, 2], "500": [0.5, 1], "3": [7.0, 1], "4": "no"}},
        {"calls": -1, "after": {"b": 3}},
        {"calls": 3, "after": []},
    ):
        damaged = habits()
        damaged.recall("a", nonsense)
        assert (damaged.at(Hour(3, 1)), damaged.after("a")) == ({}, {})
