"""How ratings move the threshold of a class of tasks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mmos.events import Entry, Event, RunRated
from mmos.judging.thresholds import FARTHEST, Rated, adapted, rated
from mmos.quality_events import AnswerJudged, ImprovementTried

CODE = "code_generation"


def test_few_ratings_change_nothing() -> None:
    assert adapted(0.8, [Rated(0.7, True)] * 9, CODE) == (0.8, "")


def test_good_answers_below_lower_it_and_bad_ones_above_raise_it() -> None:
    lower = adapted(0.8, [Rated(0.7, True)] * 10, CODE)
    assert lower.value == 0.75
    assert lower.why == "threshold 0.75 for code_generation, by 10 ratings (0.8 is configured)"
    assert adapted(0.8, [Rated(0.85, False)] * 30, "").value == 0.845
    assert adapted(0.8, [Rated(0.85, False)] * 30, "").why.startswith("threshold 0.84 for tasks without a class")
    assert adapted(0.8, [Rated(0.9, True), Rated(0.5, False)] * 20, CODE) == (0.8, ""), "it agrees already"


@given(st.floats(0, 1), st.lists(st.builds(Rated, st.floats(0, 1), st.booleans()), max_size=40))
def test_it_stays_near(configured: float, ratings: list[Rated]) -> None:
    value = adapted(configured, ratings, CODE).value
    assert 0 <= value <= 1
    assert abs(value - configured) <= FARTHEST + 1e-9


def entries(run: str, *events: Event) -> list[Entry]:
    return [Entry(run, "t", 0.0, event) for event in events]


def test_what_was_rated() -> None:
    def judged(step: str, score: float, name: str = CODE, *, by: bool = True) -> AnswerJudged:
        return AnswerJudged(step, score=score, task_class=name, judged=by)

    journal = [
        *entries("one", judged("answer", 0.5), judged("revision-1", 0.9), ImprovementTried("revision-1", kept=True), RunRated(False)),
        *entries("two", judged("answer", 0.5), judged("revision-1", 0.4), ImprovementTried("revision-1"), RunRated(False), RunRated(True)),
        *entries("three", judged("answer", 0.5, "other"), RunRated(True)),
        *entries("four", judged("answer", 0.5)),
        *entries("five", judged("answer", 1.0, by=False), RunRated(True)),
        *entries("six", RunRated(True)),
    ]
    assert rated(journal, CODE) == [Rated(0.9, False), Rated(0.5, True)]
