"""From the facts of runs to a trace: what waited for what, whose seconds are told, and what is left out."""

from __future__ import annotations

import pytest

from mmos.events import ConfigKept, Entry, Event, LaneOpened, ModelAsked, ModelFailed, ModelReplied, RunStarted
from mmos.messages import Message, Usage
from mmos.simulation.recording import record
from mmos.simulation.trace import Call

FAST = "orchestration: {servers: {here: {url: 'http://x', time_scale: 10}}}"


def asked(ask: str, lane: str) -> ModelAsked:
    return ModelAsked(ask, lane, lane, f"{lane}:1b", 4096)


def replied(ask: str, lane: str) -> ModelReplied:
    return ModelReplied(ask, lane, lane, f"{lane}:1b", "here", Message("assistant", "secret"), Usage(100, 20))


def opened(lane: str, parent: str = "") -> LaneOpened:
    return LaneOpened(lane, lane, Message("user", "secret"), parent)


def run(name: str, start: float, facts: list[tuple[float, Event]], config: str = "") -> list[Entry]:
    began = [Entry(name, "t", start, RunStarted("task", "p")), Entry(name, "t", start, ConfigKept(config))]
    return [*began, *(Entry(name, "t", start + after, fact) for after, fact in facts)]


CONSULTING: list[tuple[float, Event]] = [
    (0.0, opened("arbiter")),
    (1.0, asked("a1", "arbiter")),
    (3.0, replied("a1", "arbiter")),
    (3.0, opened("coding", "arbiter")),
    (3.0, opened("reasoning", "arbiter")),
    (3.5, asked("a2", "coding")),
    (3.5, asked("a3", "reasoning")),
    (4.0, replied("a2", "coding")),
    (4.0, opened("inner", "coding")),
    (4.5, asked("a4", "inner")),
    (5.0, replied("a4", "inner")),
    (6.0, replied("a3", "reasoning")),
    (8.0, asked("a5", "arbiter")),
    (9.0, replied("a5", "arbiter")),
]


def by_ask(calls: list[Call]) -> dict[str, Call]:
    return {call.id.partition("/")[2]: call for call in calls}


def test_a_call_waits_for_the_last_of_all_that_was_opened_since() -> None:
    calls = by_ask(record([run("r", 100.0, CONSULTING)]))
    after = {ask: [name.partition("/")[2] for name in call.after] for ask, call in calls.items()}
    assert after == {"a1": [], "a2": ["a1"], "a3": ["a1"], "a4": ["a2"], "a5": ["a4", "a3"]}
    assert [calls[ask].think for ask in ("a2", "a4", "a5")] == [0.5, 0.5, 2.0]
    assert [calls[ask].at for ask in ("a1", "a2", "a5")] == [1.0, 3.5, 8.0]
    assert (calls["a1"].prompt_tokens, calls["a1"].output_tokens, calls["a1"].window, calls["a1"].session) == (100, 20, 4096, "t/arbiter")
    assert "secret" not in "".join(call.to_json_line() for call in calls.values())


def test_hosts_that_run_faster_are_told_in_their_seconds_and_pauses_in_ours() -> None:
    calls = by_ask(record([run("r", 100.0, CONSULTING, FAST)]))
    assert (calls["a1"].at, calls["a1"].seconds) == (10.0, 20.0)
    assert calls["a2"].think == 0.5


def test_the_next_run_of_a_conversation_waits_for_the_one_before() -> None:
    second = run("s", 120.0, [(0.0, opened("arbiter")), (1.0, asked("a1", "arbiter")), (2.0, replied("a1", "arbiter"))])
    calls = record([second, run("r", 100.0, CONSULTING)])
    assert [call.run for call in calls] == ["r"] * 5 + ["s"]
    assert calls[-1].after == ("r/a5",)
    assert calls[-1].think == pytest.approx(12.0)


def test_a_call_that_was_never_answered_is_left_out_and_nobody_waits_for_it() -> None:
    facts: list[tuple[float, Event]] = [
        (0.0, opened("arbiter")),
        (0.0, asked("a1", "arbiter")),
        (1.0, ModelFailed("a1", "arbiter", "arbiter", "arbiter:1b", "here", "host_timeout", "late")),
        (2.0, asked("a2", "arbiter")),
        (3.0, replied("a2", "arbiter")),
    ]
    (only,) = record([run("r", 0.0, facts)])
    assert (only.id, only.after) == ("r/a2", ())


def test_no_runs_make_no_trace() -> None:
    assert record([]) == []
    assert record([[]]) == []
