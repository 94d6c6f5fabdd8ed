"""The fleet drives the engine: no place leaks, no call is lost or answered twice, urgent calls go first, and nobody holds a place while he waits."""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from dataclasses import dataclass

import pytest
from desks import GB, Desk, fleet_of, settled, start, turns
from hypothesis import given, settings
from hypothesis import strategies as st

from mmos.errors import HostBusy, HostError, HostFault, HostTimeout, HostUnreachable, MmosError, ModelMissing, OutOfMemory, StreamCut
from mmos.fleet.fleet import Fleet
from mmos.fleet.seats import find
from mmos.fleet.telling import residents_of
from mmos.hosts.face import Installed, Loaded
from mmos.messages import Reply
from mmos.names import canonical
from mmos.testing import until

ALL = ("a", "b", "c")
ERRORS: tuple[HostError | None, ...] = (
    None,
    HostUnreachable("gone"),
    HostTimeout("late"),
    HostBusy("busy", retry_after=0.5),
    HostFault("broken"),
    StreamCut("cut"),
    OutOfMemory("full"),
    ModelMissing("missing"),
)

# ---------------------------------------------------------------- no place leaks


@dataclass
class Plan:
    """One call: what it asks for, how long and with what end each attempt works, and when somebody cancels it."""

    model: str
    hosts: tuple[str, ...]
    urgent: bool
    attempts: list[tuple[int, HostError | None]]
    cancelled_at: int | None


plans = st.lists(
    st.builds(
        Plan,
        st.sampled_from("mn"),
        st.sets(st.sampled_from(ALL)).map(lambda names: tuple(sorted(names))),
        st.booleans(),
        st.lists(st.tuples(st.integers(0, 30), st.sampled_from(ERRORS)), max_size=4),
        st.none() | st.integers(0, 60),
    ),
    max_size=14,
)


@settings(deadline=None, max_examples=40)
@given(plans, st.sampled_from([ALL, ALL[:1]]), st.integers(1, 2), st.sampled_from([None, 8.0 * GB]), st.randoms(use_true_random=False))
def test_after_any_mix_all_places_are_free_and_no_call_is_lost_or_answered_twice(
    given_plans: list[Plan], names: tuple[str, ...], slots: int, memory: float | None, chance: random.Random
) -> None:
    async def play() -> None:
        attempts = {str(number): deque(plan.attempts) for number, plan in enumerate(given_plans)}

        async def work(_: Desk, text: str) -> None:
            await turns(*(attempts[text].popleft() if attempts.get(text) else (1, None)))

        desks = [Desk(name, "mn", work) for name in names]
        async with fleet_of(*desks, slots=slots, memory=memory, time_scale=20_000.0) as fleet, asyncio.timeout(20):
            hosts = [[host for host in plan.hosts if host in names] for plan in given_plans]
            tasks = [start(fleet, str(n), *hosts[n], model=plan.model, urgent=plan.urgent) for n, plan in enumerate(given_plans)]
            for turn in range(61):
                due = [task for task, plan in zip(tasks, given_plans, strict=True) if plan.cancelled_at == turn]
                for task in chance.sample(due, len(due)):
                    task.cancel()
                await settled(1)
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await until(lambda: not any(desk.open for desk in desks))  # a load may outlive its call
            for number, result in enumerate(results):
                answers = sum(desk.answered[str(number)] for desk in desks)
                assert isinstance(result, Reply | MmosError | asyncio.CancelledError)
                assert answers == 1 if isinstance(result, Reply) else answers <= isinstance(result, asyncio.CancelledError)
                assert not isinstance(result, Reply) or result.text == str(number)
            assert [seat.in_flight.total() for seat in fleet.seats] == [0] * len(desks)
            await every_place_is_free(fleet, desks, slots)

    asyncio.run(play())


async def every_place_is_free(fleet: Fleet, desks: list[Desk], slots: int) -> None:
    for desk in desks:
        await start(fleet, "works", desk.name)  # a host that failed gets one call before it gets more
        desk.work = None
        held = [start(fleet, f"held {number}", desk.name) for number in range(slots + 1)]
        await until(lambda desk=desk: len(desk.open) == slots + 1)  # type: ignore[misc]
        for text in tuple(desk.open):
            desk.gate(text).set()
        await asyncio.gather(*held)


