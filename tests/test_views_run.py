"""What one run did and what it cost, folded from its entries."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mmos import events
from mmos.events import (
    CallFinished,
    CallStarted,
    Entry,
    Event,
    LaneOpened,
    LoopNoticed,
    ModelAsked,
    ModelFailed,
    ModelReplied,
    QuestionAnswered,
    QuestionAsked,
    Reason,
    RunFinished,
    RunResumed,
    RunStarted,
)
from mmos.messages import Message, ToolCall, Usage
from mmos.views.run import REFERENCE, RunView
from mmos.views.uses import call_key
from tests.plausible import histories


def viewed(*facts: Event) -> RunView:
    return RunView.of(Entry("r", "t", 100.0 + second, fact) for second, fact in enumerate(facts))


def replied(
    lane: str = "r", role: str = "arbiter", *, host: str = "h", model: str = "m", usage: Usage = Usage(), calls: str = ""
) -> ModelReplied:
    message = Message("assistant", "", tuple(ToolCall(call, "look", {}) for call in calls.split()))
    return ModelReplied("a", lane, role, model, host, message, usage)


def asked(lane: str = "r", role: str = "arbiter") -> ModelAsked:
    return ModelAsked("a", lane, role, "m")


def started(call: str, lane: str = "r", role: str = "arbiter") -> CallStarted:
    return CallStarted(call, lane, role, "look", {"at": 1})


def finished(call: str, *, ok: bool = True) -> CallFinished:
    return CallFinished(call, "r", "arbiter", "look", ok, Message("tool", "seen"))


BEGUN = (RunStarted("How?", "p1"), LaneOpened("r", "arbiter", Message("user", "How?")))


@given(histories, st.integers(0, 200))
def test_folded_in_halves_equals_folded_whole(entries: list[Entry], cut: int) -> None:
    halves = RunView.of(entries[:cut])
    for entry in entries[cut:]:
        halves.apply(entry)
    assert halves == RunView.of(entries)


def test_turns_are_the_arbiters_and_calls_are_everybodys() -> None:
    view = viewed(*BEGUN, asked(), replied(), asked("r/1", "coding"), replied("r/1", "coding"), asked())
    assert (view.turns, view.requests) == (2, 3)


def test_tokens_and_seconds_add_up_by_role_model_and_host() -> None:
    usage = Usage(10, 5, load_seconds=1.0, prompt_seconds=0.25, output_seconds=0.5, total_seconds=2.0)
    view = viewed(*BEGUN, replied(usage=usage), replied(usage=usage), replied("r/1", "coding", host="g", usage=usage))
    assert view.tokens == 45
    assert [(use.role, use.host, use.calls, use.output_tokens) for use in view.roles.values()] == [
        ("arbiter", "h", 2, 10),
        ("coding", "g", 1, 5),
    ]
    use = view.roles["arbiter", "m", "h"]
    assert (use.busy_seconds, use.queue_seconds, use.load_seconds) == (1.5, 0.5, 2.0)


def test_a_swap_is_a_load_that_pushed_a_model_out() -> None:
    cold = Usage(load_seconds=2.0)
    swap = replace(replied(usage=cold), placement={"host": "h", "swap": True})
    view = viewed(replied(usage=cold), swap, replied(usage=Usage(load_seconds=0.02)))
    assert (view.loads, view.swaps) == (2, 1)


def test_a_call_that_is_taken_up_again_counts_once() -> None:
    view = viewed(*BEGUN, started("c1"), RunResumed("p2"), started("c1"), finished("c1", ok=False))
    assert (view.calls, view.tools["look"].calls, view.tools["look"].failed) == (1, 1, 1)
    assert view.repeats[call_key("arbiter", "look", {"at": 1})] == ["r"]


def test_one_spelling_for_the_same_call_whatever_the_order_of_its_keys() -> None:
    assert call_key("a", "t", {"x": 1, "y": {"b": 2, "a": [1]}}) == call_key("a", "t", {"y": {"a": [1], "b": 2}, "x": 1})
    assert len({call_key("a", "t", {}), call_key("b", "t", {}), call_key("a", "u", {}), call_key("a", "t", {"x": None})}) == 4


def test_what_broke_off_is_kept_until_something_whole_comes() -> None:
    broken = ModelFailed("a", "r", "arbiter", "m", "h", "stream_cut", "it broke", "Half an")
    silent = ModelFailed("a", "r", "arbiter", "m", "h", "host_unreachable", "nobody there")
    assert viewed(*BEGUN, broken, silent).partial_texts == {"r": "Half an"}
    assert viewed(*BEGUN, broken, replied()).partial_texts == {}


def test_ids_of_calls_are_known_from_the_moment_they_are_wished_for() -> None:
    assert viewed(*BEGUN, replied(calls="c1 c2")).call_ids == {"c1", "c2"}


# ---------------------------------------------------------------- loops


def noticed(measure: str) -> LoopNoticed:
    return LoopNoticed("r", "arbiter", "look", 3, measure)  # type: ignore[arg-type]


def test_a_tool_is_withheld_for_one_turn_however_often_that_turn_is_tried() -> None:
    before = (*BEGUN, asked(), replied(), noticed("withhold"))
    assert viewed(*before).withheld_tools == {"r": {"look"}}
    again = viewed(*before, asked(), asked())
    assert (again.withheld_tools, again.hidden_tools) == ({"r": {"look"}}, {"r": set()})
    after = viewed(*before, asked(), asked(), replied())
    assert (after.withheld_tools, after.hidden_tools) == ({}, {"r": {"look"}})
    assert viewed(*before, asked(), replied(), asked(), replied()).hidden_tools == {"r": set()}


def test_a_nudge_and_a_question_withhold_nothing() -> None:
    assert viewed(*BEGUN, noticed("nudge"), noticed("ask")).withheld_tools == {}


# ---------------------------------------------------------------- questions and stops

QUESTION = QuestionAsked("q1", "r", "arbiter", "c1", "Red?")


def test_the_open_question_is_the_newest_that_nobody_answered() -> None:
    second = QuestionAsked("q2", "r", "arbiter", "c2", "Blue?")
    assert viewed(QUESTION, second).open_question == second
    assert viewed(QUESTION, second, QuestionAnswered("q2", "yes")).open_question == QUESTION
    assert viewed(QUESTION, QuestionAnswered("q1", "yes")).open_question is None


def test_a_call_that_waited_for_an_answer_was_not_cut_off() -> None:
    waiting = (*BEGUN, started("c1"), QUESTION, RunFinished("waiting", None, Reason("question_open", "Red?")))
    assert viewed(*waiting, QuestionAnswered("q1", "yes"), RunResumed("p2")).interruptions == {}
    crashed = viewed(*waiting, QuestionAnswered("q1", "yes"), RunResumed("p2"), RunResumed("p3"))
    assert crashed.interruptions == {"c1": 1}


def test_a_crash_a_cancellation_and_a_timeout_cut_calls_off_each_time() -> None:
    for end in ((), (RunFinished("cancelled", None, Reason("cancelled", "")),), (RunFinished("partial", None, Reason("timeout", "")),)):
        view = viewed(*BEGUN, started("c1"), started("c2"), finished("c2"), *end, RunResumed("p2"), RunResumed("p3"))
        assert view.interruptions == {"c1": 2}


def test_a_resumed_run_has_no_end_yet() -> None:
    view = viewed(*BEGUN, RunFinished("failed", "half", Reason("no_host", "")), RunResumed("p2"))
    assert (view.status, view.answer, view.reason, view.process) == (None, None, None, "p2")


def test_facts_of_a_newer_mmos_change_nothing_but_the_time() -> None:
    view = viewed(*BEGUN, events.Unknown("dreamt", {"of": "sheep"}))
    assert (view.ended, view.status) == (102.0, None)


def test_a_reference_to_an_artifact_ends_where_its_number_ends() -> None:
    assert REFERENCE.findall("see artifact:ab12cd-10. and artifact:ab12cd-1, not artifact:x") == ["ab12cd-10", "ab12cd-1"]
