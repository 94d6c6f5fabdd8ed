"""Replays: what more machines and more memory do to a workload, and that the same seed gives the same figures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from mmos.errors import UsageError
from mmos.rehearsal.personas import Architecture, Model, Speed
from mmos.simulation.figures import Figures, figures, percentile
from mmos.simulation.fleetfile import Machine, Machines
from mmos.simulation.leap import loop_for
from mmos.simulation.replay import Replay, ReplayResult
from mmos.simulation.trace import Call
from mmos.simulation.workload import Workload

SPEED = Speed(load_seconds=10, prefill=1000, decode=50)
SMALL = Architecture(layers=16, heads=16, kv_heads=2, head_size=64, embedding_length=1024)
ALPHA, BETA = (Model(name, size=8_000_000_000, speed=SPEED, architecture=SMALL) for name in ("alpha:8b", "beta:8b"))
MIXED = Workload(jobs=12, rate=0.2, consult=1, prompt=600, output=150, arbiter="alpha:8b", specialists=("beta:8b",))


def machine(name: str, vram_gb: float = 12, models: Sequence[Model] = (ALPHA, BETA)) -> Machine:
    return Machine(name, models, {"vram_gb": vram_gb})


def fleet(*machines: Machine) -> Machines:
    return Machines("pretended", machines)


def replayed(machines: Machines, calls: Sequence[Call], pace: float | None = None) -> ReplayResult:
    async def run() -> ReplayResult:
        return await Replay(machines, calls).run()

    with asyncio.Runner(loop_factory=lambda: loop_for(pace)) as runner:
        return runner.run(run())


def told(machines: Machines, calls: Sequence[Call]) -> Figures:
    return figures(replayed(machines, calls))


def one(name: str, **more: object) -> Call:
    call = Call(name, "alpha:8b", 500, 100, run="job", session="job", window=8192)
    return replace(call, **more)  # type: ignore[arg-type]


def test_a_call_takes_as_long_as_its_load_its_prompt_and_its_words() -> None:
    result = replayed(fleet(machine("one")), [one("a")])
    (call,) = result.calls
    assert call.usage.prompt_tokens == pytest.approx(500, rel=0.02)
    assert call.usage.output_tokens == 100
    assert call.usage.load_seconds == pytest.approx(10, abs=0.6)
    assert call.end == pytest.approx(call.usage.load_seconds + 0.5 + 2.0, abs=0.1)


def test_a_call_starts_when_its_causes_are_done_and_a_pause_has_passed() -> None:
    calls = [one("a"), one("b", model="alpha:8b", session="s"), one("c", after=("a", "b"), think=3.0, at=999.0)]
    served = {call.call.id: call for call in replayed(fleet(machine("one")), calls).calls}
    assert served["c"].start == pytest.approx(max(served["a"].end, served["b"].end) + 3.0, abs=0.05)


def test_jobs_come_when_the_trace_says() -> None:
    served = {call.call.id: call for call in replayed(fleet(machine("one")), [one("a"), one("b", at=60.0, run="later")]).calls}
    assert served["b"].start == pytest.approx(60.0, abs=0.01)
    assert served["b"].usage.load_seconds < 0.1, "still in memory"


def test_a_growing_prompt_of_one_session_is_not_read_again() -> None:
    calls = [one("a", prompt_tokens=2000), one("b", prompt_tokens=2600, after=("a",))]
    second = replayed(fleet(machine("one")), calls).calls[1]
    assert second.usage.prompt_tokens == pytest.approx(2600, rel=0.02)
    assert second.usage.prompt_seconds == pytest.approx(0.6, abs=0.15)


def test_the_same_workload_gives_the_same_figures() -> None:
    assert told(fleet(machine("one")), MIXED.calls(7)) == told(fleet(machine("one")), MIXED.calls(7))


def test_more_memory_takes_the_swaps_away() -> None:
    tight, roomy = (told(fleet(machine("one", vram_gb)), MIXED.calls(1)) for vram_gb in (12, 48))
    assert tight.swaps > 2
    assert roomy.swaps == 0
    assert roomy.loads == 2
    assert roomy.job_times.mean < tight.job_times.mean


def test_a_second_machine_does_not_make_it_slower() -> None:
    alone, helped = (told(fleet(*machines), MIXED.calls(2)) for machines in ([machine("a")], [machine("a"), machine("b")]))
    assert helped.makespan <= alone.makespan
    assert helped.job_times.mean < alone.job_times.mean
    assert all(host.calls for host in helped.hosts)


def test_the_time_of_a_host_is_busy_loading_or_idle() -> None:
    result = told(fleet(machine("one")), MIXED.calls(3))
    (host,) = result.hosts
    assert host.busy_seconds + host.loading_seconds + host.idle_seconds == pytest.approx(result.makespan, rel=0.01)
    assert host.loading_seconds == pytest.approx(10 * host.loads, rel=0.1)
    assert sum(model.loads for model in result.models) == host.loads
    assert (result.calls, result.failed, result.unfinished, result.job_times.jobs) == (36, 0, 0, 12)


def test_time_that_leaps_gives_what_time_that_passes_gives() -> None:
    calls = [one("a"), one("b", after=("a",), think=1.0), one("c", model="beta:8b", session="t", after=("a",))]
    leapt, passed = (figures(replayed(fleet(machine("one", 48)), calls, pace)) for pace in (None, 40.0))
    assert passed.makespan == pytest.approx(leapt.makespan, rel=0.15)


def test_a_model_that_no_host_has_is_told_before_anything_runs() -> None:
    with pytest.raises(UsageError, match="No host of pretended has gamma"):
        replayed(fleet(machine("one")), [one("a", model="gamma")])


def test_a_call_that_fails_is_counted_and_the_others_go_on() -> None:
    narrow = replace(ALPHA, context_length=1024)
    calls = [one("a", prompt_tokens=3000), one("b", after=("a",), run="other")]
    result = told(fleet(machine("one", models=[narrow])), calls)
    assert (result.failed, result.calls) == (1, 1)
    assert "window" in result.errors[0] or "context" in result.errors[0]
    assert result.job_times.jobs == 1, "a job with a failed call is none"


def test_a_percentile_is_a_value_that_was_there() -> None:
    assert [percentile([3.0, 1.0, 2.0, 4.0], part) for part in (0.0, 0.5, 0.95)] == [1.0, 2.0, 4.0]
    assert percentile([], 0.5) == 0.0