async def test_one_that_is_cancelled_is_passed_over_even_before_it_has_noticed() -> None:
    async with fleet_of(desk := Desk("a")) as fleet:
        held = [start(fleet, text) for text in ("1", "2")]
        await settled()
        waiting = [start(fleet, text) for text in ("3", "4")]
        await settled()
        assert desk.order == ["1", "2"]
        waiting[0].cancel()
        desk.gate("1").set()
        await settled()
        assert desk.order == ["1", "2", "4"]
        for text in ("2", "4"):
            desk.gate(text).set()
        assert [(await task).text for task in (*held, waiting[1])] == ["1", "2", "4"]
        assert waiting[0].cancelled()


# ---------------------------------------------------------------- with only one way


async def test_a_call_with_only_one_way_comes_back_to_the_queue_when_it_fails() -> None:
    faults = deque([None, HostBusy("busy", retry_after=0.01), HostFault("broken"), None])

    async def work(_: Desk, text: str) -> None:
        if (fault := faults.popleft()) is not None:
            raise fault

    async with fleet_of(desk := Desk("a", work=work), time_scale=1000.0) as fleet:
        assert (await start(fleet, "first")).text == "first"
        reply = await start(fleet, "second")
        assert (reply.text, desk.order) == ("second", ["first", "second", "second", "second"])
        assert [seat.in_flight.total() for seat in fleet.seats] == [0]


async def test_calls_that_come_together_share_the_slots_of_the_only_way() -> None:
    async with fleet_of(desk := Desk("a"), slots=2) as fleet:
        desk.gate("first").set()
        await start(fleet, "first")
        tasks = [start(fleet, text) for text in "1234"]
        await settled()
        assert desk.open == ["1", "2", "3"], "both slots, and one ahead"
        tasks[0].cancel()
        await settled()
        assert desk.open == ["2", "3", "4"]
        for text in "234":
            desk.gate(text).set()
        await asyncio.gather(*tasks[1:])
    assert desk.answered == {"first": 1, "2": 1, "3": 1, "4": 1}


# ---------------------------------------------------------------- in which order


@settings(deadline=None, max_examples=20)
@given(st.lists(st.booleans(), min_size=1, max_size=8))
def test_batch_goes_after_interactive_and_each_in_its_order(urgent: list[bool]) -> None:
    async def play() -> list[str]:
        async with fleet_of(desk := Desk("a")) as fleet:
            held = [start(fleet, text) for text in ("x", "y")]
            await settled()
            tasks = [start(fleet, str(number), urgent=each) for number, each in enumerate(urgent)]
            await settled()
            for _ in range(len(urgent) + 2):
                desk.gate(desk.open[0]).set()
                await settled()
            await asyncio.gather(*held, *tasks)
            return desk.order[2:]

    assert asyncio.run(play()) == [str(number) for number in sorted(range(len(urgent)), key=lambda number: not urgent[number])]


async def test_a_waiting_call_goes_to_whichever_host_is_free_first() -> None:
    a, b = Desk("a"), Desk("b")
    async with fleet_of(a, b) as fleet:
        held = [start(fleet, f"{name}{number}", name) for name in "ab" for number in range(2)]
        await settled()
        task = start(fleet, "late")
        await settled()
        assert "late" not in (*a.open, *b.open)
        b.gate("b0").set()
        await until(lambda: "late" in b.open)
        for desk in (a, b):
            for text in tuple(desk.open):
                desk.gate(text).set()
        assert (await task).host == "b"
        await asyncio.gather(*held)


async def test_one_that_waits_for_another_host_holds_up_nobody() -> None:
    a, b = Desk("a"), Desk("b", work=lambda *_: turns(1))
    async with fleet_of(a, b) as fleet:
        held = [start(fleet, text, "a") for text in ("1", "2", "3")]
        await settled()
        assert (await start(fleet, "4", "a", "b", urgent=False)).host == "b"
        for text in ("1", "2", "3"):
            a.gate(text).set()
        await asyncio.gather(*held)


# ---------------------------------------------------------------- failures


