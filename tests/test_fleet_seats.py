"""Who sits where: no seat leaks, first come first served, urgent before batch, each call bound as late as can be."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.fleet.seats import AHEAD, Seat, SeatRequest, Seats, find
from mmos.hosts.face import Host, Installed
from mmos.names import canonical


@dataclass(frozen=True)
class Named:
    """A host of which only the name matters."""

    name: str


def seat(name: str, slots: int = 1, **known: Any) -> Seat:
    return Seat(cast(Host, Named(name)), slots, **known)


def seated(*seats: Seat, clock: Callable[[], float] = lambda: 0.0) -> Seats:
    return Seats(seats, clock)


ALL = ("a", "b", "c")


def request(allowed: tuple[str, ...] = ("a",), **rest: Any) -> SeatRequest:
    return SeatRequest("m", allowed, **rest)


async def settled(turns: int = 5) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def full(seats: Seats, name: str = "a") -> list[Seat]:
    """Every place on a host taken."""
    return [await seats.take(request((name,))) for _ in range(seats.by_name[name].slots + AHEAD)]


# ---------------------------------------------------------------- no seat leaks


@dataclass
class Plan:
    """One call: what it asks for, how long it sits, and whether and when somebody cancels it."""

    model: str
    allowed: tuple[str, ...]
    urgent: bool
    sits: int
    fails: bool
    cancelled_at: int | None


plans = st.lists(
    st.builds(
        Plan,
        st.sampled_from("mn"),
        st.sets(st.sampled_from(ALL), min_size=1).map(lambda names: tuple(sorted(names))),
        st.booleans(),
        st.integers(0, 4),
        st.booleans(),
        st.none() | st.integers(0, 8),
    ),
    max_size=14,
)


@dataclass
class Watched:
    seats: Seats
    most: int = 0
    """How far beyond its places a host was ever filled."""
    got: list[str] = field(default_factory=list)

    async def call(self, plan: Plan) -> None:
        taken = await self.seats.take(SeatRequest(plan.model, plan.allowed, urgent=plan.urgent))
        try:
            self.got.append(taken.name)
            self.most = max(self.most, taken.in_flight[plan.model] - taken.slots - AHEAD)
            await settled(plan.sits)
            if plan.fails:
                raise ConnectionError
        finally:
            self.seats.leave(taken, plan.model)


@given(plans, st.integers(1, 2), st.randoms(use_true_random=False))
def test_no_seat_leaks_after_any_mix_of_success_failure_and_cancellation(told: list[Plan], slots: int, chance: random.Random) -> None:
    async def play() -> None:
        watched = Watched(seated(*(seat(name, slots) for name in ALL)))
        tasks = [asyncio.create_task(watched.call(plan)) for plan in told]
        for turn in range(9):
            due = [task for task, plan in zip(tasks, told, strict=True) if plan.cancelled_at == turn]
            chance.shuffle(due)
            for task in due:
                task.cancel()
            await settled(1)
        async with asyncio.timeout(5):
            results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(result is None or isinstance(result, ConnectionError | asyncio.CancelledError) for result in results)
        assert watched.most == 0
        for known in watched.seats.by_name.values():
            assert known.in_flight.total() == 0
            for model in "mn":
                await asyncio.wait_for(full_of(watched.seats, known, model), 1)

    asyncio.run(play())


async def full_of(seats: Seats, known: Seat, model: str) -> None:
    for _ in range(known.slots + AHEAD):
        await seats.take(SeatRequest(model, (known.name,)))


async def test_one_that_is_cancelled_is_passed_over_even_before_it_has_heard_of_it() -> None:
    seats = seated(seat("a"))
    first, *_ = await full(seats)
    waiting = [asyncio.create_task(seats.take(request())) for _ in range(2)]
    await settled()
    waiting[0].cancel()
    seats.leave(first, "m")  # in the same breath
    assert (await waiting[1]).name == "a"
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    assert seats.by_name["a"].in_flight["m"] == 2


async def test_a_place_that_comes_together_with_the_cancellation_goes_to_the_next() -> None:
    seats = seated(seat("a"))
    first, *_ = await full(seats)
    waiting = [asyncio.create_task(seats.take(request())) for _ in range(2)]
    await settled()
    seats.leave(first, "m")
    waiting[0].cancel()
    assert (await waiting[1]).name == "a"
    assert waiting[0].cancelled()


# ---------------------------------------------------------------- in which order


async def order_of(requests: list[SeatRequest], seats: Seats) -> list[int]:
    """In which order these requests get a seat while seats become free one by one."""
    held = await full(seats)
    granted: list[int] = []

    async def take(number: int) -> Seat:
        taken = await seats.take(requests[number])
        granted.append(number)
        return taken

    tasks = [asyncio.create_task(take(number)) for number in range(len(requests))]
    await settled()
    assert granted == []
    for number in range(len(requests)):
        seats.leave(held.pop(0), "m")
        await settled()
        assert len(granted) == number + 1
        held.append(tasks[granted[-1]].result())
    return granted


async def test_first_come_first_served_among_equals() -> None:
    assert await order_of([request() for _ in range(5)], seated(seat("a"))) == [0, 1, 2, 3, 4]


@given(st.lists(st.booleans(), min_size=1, max_size=8))
def test_urgent_calls_go_before_batch_and_keep_their_order(urgent: list[bool]) -> None:
    async def play() -> list[int]:
        return await order_of([request(urgent=each) for each in urgent], seated(seat("a")))

    granted = asyncio.run(play())
    assert granted == sorted(range(len(urgent)), key=lambda number: not urgent[number])


async def test_a_waiting_call_goes_to_whichever_host_is_free_first() -> None:
    seats = seated(seat("a"), seat("b"))
    on_a, on_b = await full(seats, "a"), await full(seats, "b")
    task = asyncio.create_task(seats.take(request(("a", "b"))))
    await settled()
    assert not task.done()
    seats.leave(on_b[0], "m")
    assert (await task).name == "b"
    assert len(on_a) == 2


async def test_one_that_waits_for_another_host_holds_up_nobody() -> None:
    seats = seated(seat("a"), seat("b"))
    await full(seats, "a")
    task = asyncio.create_task(seats.take(request(("a",))))
    await settled()
    assert (await seats.take(request(("a", "b"), urgent=False))).name == "b"
    task.cancel()


# ---------------------------------------------------------------- which host


async def chosen(*seats: Seat, last_host: str = "") -> str:
    return (await seated(*seats).take(request(tuple(known.name for known in seats), last_host=last_host))).name


async def test_a_session_stays_where_it_was_while_a_slot_is_free_there() -> None:
    assert await chosen(seat("a"), seat("b"), last_host="b") == "b"
    busy = seat("b")
    busy.in_flight["m"] = 1
    assert await chosen(seat("a"), busy, last_host="b") == "a"


async def test_a_host_that_holds_the_model_goes_before_one_that_would_load_it() -> None:
    assert await chosen(seat("a"), seat("b", warm={"m": -10.0})) == "b"
    assert await chosen(seat("a"), seat("b", warm={"m": -10_000.0})) == "a"
    assert await chosen(seat("a"), seat("b", time_scale=100.0, warm={"m": -10.0})) == "a"


async def test_hosts_that_failed_come_last_and_are_forgiven_when_they_answer() -> None:
    ill, shaky = seat("a", failures=2, failed_at=-1.0), seat("b", failures=1, failed_at=-1.0)
    assert await chosen(ill, shaky, seat("c")) == "c"
    assert await chosen(ill, shaky) == "b"
    ill.answered("m", 0.0)
    assert await chosen(ill, shaky) == "a"


async def test_a_host_that_failed_long_ago_gets_another_chance() -> None:
    assert await chosen(seat("a", failures=3, failed_at=-3600.0), seat("b")) == "a"


async def test_the_least_busy_host_is_taken_among_equals() -> None:
    busy = seat("a", slots=4)
    busy.in_flight["n"] = 3
    assert await chosen(busy, seat("b", slots=4)) == "b"


@given(st.permutations(ALL), st.permutations(ALL), st.dictionaries(st.sampled_from(ALL), st.integers(0, 2)), st.sampled_from(["", *ALL]))
def test_placement_ignores_the_order_in_which_hosts_are_listed(
    one: list[str], other: list[str], failures: dict[str, int], last_host: str
) -> None:
    async def play() -> set[str]:
        return {
            await chosen(*(seat(name, failures=failures.get(name, 0)) for name in names), last_host=last_host) for names in (one, other)
        }

    assert len(asyncio.run(play())) == 1


def test_a_model_is_found_under_any_spelling_of_its_name() -> None:
    installed = {canonical("Qwen2.5:14B"): Installed("Qwen2.5:14B"), canonical("plain"): Installed("plain:latest")}
    assert find(installed, "qwen2.5:14b") is installed["qwen2.5:14b"]
    assert find(installed, "library/plain:latest") is not None
    assert (find(installed, "qwen2.5"), find(None, "plain")) == (None, None)
