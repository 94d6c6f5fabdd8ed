"""Stories of `mmos simulate --race`: what people see at a terminal, in a pipe and in a document, and what a host without power does."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from mmos.cli.race import Drawing
from mmos.simulation.figures import figures
from mmos.simulation.fleetfile import Machines
from mmos.simulation.leap import LeapingLoop
from mmos.simulation.outages import Outage
from mmos.simulation.race import RACERS, Lane, outage
from mmos.simulation.replay import Replay, ReplayResult
from mmos.simulation.trace import Call
from mmos.simulation.workload import Workload
from tests.shell import start
from tests.terminal import CTRL_C, terminal
from tests.test_story_simulation import FLEET, PAIR

NAMES = ("MMOS", "least busy", "warm first", "round robin")
WORDS = ("--generate", "jobs=4 rate=0.1/s output=80")
CALLS = Workload(jobs=8, rate=0.1, consult=1, prompt=500, output=100, arbiter="alpha:8b", specialists=("beta:8b",)).calls(1)


async def race(folder: Path, *args: str) -> tuple[int, str, str]:
    (folder / "pair.yaml").write_text(FLEET)
    process = await start(folder, "simulate", "--race", *args)
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def replayed(policy: str, cut: Outage | None, calls: Sequence[Call] = CALLS) -> ReplayResult:
    async def run() -> ReplayResult:
        return await Replay(Machines("pair", PAIR), calls, policy=policy, outage=cut).run()

    with asyncio.Runner(loop_factory=LeapingLoop) as runner:
        return runner.run(run())


@cache
def recorded() -> Sequence[ReplayResult]:
    """The race of the pair, with each policy."""
    cut, results = outage(Machines("pair", PAIR), CALLS), []
    for policy in RACERS:
        results.append(replayed(policy, cut))
        cut = results[-1].outage
    return results


# ---------------------------------------------------------------- a host without power


def test_a_host_without_power_serves_nothing_and_no_call_is_lost() -> None:
    for result in recorded():
        cut = result.outage
        assert cut is not None
        assert cut == recorded()[0].outage
        assert cut.span is not None
        start, end = cut.span
        assert end == pytest.approx(1.5 * start)
        assert not [call for call in result.calls if call.error]
        there = [call for call in result.calls if call.host == cut.host]
        assert there
        assert not [call for call in there if start < call.end and call.work[0] < end]
        stays = [stay for stay in result.residents.stays if stay.host == cut.host]
        assert not [stay for stay in stays if stay.since < end and stay.until > start], "its memory is empty"


def test_a_host_serves_again_when_its_power_is_back() -> None:
    later = Call("later", "alpha:8b", 500, 100, 200.0, window=8192)
    first = Call("first", "alpha:8b", 500, 100, 0.0, window=8192)
    busy = Call("busy", "alpha:8b", 500, 3000, 199.0, window=8192)
    result = replayed("least_busy", Outage("left", (30.0, 60.0)), [first, busy, later])
    assert {call.call.id: call.error for call in result.calls} == {"first": "", "busy": "", "later": ""}
    assert {call.host for call in result.calls if call.start > 100} == {"left", "right"}


def test_the_same_race_gives_the_same_figures() -> None:
    ours = recorded()[0]
    assert figures(replayed(ours.policy, outage(Machines("pair", PAIR), CALLS))) == figures(ours)


def test_a_host_that_alone_has_a_model_keeps_its_power() -> None:
    machines = Machines("pair", PAIR[:1])
    assert outage(machines, CALLS) is None


# ---------------------------------------------------------------- what a lane shows


def test_a_lane_shows_each_load_and_counts_it_when_it_has_ended() -> None:
    for result in recorded():
        lane = Lane(result)
        assert lane.total.loads == sum(host.loads for host in result.hosts)
        assert lane.total.done == len(CALLS)
        (first, *_) = [block for bay in lane.at(3.0, 1.0).bays for block in bay.blocks]
        assert 0 < first.loaded < 1
        assert (lane.at(3.0, 1.0).standing.loads, lane.at(3.0, 1.0).waiting) == (0, 1)
        moments = [lane.at(moment, 1.0).standing for moment in range(0, int(lane.end) + 2, 5)]
        for earlier, later in pairwise(moments):
            assert earlier.done <= later.done
            assert earlier.loads <= later.loads
            assert earlier.waited_seconds <= later.waited_seconds


@pytest.mark.parametrize(("width", "height"), [(60, 24), (60, 8), (80, 24), (140, 50)])
def test_a_frame_fits_its_terminal_and_shows_every_lane(width: int, height: int) -> None:
    lanes = [Lane(result) for result in recorded()]
    whole = max(lane.end for lane in lanes)
    drawing = Drawing(lanes, whole, 1.0, plain=True)
    for moment in range(0, int(whole) + 1, 3):
        lines = drawing.frame(moment, width, height).plain.splitlines()
        assert max(map(len, lines)) <= width
        assert len(lines) < max(height, 11)
        assert all(any(line.startswith(name) for line in lines) for name in NAMES)
    assert "[alpha:8b" in drawing.frame(whole, width, height).plain


# ---------------------------------------------------------------- the command


async def test_a_race_is_played_at_a_terminal_and_ends_with_a_table(tmp_path: Path) -> None:
    (tmp_path / "pair.yaml").write_text(FLEET)
    async with terminal(tmp_path, "simulate", "--race", "pair.yaml", *WORDS, "--seconds", "2", rows=24) as at:
        await at.shows("16 calls with 4 policies")
        for name in NAMES:
            await at.shows(f"\n{name}")
        await at.shows("no power")
        assert at.colours
        assert "░" in at.raw.decode()
        assert await at.ended() == 0
        await at.shows("won: its calls took")
        table = at.text.partition("the race\n")[2]
        assert table.startswith("POLICY")
        assert re.search(r"^MMOS +16/16 ", table, re.MULTILINE)


async def test_a_race_without_colours_has_brackets(tmp_path: Path) -> None:
    (tmp_path / "pair.yaml").write_text(FLEET)
    async with terminal(tmp_path, "simulate", "--race", "pair.yaml", *WORDS, "--seconds", "1", columns=60, rows=24, NO_COLOR="1") as at:
        await at.shows("[qwen2.5")
        assert await at.ended() == 0
        assert not at.colours


async def test_ctrl_c_ends_a_race_with_the_table_so_far(tmp_path: Path) -> None:
    (tmp_path / "pair.yaml").write_text(FLEET)
    async with terminal(tmp_path, "simulate", "--race", "pair.yaml", *WORDS, "--seconds", "10m", rows=24) as at:
        await at.shows("16 calls with 4 policies")
        at.press(CTRL_C)
        assert await at.ended() == 130
        await at.shows("the race, after ")
        assert "Traceback" not in at.text
        assert "won:" not in at.text


async def test_in_a_pipe_a_race_is_a_table_and_as_json_a_document(tmp_path: Path) -> None:
    code, out, err = await race(tmp_path, "pair.yaml", *WORDS)
    assert code == 0, err
    title, heads, *rows = out.splitlines()
    assert (title, heads.split()[0]) == ("the race", "POLICY")
    assert [row[:11].strip() for row in rows[:4]] == list(NAMES)
    assert "won: its calls took" in rows[-1]
    assert "\x1b" not in out
    assert not (tmp_path / "simulation").exists()
    code, out, err = await race(tmp_path, "pair.yaml", *WORDS, "--json", "--policy", "sticky", "--policy", "completion_time")
    assert code == 0, err
    document = json.loads(out)
    assert [fleet["policy"] for fleet in document["fleets"]] == ["sticky", "completion_time"]
    assert document["winner"] in ("sticky", "completion_time")
    assert document["outage"]["host"] == "left"
    assert document["outage"]["span"][0] > 0


async def test_wrong_usage_of_a_race_says_what_to_type(tmp_path: Path) -> None:
    code, out, err = await race(tmp_path, "pair.yaml", "--fleet", "pair.yaml")
    assert (code, out) == (2, "")
    assert "A race has one fleet" in err
    process = await start(tmp_path, "simulate", "--seconds", "5", *WORDS)
    out_bytes, err_bytes = await process.communicate()
    assert (process.returncode, out_bytes) == (2, b"")
    assert "--seconds is for --race" in err_bytes.decode()
