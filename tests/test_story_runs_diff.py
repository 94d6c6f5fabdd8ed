"""Stories of two runs that part: the first step that differs, in which part, and the command that takes that turn again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmos.replay.parting import Parting, parting
from mmos.testing import Call, Model, Stage, consult, stage
from tests.shell import shell


async def compared(on: Stage, one: str, other: str) -> Parting:
    entries = [await on.app.journal.read(thread=(await on.app.journal.read(run=run, limit=1))[0].thread) for run in (one, other)]
    return parting(one, entries[0], other, entries[1])


async def both(*scripts: list[Any], coding: list[Any], task: str = "Paint it.", other: str = "Paint it.") -> Parting:
    """Two runs on one host, and where they part."""
    arbiter = [turn for script in scripts for turn in script]
    async with stage({"arbiter": arbiter, "coding": coding}) as on:
        first, second = [(await on.app.run(text)).run for text in (task, other)]
        return await compared(on, first, second)


ASK = consult("coding", "How?")


async def test_two_runs_that_did_the_same() -> None:
    found = await both([ASK, "Red."], [ASK, "Red."], coding=["A brush."] * 2)
    assert (found.same, found.turns, found.fork) == (True, 2, "")


async def test_a_long_answer_has_another_name_in_each_run_and_is_the_same() -> None:
    coding = Model.scripted("coding", [" ".join(f"Step {number}." for number in range(2000))] * 2)
    async with stage({"arbiter": [ASK, "See above.", ASK, "See above."], "coding": coding}) as on:
        runs = [(await on.app.run("Paint it.")).run for _ in range(2)]
        found = await compared(on, *runs)
        assert found.same, found.differences


@pytest.mark.parametrize(
    ("scripts", "coding", "place", "turn", "part", "turns"),
    [
        (([ASK, "Red."], [ASK, "Blue."]), ["A brush."] * 2, "turn 2 of arbiter", 2, "reply", 1),
        (([ASK, "Red."], [ASK, "Red."]), ["A brush.", "A spray."], "turn 1 of coding", 1, "reply", 0),
        (([ASK, "Red."], ["Red."]), ["A brush."], "turn 1 of arbiter", 1, "reply", 0),
        (([Call("nothing", {}), "Red."], [Call("nothing", {}), "Red."]), [], "", 0, "", 2),
    ],
)  # fmt: skip
async def test_the_first_step_that_differs(scripts: Any, coding: list[str], place: str, turn: int, part: str, turns: int) -> None:
    found = await both(*scripts, coding=coding)
    assert (found.place, found.turn, found.turns) == (place, turn, turns)
    assert [each.part for each in found.differences] == ([part] if part else [])
    assert found.fork == (f"mmos runs fork {found.one} --at {turn}" if turn else "")


async def test_another_task_differs_in_the_first_request() -> None:
    found = await both(["Red."], ["Red."], coding=[], other="Paint the wall.")
    assert (found.place, [each.part for each in found.differences]) == ("turn 1 of arbiter", ["message 1 (user)"])
    assert found.differences[0].lines() == ["-Paint it.", "+Paint the wall."]


async def test_a_run_that_ended_early_differs_in_its_end(tmp_path: Path) -> None:
    async with stage({"arbiter": ["Red.", "Red."], "coding": []}) as on:
        first = (await on.app.run("Paint it.")).run
        on.host.faults.add("status", status=500, error="engine lost")
        second = (await on.app.run("Paint it.")).run
        found = await compared(on, first, second)
        assert (found.place, found.differences[0].then, found.differences[0].now) == (
            "turn 1 of arbiter", "reply in turn 1 of arbiter", "the end: failed",
        )  # fmt: skip


async def test_the_command(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["Red.", "Red.", "Blue \x1b[31m."], "coding": []}) as at:
        for _ in range(3):
            assert (await at.mmos("run", "Paint it.")).code == 0
        one, two, three = [run["run"] for run in (await at.mmos("runs", "list", "--json")).document["runs"]][::-1]
        runs = sorted([one, two, three])
        same = await at.mmos("runs", "diff", runs[0], runs[1])
        assert (same.code, same.out) == (0, "The runs are the same: 1 turn, and the same end.\n")
        found = await at.mmos("runs", "diff", runs[0], runs[2])
        assert (found.code, found.out.splitlines()) == (
            1,
            [
                "The runs differ from the first turn on.", "≠ reply in turn 1 of arbiter", "  -Red.", "  +Blue [31m.",
                f"Take this turn again: mmos runs fork {runs[0]} --at 1",
            ],
        )  # fmt: skip
        document = (await at.mmos("runs", "diff", runs[0], runs[2], "--json")).document
        assert (document["same"], document["turn"], document["fork"]) == (False, 1, f"mmos runs fork {runs[0]} --at 1")
        assert document["differences"] == [{"part": "reply", "one": "Red.", "other": "Blue \x1b[31m."}]
        elsewhere = await at.mmos("runs", "diff", runs[0], runs[2], "--state", ".mmos")
        assert elsewhere.out.splitlines()[-1] == f"Take this turn again: mmos runs fork {runs[0]} --at 1 --state .mmos"
        assert (await at.mmos("runs", "diff", runs[0], "nobody")).code == 2


async def test_the_command_that_it_proposes_takes_the_turn_again(tmp_path: Path) -> None:
    said = [ASK, "Red.", ASK, "Blue.", "Green."]
    async with shell(tmp_path, {"arbiter": said, "coding": ["A brush."] * 2}) as at:
        for _ in range(2):
            assert (await at.mmos("run", "Paint it.")).code == 0
        one, two = sorted(run["run"] for run in (await at.mmos("runs", "list", "--json")).document["runs"])
        found = (await at.mmos("runs", "diff", one, two, "--json")).document
        assert (found["turns"], found["turn"]) == (1, 2)
        forked = await at.mmos(*found["fork"].split()[1:])
        assert (forked.code, forked.out) == (0, "Green.\n")
        third = next(run["run"] for run in (await at.mmos("runs", "list", "--json")).document["runs"] if run["run"] not in (one, two))
        again = (await at.mmos("runs", "diff", one, third, "--json")).document
        assert (again["turns"], again["turn"], again["differences"][0]["other"]) == (1, 2, "Green.")
        replayed = await at.mmos("runs", "replay", third)
        assert replayed.code == 0
        assert "4 requests, byte for byte as they went out; today would do the same." in replayed.out or "3 requests" in replayed.out
