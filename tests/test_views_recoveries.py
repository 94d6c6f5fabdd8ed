"""The view of recoveries, and lanes that go back: from events alone, whatever the journal of a stranger holds."""

from __future__ import annotations

from mmos.events import CallFinished, Entry, Event, LaneOpened, ModelReplied
from mmos.messages import Message, ToolCall
from mmos.recovery_events import AnswerRestated, RecoveryBegun, RecoveryJudged, RecoverySuggested, ResultsShortened, RolledBack
from mmos.views.conversation import Conversation, Lane
from mmos.views.recoveries import RETRY, Recoveries, is_advice

OPENED = LaneOpened("a", "a", Message("user", "Go."))


def replied(text: str, *calls: str) -> ModelReplied:
    made = tuple(ToolCall(call, "look", {}) for call in calls)
    return ModelReplied("a1", "a", "a", "m", "here", Message("assistant", text, made))


def finished(call: str, text: str) -> CallFinished:
    return CallFinished(call, "a", "a", "look", True, Message("tool", text, tool_name="look", call_id=call))


def lane(*events: Event) -> Lane:
    return Conversation(Entry("r", "t", 0.0, event) for event in (OPENED, *events)).lanes["r", "a"]


def texts(of: Lane) -> list[str]:
    return [message.content for message in of.messages]


LOOKED = (replied("", "c1"), finished("c1", "seen"), replied("", "c2"), finished("c2", "seen again"), replied("bad"))


def test_a_lane_goes_back_to_a_turn_and_forward_again() -> None:
    assert texts(lane(*LOOKED)) == ["Go.", "", "seen", "", "seen again", "bad"]
    back = RolledBack("a", "a", 2, "why", "recovery-1", "Look elsewhere.")
    assert texts(lane(*LOOKED, back)) == ["Go.", "", "seen", "Look elsewhere."]
    assert (lane(*LOOKED, back).turns, sorted(lane(*LOOKED, back).marks)) == (3, [1])
    again = lane(*LOOKED, back, replied("worse"), RolledBack("a", "a", 4, "", "recovery-1", undone=True))
    assert texts(again) == texts(lane(*LOOKED))
    assert again.turns == 4  # a turn that was taken counts, whatever came of it


def test_only_what_went_wrong_is_lost_at_the_safe_turn() -> None:
    assert lane(*LOOKED).safe_turn == 3
    assert lane().safe_turn == 1
    assert lane(*LOOKED, RolledBack("a", "a", 1, "", "recovery-1")).safe_turn == 4


def test_calls_that_end_after_the_lane_went_back_are_in_no_prompt() -> None:
    back = lane(replied("", "c1", "c2"), finished("c1", "one"), RolledBack("a", "a", 1, "", "recovery-1"), finished("c2", "two"))
    assert (texts(back), back.pending) == (["Go."], ())


def test_a_turn_that_never_was_changes_nothing() -> None:
    for turn in (0, 9):
        assert texts(lane(*LOOKED, RolledBack("a", "a", turn, "", "recovery-1"))) == texts(lane(*LOOKED))
    assert texts(lane(*LOOKED, RolledBack("a", "a", 1, "", "recovery-7", undone=True))) == texts(lane(*LOOKED))
    assert Conversation([Entry("r", "t", 0.0, RolledBack("b", "b", 1))]).lanes == {}


def test_results_become_short_and_answers_get_another_form() -> None:
    short = ResultsShortened("a", "a", {"c1": "brief", "c9": "of nobody"}, "recovery-1")
    assert texts(lane(*LOOKED[:2], short)) == ["Go.", "", "brief"]
    assert texts(lane(replied("four"), AnswerRestated("a", Message("assistant", "4"), "a"))) == ["Go.", "four", "4"]


def test_what_a_retry_changes_holds_until_it_is_known_not_to_help() -> None:
    view = Recoveries()
    view.apply(RecoverySuggested("recovery-1", "a", "a", RETRY, {"model": "m"}))  # its beginning is missing
    view.apply(RecoveryJudged("recovery-1", "a", True))
    assert (list(view), view.next_id) == ([], "recovery-1")
    view.apply(RecoveryBegun("recovery-1", "a", "a", "c1", "look", "tool"))
    view.apply(RecoverySuggested("recovery-1", "a", "a", RETRY, {"model": "m"}, digest="d"))
    assert (view.changes_of_call("c1"), view.changes_of_exchange("a"), view.refused("d")) == ({"model": "m"}, {}, False)
    view.apply(RecoveryJudged("recovery-1", "a", False, "no"))
    assert (view.changes_of_call("c1"), view.refused("d"), view.next_id) == ({}, True, "recovery-2")
    assert [one["helped"] for one in view.documents()] == [False]


def test_the_lane_of_an_adviser_is_known_by_its_address() -> None:
    assert is_advice("arbiter/recovery-1/advice")
    assert is_advice("arbiter/call_1/coding/recovery-12/restated")
    assert not is_advice("arbiter/call_1/coding")
    assert not is_advice("arbiter/call_1/recovery-coach")  # a participant of a tool
