"""The conversation of a thread: folded from entries, and a prompt that only grows at its tail."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.events import CallFinished, Entry, Event, LaneClosed, LaneOpened, ModelReplied, Prompted, RunResumed, Status
from mmos.messages import Message, ToolCall
from mmos.views.conversation import Conversation, Lane
from tests.plausible import histories

ASK = Message("user", "How?")


def folded(*events: Event, run: str = "r") -> Conversation:
    return Conversation(Entry(run, "t", 0.0, event) for event in events)


def opened(lane: str = "r", role: str = "arbiter", message: Message = ASK) -> LaneOpened:
    return LaneOpened(lane, role, message)


def replied(text: str = "", *calls: str, lane: str = "r", role: str = "arbiter") -> ModelReplied:
    message = Message("assistant", text, tuple(ToolCall(call, "look", {}) for call in calls))
    return ModelReplied("a1", lane, role, "m", "h", message)


def finished(call: str, lane: str = "r") -> CallFinished:
    return CallFinished(call, lane, "arbiter", "look", True, Message("tool", f"of {call}", call_id=call))


def closed(status: Status, text: str = "", lane: str = "r", role: str = "arbiter") -> LaneClosed:
    return LaneClosed(lane, role, status, text, "" if status == "answered" else "[Cut.]")


def texts(messages: list[Message]) -> list[str]:
    return [message.content for message in messages]


def state(conversation: Conversation) -> Any:
    lanes = {
        name: (lane.role, lane.past, lane.messages, lane.open, lane.results, lane.status, lane.turns, lane.setbacks, lane.parent)
        for name, lane in conversation.lanes.items()
    }
    return lanes, {name: (history.messages, history.starts) for name, history in conversation.histories.items()}, conversation.newest


def prompt(lane: Lane) -> list[Message]:
    return [*lane.before(), *lane.messages]


# ---------------------------------------------------------------- laws


@given(histories, st.integers(0, 200))
def test_folded_in_halves_equals_folded_whole(entries: list[Entry], cut: int) -> None:
    halves = Conversation(entries[:cut])
    for entry in entries[cut:]:
        halves.apply(entry)
    assert state(halves) == state(Conversation(entries))


@given(histories)
def test_what_a_lane_sees_only_grows_at_its_tail(entries: list[Entry]) -> None:
    conversation = Conversation()
    seen: dict[tuple[str, str], list[Message]] = {}
    for entry in entries:
        conversation.apply(entry)
        for name, lane in conversation.lanes.items():
            now, before = prompt(lane), seen.get(name, [])
            assert now[: len(before)] == before
            seen[name] = now


@given(histories)
def test_results_stand_whole_and_in_the_order_of_their_calls(entries: list[Entry]) -> None:
    for lane in Conversation(entries).lanes.values():
        for place, message in enumerate(lane.messages):
            if message.calls and not (message is lane.messages[-1] and lane.open):
                after = lane.messages[place + 1 : place + 1 + len(message.calls)]
                assert [result.call_id for result in after] == [call.id for call in message.calls]


@given(histories)
def test_a_history_shows_no_call_without_a_result(entries: list[Entry]) -> None:
    for history in Conversation(entries).histories.values():
        for place, message in enumerate(history.messages):
            after = history.messages[place + 1 : place + 1 + len(message.calls)]
            assert [result.call_id for result in after] == [call.id for call in message.calls]


@given(histories)
def test_lanes_hold_what_was_said_in_them_and_nothing_else(entries: list[Entry]) -> None:
    said: dict[tuple[str, str], list[Message]] = {}
    for entry in entries:
        if isinstance(entry.event, LaneOpened | Prompted | ModelReplied):
            said.setdefault((entry.run, entry.event.lane), []).append(entry.event.message)
    lanes = Conversation(entries).lanes
    assert {name: [message for message in lane.messages if message.role != "tool"] for name, lane in lanes.items()} == said


# ---------------------------------------------------------------- cases


def test_results_wait_until_all_are_there() -> None:
    events = (opened(), replied("", "c1", "c2"), finished("c2"))
    lane = folded(*events).lanes["r", "r"]
    assert [call.id for call in lane.pending] == ["c1"]
    assert len(lane.messages) == 2
    assert texts(folded(*events, finished("c1")).lanes["r", "r"].messages[2:]) == ["of c1", "of c2"]


def test_a_result_that_nobody_waits_for_is_left_out() -> None:
    lane = folded(opened(), replied("", "c1"), finished("c9"), finished("c1"), finished("c1")).lanes["r", "r"]
    assert texts(lane.messages) == ["How?", "", "of c1"]


def test_setbacks_count_until_something_comes_of_a_turn() -> None:
    prompted = Prompted("r", "arbiter", Message("user", "Not so."))
    assert folded(opened(), replied(), prompted, replied(), prompted).lanes["r", "r"].setbacks == 2
    assert folded(opened(), replied(), prompted, replied("", "c1"), finished("c1")).lanes["r", "r"].setbacks == 0


@pytest.mark.parametrize("status", ["partial", "failed", "cancelled"])
def test_a_cut_answer_says_that_it_was_cut(status: Status) -> None:
    conversation = folded(opened(), closed(status, "Half an ans"))
    assert texts(conversation.histories["thread", "arbiter"].messages) == ["How?", "Half an ans\n[Cut.]"]


def test_an_exchange_without_a_word_is_marked_too() -> None:
    conversation = folded(opened(), replied("", "c1", "c2"), finished("c1"), closed("cancelled"))
    assert texts(conversation.histories["thread", "arbiter"].messages) == ["How?", "[Cut.]"]


def test_an_answered_exchange_is_remembered_as_it_was() -> None:
    conversation = folded(opened(), replied("", "c1"), finished("c1"), replied("So."), closed("answered"), opened("r2"))
    assert texts(conversation.lanes["r", "r2"].before()) == ["How?", "", "of c1", "So."]
    assert conversation.lanes["r", "r2"].before(1) == []


def test_side_by_side_lanes_of_a_role_do_not_see_each_other() -> None:
    conversation = folded(
        opened("r/1", "coding"), opened("r/2", "coding"), replied("A", lane="r/1"), closed("answered", lane="r/1"), replied("B", lane="r/2")
    )
    assert texts(prompt(conversation.lanes["r", "r/2"])) == ["How?", "B"]


def test_a_resumed_run_takes_its_cut_end_back() -> None:
    events = (opened(), replied("", "c1"), closed("failed", ""), RunResumed("p"))
    lane = folded(*events).lanes["r", "r"]
    assert (lane.status, [call.id for call in lane.pending], lane.history.messages) == (None, ["c1"], [])
    whole = folded(*events, finished("c1"), replied("So."), closed("answered")).histories["thread", "arbiter"]
    assert texts(whole.messages) == ["How?", "", "of c1", "So."]


def test_an_end_that_somebody_remembers_is_not_taken_back() -> None:
    first = [Entry("r", "t", 0.0, event) for event in (opened(), closed("failed", "Half"))]
    second = [Entry("r2", "t", 0.0, opened("r2"))]
    resumed = [Entry("r", "t", 0.0, event) for event in (RunResumed("p"), replied("Whole."), closed("answered"))]
    conversation = Conversation([*first, *second])
    before = texts(prompt(conversation.lanes["r2", "r2"]))
    for entry in resumed:
        conversation.apply(entry)
    assert texts(prompt(conversation.lanes["r2", "r2"])) == before


def test_the_newest_words_of_a_model_are_what_was_said() -> None:
    lane = folded(opened(), replied("First.", "c1"), finished("c1"), replied("", "c2")).lanes["r", "r"]
    assert lane.newest_text() == "First."
    assert folded(opened()).lanes["r", "r"].newest_text() == ""


def test_the_path_leads_up_to_the_runs_own_lane() -> None:
    conversation = folded(opened(), LaneOpened("r/1", "coding", ASK, "r", "c1"), LaneOpened("r/2", "analysis", ASK, "r/1", "c2"))
    assert conversation.path("r", "r/2") == ["r/2", "r/1", "r"]


def test_it_knows_the_ends_that_it_folded_and_no_others() -> None:
    conversation = Conversation([Entry("r", "t", 0.0, opened(), 1)])
    own, foreign = Entry("r", "t", 0.0, closed("answered"), 0), Entry("x", "t", 0.0, closed("answered", lane="x"), 3)
    conversation.apply(own)
    object.__setattr__(own, "seq", 2)  # as the journal does when it commits
    assert conversation.knows([own])
    assert conversation.knows([])
    assert not conversation.knows([foreign])
    assert conversation.newest == 3