async def test_a_call_in_a_pause_holds_no_place() -> None:
    busy = {"1", "2"}

    async def work(_: Desk, text: str) -> None:
        if text in busy:
            busy.remove(text)
            raise HostBusy("busy", retry_after=5.0)

    async with fleet_of(desk := Desk("a", work=work), time_scale=20.0) as fleet:
        paused = [start(fleet, text) for text in ("1", "2")]
        await until(lambda: not busy and not desk.open)
        assert (await asyncio.wait_for(start(fleet, "3"), 0.2)).text == "3"
        assert [(await task).text for task in paused] == ["1", "2"]
        assert desk.order == ["1", "2", "3", "1", "2"]


async def test_a_host_that_failed_serves_the_same_call_later() -> None:
    left = [HostBusy("busy", retry_after=20.0)]

    async def work(_: Desk, __: str) -> None:
        if left:
            raise left.pop()

    async def gone(_: Desk, __: str) -> None:
        raise HostUnreachable("gone")

    async with fleet_of(Desk("a", work=work), Desk("b", work=gone), time_scale=200.0) as fleet:
        assert (await start(fleet, "1", "a", "b")).host == "a"
        assert not left


async def test_a_host_without_progress_loses_its_call_to_another() -> None:
    hung = asyncio.Event()

    async def hang(_: Desk, __: str) -> None:
        await hung.wait()

    a, b = Desk("a", work=hang), Desk("b", work=lambda *_: turns(1))
    async with fleet_of(a, b, time_scale=1000.0) as fleet:
        task = start(fleet, "1")
        await until(lambda: bool(a.open or b.answered))
        assert (await asyncio.wait_for(task, 5)).host == "b"
        assert (a.order, a.open) == (["1"], [])


async def test_a_model_leaves_when_its_calls_have_ended_and_another_is_needed() -> None:
    """The host holds two of three models. The one that nobody waits for is unloaded, and the call to the new one is its load."""
    desk = Desk("a", "mnk", lambda *_: turns(1))
    async with fleet_of(desk, memory=16.0 * GB, time_scale=1000.0) as fleet:
        for model in "mn":
            await start(fleet, model, "a", model=model)
        reply = await asyncio.wait_for(start(fleet, "k", "a", model="k"), 5)
        assert (reply.text, len(desk.told)) == ("k", 1)
        assert desk.told[0] in ("unload m", "unload n")
        assert reply.placement["warm"] is False


@pytest.mark.parametrize("name", ["wait", "write"])
async def test_a_reply_says_what_its_place_was_expected_to_cost(name: str) -> None:
    async with fleet_of(Desk("a", work=lambda *_: turns(1))) as fleet:
        placement = (await start(fleet, "1")).placement
        assert placement[name] > 0
        assert "reluctance" not in placement
        assert "wait" not in (await start(fleet, "2")).placement


def test_a_model_is_found_under_any_spelling_of_its_name() -> None:
    installed = {canonical("Qwen2.5:14B"): Installed("Qwen2.5:14B"), canonical("plain"): Installed("plain:latest")}
    assert find(installed, "qwen2.5:14b") is installed["qwen2.5:14b"]
    assert find(installed, "library/plain:latest") is not None
    assert (find(installed, "qwen2.5"), find(None, "plain")) == (None, None)


async def test_a_host_that_refuses_to_unload_is_asked_once() -> None:
    class Stubborn(Desk):
        async def unload(self, model: str) -> None:
            self.told.append(f"unload {model}")
            raise HostFault("404 page not found")

    desk = Stubborn("one", ["m", "n", "o"], lambda _, __: turns(1))
    async with fleet_of(desk, memory=15 * GB) as fleet:
        for number in range(9):
            await start(fleet, f"call {number}", model="mno"[number % 3])
    assert desk.answered.total() == 9
    assert len(desk.told) == 1


@pytest.mark.parametrize(
    ("shown", "told"), [((6, 3), [3.0]), ((6, 5.9), [math.inf]), ((6, 0), [math.inf]), ((6, 3, 6, 3), [math.inf, math.inf])]
)
def test_only_a_model_alone_shows_how_large_a_gpu_is(shown: tuple[float, ...], told: list[float]) -> None:
    """A host loads no model beside one that fills its GPU, so what it shows of two is no evidence."""
    models = [Loaded("m", size=int(size * GB), size_vram=int(part * GB)) for size, part in zip(shown[::2], shown[1::2], strict=True)]
    assert [resident.on_gpu / GB for resident in residents_of(models)] == told
