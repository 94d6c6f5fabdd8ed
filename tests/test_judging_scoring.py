"""Score, confidence and verdict, from what judges and checks found."""

from __future__ import annotations

import pytest

from mmos.judging.rubric import RUBRIC, UNREADABLE, Opinion, Reading
from mmos.judging.scoring import Bar, Court, Judge, certain, improves
from mmos.quality.finding import Finding
from mmos.quality_events import AnswerJudged

BAR = Bar(0.8, 0.8)
SURE = Judge("one", 0.9, ("one is good",))
OTHER = Judge("two", 0.9)
SYNTAX = Finding("syntax", "error", "line 1", "It does not parse.")
STYLE = Finding("style", "note", "", "It could be shorter.")


def said(**opinions: Opinion) -> Reading:
    found = tuple(Finding(point.kind, point.severity, "", "No.") for point in RUBRIC if opinions.get(point.name) == "bad")
    return Reading({point.name: opinions.get(point.name, "good") for point in RUBRIC}, found)


def test_all_good_passes() -> None:
    made = Court((), [(SURE, said())]).judgement(BAR)
    assert (made.verdict, made.score, made.confidence, made.judges, made.reasons) == ("pass", 1.0, 0.9, ("one",), ("one is good",))


@pytest.mark.parametrize(("point", "score"), [("correct", 0.5), ("complete", 0.7), ("instructions", 0.7), ("safe", 0.5)])
def test_one_bad_point_fails(point: str, score: float) -> None:
    made = Court((), [(SURE, said(**{point: "bad"}))]).judgement(BAR)
    assert (made.verdict, made.score, len(made.findings)) == ("fail", score, 1)


def test_a_low_bar_lets_a_small_fault_pass() -> None:
    assert Court((), [(SURE, said(complete="bad"))]).judgement(Bar(0.6, 0.8)).verdict == "pass"


def test_an_open_point_cannot_pass_and_can_fail() -> None:
    assert Court((), [(SURE, said(safe="cannot_verify"))]).judgement(Bar(0.8, 0.0)).verdict == "cannot_verify"
    made = Court((), [(SURE, said(safe="cannot_verify", correct="bad"))]).judgement(BAR)
    assert (made.verdict, made.confidence) == ("fail", 0.9)
    assert made.reasons[-1].startswith("not decided: safe (")


def test_a_doubtful_verdict_is_none() -> None:
    weak = Judge("weak", 0.7)
    made = Court((), [(weak, said())]).judgement(BAR)
    assert (made.verdict, made.reasons[-1]) == ("cannot_verify", "the verdict would be pass, but the confidence of 0.70 is below 0.8")
    assert Court((), [(weak, said(correct="bad"))]).judgement(BAR).verdict == "cannot_verify"


def test_nobody_and_nothing_said_is_no_verdict() -> None:
    for heard in ([], [(SURE, UNREADABLE)], [(Judge("bad", 0.9, reliable=False), said())]):
        made = Court((), heard, ["no model can judge"]).judgement(Bar(0.0, 0.0))
        assert (made.verdict, made.confidence, made.judged) == ("cannot_verify", 0.0, False)
        assert made.reasons[-1] == "no model can judge"


def test_two_judges_that_agree_are_surer_and_two_that_do_not_say_nothing() -> None:
    agreed = Court((), [(SURE, said()), (OTHER, said())]).judgement(BAR)
    assert (agreed.verdict, round(agreed.confidence, 3)) == ("pass", 0.988)
    split = Court((), [(SURE, said()), (OTHER, said(correct="bad"))]).judgement(BAR)
    assert (split.verdict, split.findings) == ("cannot_verify", ())
    helped = Court((), [(SURE, said(safe="cannot_verify")), (OTHER, said())]).judgement(BAR)
    assert helped.verdict == "pass", "one that cannot tell leaves it to the other"


def test_checks_count_beside_judges() -> None:
    made = Court((STYLE, STYLE), [(SURE, said())]).judgement(BAR)
    assert (made.verdict, made.findings) == ("pass", (STYLE, STYLE))
    assert 0.9 < made.score < 1
    made = Court((Finding("secret", "error", "", "A key."),), [(SURE, said())]).judgement(BAR)
    assert (made.verdict, made.certain) == ("fail", 0)


def test_a_certain_fault_needs_no_judge() -> None:
    assert certain([STYLE, SYNTAX, Finding("syntax", "warning", "", "Perhaps.")]) == [SYNTAX]
    made = Court((SYNTAX,)).judgement(BAR)
    assert (made.verdict, made.confidence, made.judges, made.certain) == ("fail", 0.99, (), 1)


def judged(score: float, certain: int = 0, *, judged: bool = True) -> AnswerJudged:
    return AnswerJudged("s", score=score, certain=certain, judged=judged)


def test_what_is_better() -> None:
    assert improves(judged(0.9), judged(0.5))
    assert not improves(judged(0.5), judged(0.5))
    assert not improves(judged(0.9, judged=False), judged(0.5)), "nobody has said so"
    assert improves(judged(0.4, judged=False), judged(0.3, 1, judged=False)), "it parses now"
    assert not improves(judged(1.0, 1), judged(0.5))
