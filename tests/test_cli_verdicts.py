"""What users read of a validation, while it runs and afterwards."""

from __future__ import annotations

from mmos.cli.activity import Activity
from mmos.cli.trace import note, progress
from mmos.cli.verdicts import brief, lines, record
from mmos.events import LaneOpened, ModelAsked
from mmos.messages import Message
from mmos.quality_events import AnswerJudged, AnswerRevised, ImprovementTried, JudgeTried
from mmos.scope import Hint
from mmos.views.quality import Validation

FINDING = {"kind": "incorrect", "severity": "error", "where": "line 3", "message": "No.", "cure": "Yes."}
FAILED = AnswerJudged("answer", "arbiter", "arbiter", "m", "fail", 0.5, 0.9, 0.8, "", ("critic",), (FINDING,), ("why",), judged=True)
JUDGE = "arbiter/validation-1/judge-answer-critic"


def test_progress() -> None:
    assert progress(ModelAsked("a2", JUDGE, "judge", "critic")) == "checking the answer with critic"
    assert progress(ModelAsked("a2", "arbiter/validation-1/canary-sum-critic", "judge", "critic")) == "testing critic as a judge"
    assert progress(ModelAsked("a2", "arbiter/validation-1/compare-x-1-critic", "judge", "critic")) == "comparing two answers with critic"
    assert progress(ModelAsked("a2", "arbiter/validation-1/revision-1", "arbiter", "m")) == ""
    opened = LaneOpened("arbiter/validation-1/revision-1", "arbiter", Message("user", "x"), "arbiter", "validation-1", 1, "revision-1")
    assert progress(opened) == "asking arbiter for a better answer"
    inside = LaneOpened("arbiter/validation-1/revision-1/m1-1", "coding", Message("user", "x"), "arbiter", "m1-1", 1)
    assert "better answer" not in progress(inside), "it is asked as in any other answer"
    assert progress(FAILED) == "the answer did not pass its check (critic) · score 0.50, needed 0.80 · confidence 0.90"
    assert progress(ImprovementTried("revision-1", kept=True, why="so")) == "  ✓ revision-1 is better: so"
    assert progress(ImprovementTried("revision-1", why="so")) == "  ✗ revision-1 is not kept: so"
    revised = AnswerRevised("arbiter", Message("assistant", "x"), "arbiter", "revision-1")
    assert note(revised) == "the first answer did not pass its validation; revision-1 takes its place"


def test_the_record() -> None:
    assert record(JudgeTried("critic", canary="sum", right=False)) == "critic was wrong about the known answer sum"
    assert record(FAILED).endswith("confidence 0.90 (answer): why")
    assert record(AnswerRevised("arbiter", Message("assistant", "x"), step="larger-model")) == "larger-model is the answer"
    assert record(ImprovementTried("revision-1", why="so")) == "✗ revision-1 is not kept: so"


def test_the_verdict_at_the_end() -> None:
    view = Validation()
    assert (list(lines(view)), brief(view)) == ([], "")
    view.apply(FAILED)
    assert list(lines(view))[1:] == ["  error: incorrect: line 3: No. Yes.", "  why"]
    assert brief(view) == "did not pass its check, score 0.50"
    view.apply(AnswerJudged("answer", verdict="cannot_verify", reasons=("nobody is there",)))
    assert list(lines(view)) == ["the answer could not be verified", "  nobody is there"]
    assert brief(view) == "could not be verified"


def test_the_live_line_says_who_checks_where() -> None:
    live = Activity()
    live.on_event(LaneOpened("arbiter", "arbiter", Message("user", "x")), 0.0)
    live.on_event(ModelAsked("a2", JUDGE, "judge", "critic"), 1.0)
    assert live.arbiter.what == "checking the answer with critic"
    live.on_hint(Hint("loading", "judge", JUDGE, "b", 1), 1.0)
    assert "checking the answer with critic on b" in live.status(2.0, 200)
    live.on_event(FAILED, 3.0)
    assert live.arbiter.what == ""
