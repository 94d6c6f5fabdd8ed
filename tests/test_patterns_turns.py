"""Who waits for whom when members work side by side, and that nobody waits for ever."""

from __future__ import annotations

import asyncio

import pytest

from mmos.patterns.turns import Turns
from mmos.placement.forecasting import Order


class Played:
    """Members that answer when they are told to, and the order in which they were asked."""

    def __init__(self, turn: Order = "any", **more: float) -> None:
        self.asked: list[str] = []
        self.wanted = 0
        self._turn: Order = turn
        self.turns = Turns("j", turn_of_joiner=self._say, **more)
        self.may_answer = asyncio.Event()

    async def _say(self) -> Order:
        self.wanted += 1
        return self._turn

    async def ask(self, model: str) -> None:
        async with self.turns.of(model):
            self.asked.append(model)
            await self.may_answer.wait()

    async def stage(self, models: str) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self.ask(model)) for model in models]
        for _ in range(6):
            await asyncio.sleep(0)
        return tasks


@pytest.mark.parametrize(("turn", "at_once", "in_the_end"), [("any", "jab", "jab"), ("last", "ab", "abj"), ("first", "j", "jab")])
async def test_the_joiner_has_its_turn(turn: Order, at_once: str, in_the_end: str) -> None:
    played = Played(turn)
    tasks = await played.stage("jab")
    assert sorted(played.asked) == sorted(at_once)
    played.may_answer.set()
    await asyncio.gather(*tasks)
    assert sorted(played.asked) == sorted(in_the_end)
    assert played.wanted == 1
    await played.ask("j")  # it puts the answers together, and waits for nobody
    assert played.asked[-1] == "j"


async def test_who_is_alone_asks_nobody_for_its_turn() -> None:
    played = Played("last")
    played.may_answer.set()
    for model in "jaj":
        await played.ask(model)
    await asyncio.gather(*await played.stage("jj"))
    assert played.wanted == 0


async def test_a_member_that_hangs_does_not_hold_the_joiner_for_ever() -> None:
    played = Played("last", patience=0.01)
    tasks = await played.stage("ja")
    async with asyncio.timeout(5):
        while played.asked != ["a", "j"]:  # the other one never answers
            await asyncio.sleep(0.005)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_member_that_fails_or_is_cancelled_gives_its_turn_back() -> None:
    played = Played("last")
    joiner, other = await played.stage("ja")
    other.cancel()
    played.may_answer.set()
    await joiner
    assert played.asked == ["a", "j"]
