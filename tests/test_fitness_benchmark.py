"""The benchmark of a model: what it measures on a host of known speed, what it leaves out, and how its figures are kept and compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from mmos.errors import HostError
from mmos.fitness.benchmark import Benchmark, Plan
from mmos.fitness.figures import NOISE, AtContext, AtOnce, Figures
from mmos.fitness.history import KEPT, History
from mmos.fitness.trial import Step
from mmos.fleet.fleet import Fleet
from mmos.fleet.speeds import Speed
from mmos.hosts.face import Loaded
from mmos.prompting.templates import Templates
from mmos.rehearsal.faults import Fault
from mmos.rehearsal.host import Host
from mmos.rehearsal.personas import Model
from mmos.rehearsal.personas import Speed as Pace
from mmos.rehearsal.server import serve

STORY = "The lamp turned. A ship passed. " * 20
SCALE = 100.0
FIGURES = Figures(
    "tried",
    "here",
    1.0,
    "d1",
    4096,
    2.0,
    (AtContext(1024, 1000, 1.0, 900.0, 50.0, 0.02),),
    (AtOnce(1, 40.0, 0.05),),
    0.5,
    "tools",
    whole=True,
)


def paced(**more: Any) -> Model:
    return Model.scripted("tried", [STORY] * 40, speed=Pace(load_seconds=3.0, prefill=1000.0, decode=50.0), **more)


async def measured(host: Host, plan: Plan, window: int = 4096, steps: list[Step] | None = None) -> Benchmark:
    """The benchmark, ended or failed."""
    seen: list[Step] = [] if steps is None else steps
    async with serve(host) as url, Fleet.open({"here": {"url": url, "time_scale": SCALE}}) as fleet:
        bench = Benchmark(fleet, Figures("tried", "here", 1.0, "", window), plan, Templates().text("schema"), tell=seen.append)
        try:
            await bench.run()
        except HostError as error:
            seen.append(Step(0, 0, error.code, False))
        return bench


async def test_the_figures_are_those_of_the_host() -> None:
    steps: list[Step] = []
    host = Host("here", [paced()], time_scale=SCALE, parallel=2)
    figures = (await measured(host, Plan((512, 2048, 9000), 2, 2, 32, channel=None), steps=steps)).figures
    assert figures.whole
    assert figures.load_seconds
    assert figures.load_seconds >= 2.9  # by our clock, so a busy machine makes it longer
    assert [one.context for one in figures.contexts] == [512, 2048]
    assert figures.reads == pytest.approx(1000.0, rel=0.1)  # the beginning of no prompt was in the cache
    assert figures.writes == pytest.approx(50.0, rel=0.1)
    assert figures.contexts[1].tokens == pytest.approx(2048, rel=0.15)
    assert figures.contexts[1].first_token >= 1.5
    assert [one.calls for one in figures.parallel] == [1, 2]
    assert all(one.writes > 0 for one in figures.parallel)
    assert figures.notes == ("left out 9000 tokens: the window has 4096",)
    assert figures.calls is None
    assert [step.number for step in steps] == list(range(1, steps[-1].of + 1))


async def test_tool_calls_are_tested_in_the_same_way_as_by_models_test() -> None:
    figures = (await measured(Host("here", [paced()], time_scale=SCALE), Plan((512,), 1, 1, 32, load=False))).figures
    assert (figures.calls, figures.channel) == (pytest.approx(2 / 12, abs=0.001), "tools")  # it never calls, which is right twice
    assert figures.load_seconds is None


async def test_a_model_that_cannot_be_offered_tools_says_so() -> None:
    host = Host("here", [paced(capabilities=("completion",))], time_scale=SCALE)
    figures = (await measured(host, Plan((512,), 1, 1, 32))).figures
    assert figures.calls is None
    assert "no test of tool calls" in figures.notes[-1]
    assert figures.whole


async def test_what_was_measured_before_the_host_died_stays() -> None:
    host = Host("here", [paced()], time_scale=SCALE, parallel=4)
    host.faults.add("refuse", after=7)
    steps: list[Step] = []
    figures = (await measured(host, Plan((512,), 4, 1, 32, channel=None), steps=steps)).figures
    assert steps[-1].what == "host_unreachable"
    assert (len(figures.contexts), figures.whole, figures.empty) == (1, False, False)


async def test_a_host_that_cuts_prompts_is_noted() -> None:
    host = Host("here", [paced(context_length=1024)], time_scale=SCALE)
    figures = (await measured(host, Plan((512, 4096), 1, 1, 32, channel=None))).figures
    assert figures.window == 1024
    assert "the host gives a window of 1024, not 4096" in figures.notes
    assert [one.context for one in figures.contexts] == [512]


async def test_a_model_with_short_answers_has_no_speed_of_writing() -> None:
    host = Host("here", [Model.scripted("tried", ["Yes."] * 9)], time_scale=SCALE)
    figures = (await measured(host, Plan((512,), 1, 1, 32, channel=None))).figures
    assert figures.writes is None
    assert figures.reads
    assert any("too short" in note for note in figures.notes)


def test_stages_double_up_to_the_most() -> None:
    assert Plan(at_once=6).stages == [1, 2, 4, 6]
    assert Plan(at_once=1).stages == [1]
    assert Plan((256, 4096), tokens=64).fitting(4096) == [256, 4096]


def test_small_differences_are_no_change() -> None:
    newer = replace(
        FIGURES,
        load_seconds=2.4,
        contexts=(AtContext(1024, 1000, 1.2, 900.0 * (1 + 0.9 * NOISE), 40.0, 0.02), AtContext(4096, 4000, 4.0, 1.0)),
    )
    assert newer.changes(FIGURES) == {
        "load_seconds": 0.0, "first_token@1024": 0.2, "reads@1024": 0.0, "writes@1024": -0.2, "writes*1": 0.0, "calls": 0.0,
    }  # fmt: skip
    assert newer.changes(None) == {}
    assert newer.changes(replace(FIGURES, digest="another")) == {}


def test_figures_of_calls_that_differ_much_hardly_change() -> None:
    wide = replace(FIGURES, contexts=(AtContext(1024, 1000, 1.0, 900.0, 50.0, 0.4),))
    assert replace(FIGURES, contexts=(AtContext(1024, 1000, 1.3, 700.0, 40.0, 0.02),)).changes(wide)["first_token@1024"] == 0.0


def test_the_newest_figures_are_kept(tmp_path: Path) -> None:
    history = History.of_state(tmp_path)
    for number in range(KEPT + 3):
        history.put(replace(FIGURES, taken=float(number)))
    history.put(replace(FIGURES, host="other"))
    kept = history.of("TRIED:latest", "here")
    assert [one.taken for one in kept] == [float(number) for number in range(3, KEPT + 3)]
    assert kept[-1] == replace(FIGURES, taken=float(KEPT + 2))
    assert {(one.host, one.taken) for one in history.newest()} == {("here", float(KEPT + 2)), ("other", 1.0)}


@pytest.mark.parametrize(
    "change",
    [{"version": 2}, {"results": 7}, {"results": [{**FIGURES.document(), "model": "--evil"}]}, {"results": [{**FIGURES.document(), "load_seconds": "x"}]}],
)  # fmt: skip
def test_a_damaged_file_counts_as_empty(tmp_path: Path, change: dict[str, Any]) -> None:
    history = History.of_state(tmp_path)
    history.put(FIGURES)
    (path,) = history.folder.glob("*.json")
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), **change}))
    assert history.newest() == []
    history.put(FIGURES)
    assert history.newest() == [FIGURES]


def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "benchmarks").symlink_to(tmp_path / "elsewhere")
    history = History.of_state(tmp_path / "state")
    assert history.newest() == []
    with pytest.raises(Exception, match="symbolic link"):
        history.put(FIGURES)


async def test_the_placement_learns_from_a_benchmark_and_the_next_process_knows_it(tmp_path: Path) -> None:
    host = Host("here", [paced(), Model.scripted("other", ["Yes."])], time_scale=SCALE)
    async with serve(host) as url:
        hosts = {"here": {"url": url, "time_scale": SCALE}}
        async with Fleet.open(hosts, state=tmp_path) as fleet:
            await fleet.census()
            fleet.speeds.measured(Speed("here", "tried", 1000.0, 50.0, 3.0))
            fleet.speeds.measured(Speed("here", "gone", 1.0, 1.0, 1.0))
        async with Fleet.open(hosts, state=tmp_path) as fleet:
            await fleet.census()
            (speed,) = fleet.speeds.known()
    assert speed == Speed("here", "tried:latest", pytest.approx(1000.0), pytest.approx(50.0), pytest.approx(3.0))


async def test_other_work_on_the_host_is_noted() -> None:
    bench = await measured(Host("here", [paced()], time_scale=SCALE), Plan((512,), 1, 1, 32, load=False, channel=None))
    before = [Loaded("busy", expires_at="2026-01-01T00:00:00Z"), Loaded("gone", expires_at="2999-01-01T00:00:00Z")]
    bench.compare(before, [Loaded("busy", expires_at="2026-01-01T00:05:00Z")])
    assert bench.figures.notes[-2:] == ("busy was at work meanwhile, so the figures are low", "gone has left the memory of the host")


async def test_a_request_that_fails_among_several_ends_all_of_them() -> None:
    host = Host("here", [paced()], time_scale=SCALE, parallel=4)
    host.faults.add(Fault("status", path="/api/chat", status=500, error="a fault", after=3))
    steps: list[Step] = []
    figures = (await measured(host, Plan((512,), 4, 1, 32, load=False, channel=None), steps=steps)).figures
    assert not steps[-1].ok
    assert not figures.whole
