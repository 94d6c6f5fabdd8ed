"""How a choice turned out, by the events of its run and of the next one."""

from __future__ import annotations

from pathlib import Path

from mmos.choice_events import TaskRouted
from mmos.event import Event
from mmos.events import Entry, Reason, RunFinished, RunRated, RunStarted, RunWithdrawn
from mmos.quality_events import AnswerJudged
from mmos.selection.evidence import Outcome
from mmos.selection.outcomes import FAULTS, Outcomes

TASK = "Fix the bug."
ROUTED = TaskRouted("bug_fixing", key="coding=coder:32b")
ANSWERED = RunFinished("answered", "Done.")
QUIET = Outcome("bug_fixing", "coding=coder:32b", 1.0, 0.3)


def found(*events: Event, run: str = "r", thread: str = "t") -> list[Outcome]:
    return [*Outcomes().of(entries(*events, run=run, thread=thread))]


def entries(*events: Event, run: str = "r", thread: str = "t") -> list[Entry]:
    return [Entry(run, thread, 0.0, event) for event in (RunStarted(TASK, "p"), ROUTED, *events)]


def bad(weight: float) -> Outcome:
    return Outcome("bug_fixing", "coding=coder:32b", 0.0, weight)


def test_an_answer_that_nobody_complains_about_is_a_little_good() -> None:
    assert found(ANSWERED) == [QUIET]


def test_a_rating_says_more_and_the_newest_counts() -> None:
    assert found(ANSWERED, RunRated(True)) == [QUIET, QUIET._replace(weight=1.0)]
    assert found(ANSWERED, RunRated(True), RunRated(True), RunRated(False)) == [QUIET, QUIET._replace(weight=1.0), bad(2.0)]


def test_a_failure_of_the_model_is_bad_and_one_of_a_host_is_nothing() -> None:
    assert found(RunFinished("failed", None, Reason("no_answer", "It gave none."))) == [bad(1.0)]
    assert found(RunFinished("partial", "So far", Reason("limit_turns", "Too many."))) == [bad(1.0)]
    assert found(RunFinished("failed", None, Reason("host_unreachable", "It is down."))) == []
    assert found(RunFinished("cancelled")) == []
    assert found(RunFinished("waiting")) == []


def test_the_reasons_that_say_something_of_a_model_are_reasons() -> None:
    page = (Path(__file__).parent.parent / "docs" / "concepts.md").read_text(encoding="utf-8")
    assert [reason for reason in FAULTS if f"| `{reason}` |" not in page] == []


def test_a_verdict_counts_once_and_only_when_it_says_something() -> None:
    judged = AnswerJudged("answer", verdict="fail")
    assert found(judged, judged, ANSWERED) == [bad(0.7), QUIET]
    assert found(AnswerJudged("answer", verdict="cannot_verify"), ANSWERED) == [QUIET]
    assert found(AnswerJudged("revision-1", verdict="pass"), ANSWERED) == [QUIET], "another step wrote that answer"


def test_a_task_that_is_asked_again_was_not_answered_well() -> None:
    outcomes = Outcomes()
    first = [*outcomes.of(entries(ANSWERED))]
    again = [*outcomes.of([Entry("s", "t", 1.0, RunStarted("  fix THE bug. ", "p"))])]
    assert (first, again) == ([QUIET], [bad(0.7)])
    assert [*outcomes.of([Entry("r", "t", 2.0, RunWithdrawn())])] == [], "it counts once"
    assert [*outcomes.of([Entry("u", "other", 3.0, RunStarted(TASK, "p"))])] == [], "in another conversation it is another task"


def test_a_withdrawn_task_was_not_answered_well() -> None:
    assert found(ANSWERED, RunWithdrawn(), RunWithdrawn()) == [QUIET, bad(0.7)]


def test_a_run_without_a_sure_class_teaches_nothing() -> None:
    events = [RunStarted(TASK, "p"), TaskRouted(None, key="coding=coder:32b"), ANSWERED, RunRated(False)]
    assert [*Outcomes().of(Entry("r", "t", 0.0, event) for event in events)] == []
    assert [*Outcomes().of([Entry("r", "t", 0.0, ANSWERED)])] == [], "nor does one whose beginning was deleted"


def test_scripted_models_teach_nothing_about_real_ones() -> None:
    events = [RunStarted(TASK, "p", rehearsed=True), ROUTED, ANSWERED]
    played = [Entry("r", "t", 0.0, event) for event in events]
    assert [*Outcomes().of(played)] == []
    assert [*Outcomes(rehearsed=True).of(played)] == [QUIET]
