"""Workloads that are made up, and traces as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmos.errors import ConfigError, UsageError
from mmos.simulation.trace import Call, joined, read_trace
from mmos.simulation.workload import Workload


def test_words_make_a_workload() -> None:
    made = Workload.parse("jobs=50 rate=12/min consult=3 prompt=900 output=200 think=0.5 window=4096 arbiter=a specialists=b,c")
    assert made == Workload(50, 0.2, 3, 900, 200, 0.5, 4096, "a", ("b", "c"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("job=3", "'job' is not a key here; did you mean 'jobs'"),
        ("jobs=many", 'jobs: found "many" (a string), allowed: a whole number'),
        ("rate=0/s", "allowed: jobs a second"),
        ("rate=1/fortnight", "allowed: jobs a second"),
        ("jobs", "jobs needs a value"),
    ],
)
def test_words_that_make_none_are_told(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Workload.parse(text)
    assert said in str(caught.value)


def test_a_job_is_planned_worked_on_at_once_and_answered() -> None:
    calls = Workload(jobs=1, consult=2, arbiter="a", specialists=("b", "c")).calls(0)
    assert [call.role for call in calls] == ["plan", "expert", "expert", "answer"]
    assert {call.model for call in calls[1:3]} == {"b", "c"}
    assert [call.after for call in calls] == [(), ("job1/plan",), ("job1/plan",), ("job1/expert1", "job1/expert2")]
    assert calls[0].session == calls[3].session
    assert calls[3].prompt_tokens > calls[0].prompt_tokens


def test_a_seed_makes_one_workload_and_sizes_keep_their_mean() -> None:
    workload = Workload(jobs=400, rate=2.0, consult=0, prompt=1000, output=200, arbiter="a")
    assert workload.calls(1) == workload.calls(1)
    assert workload.calls(1) != workload.calls(2)
    calls = workload.calls(1)
    assert sum(call.prompt_tokens for call in calls) / 400 == pytest.approx(1000, rel=0.1)
    assert calls[-1].at == pytest.approx(200, rel=0.25)


def test_a_trace_is_read_as_it_was_written(tmp_path: Path) -> None:
    calls = [Call("a", "m", 10, 5, 0.0, "r", "s", "arbiter"), Call("b", "m", 20, 5, 1.5, "r", "s", "arbiter", ("a",), 0.25, 4096)]
    path = tmp_path / "trace.jsonl"
    path.write_text("".join(call.to_json_line() for call in calls))
    assert read_trace(path) == calls


def test_all_that_is_wrong_in_a_trace_is_told(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    lines = [
        '{"id": "a", "model": "m", "prompt_tokens": 3, "output_tokens": 2, "strange": 1}',
        "{nonsense",
        '{"id": "b", "prompt_tokens": -3, "output_tokens": 2, "at": "noon", "after": "a"}',
        '{"id": "a", "model": "m", "prompt_tokens": 3, "output_tokens": 2, "after": ["z"]}',
        "[]",
    ]
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigError) as caught:
        read_trace(path)
    told = [str(problem).removeprefix(f"{path}:") for problem in caught.value.problems]
    assert [line.partition(": ")[0] for line in told] == ["2", "3", "3", "3", "3", "4", "5", "4"]
    assert "'model' is missing" in told[1]
    assert "found -3 (a whole number)" in told[2]
    assert "'a' stands twice" in told[5]
    assert "'z' is not a call of this trace" in told[7]


def test_calls_that_wait_for_each_other_are_told(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    calls = [Call("a", "m", 1, 1, after=("b",)), Call("b", "m", 1, 1, after=("a",))]
    path.write_text("".join(call.to_json_line() for call in calls))
    with pytest.raises(ConfigError, match="calls wait for each other"):
        read_trace(path)


def test_traces_that_run_together_share_nothing() -> None:
    one = [Call("a", "m", 1, 1, run="r", session="s"), Call("b", "m", 1, 1, run="r", session="s", after=("a",))]
    both = joined([one, one])
    assert len({call.id for call in both}) == 4
    assert both[3].after == ("2/a",)
    assert {call.run for call in both} == {"1/r", "2/r"}
