"""What the document and the lines say of a choice, also of one from the journal of a stranger."""

from __future__ import annotations

from mmos.choice_events import TaskRouted
from mmos.views.routes import candidates, in_words, route

ROW = {"name": "coding", "model": "coder:7b", "score": 0.5, "terms": {"quality": 0.9, "speed": 0.4, "fit": 0.8, "cost": 0.1}}
ROUTED = TaskRouted(
    "bug_fixing", 6, rules=({"condition": "a", "holds": False}, {"condition": "b", "holds": True}), strategy="intelligent",
    candidates=(ROW, {"name": "x", "model": "y", "score": 0.1, "out": "it is down"}), choice="coding", why=("it is good",), by="score", acted=True,
)  # fmt: skip


def test_the_document_says_who_and_why() -> None:
    found = route(ROUTED)
    assert found is not None
    assert (found["type"], found["rules"], found["choice"], found["why"]) == ("bug_fixing", ["b"], "coding", ["it is good"])
    assert route(None) is None


def test_the_words_tell_advice_from_acts() -> None:
    assert in_words(ROUTED) == "bug_fixing, complexity 6: coding by score (it is good)"
    assert in_words(TaskRouted("bug_fixing", 6, choice="coding", by="rules")) == "bug_fixing, complexity 6: the advice to use coding"
    failed = TaskRouted("bug_fixing", 6, by="rules", why=("no host can serve it",))
    assert in_words(failed) == "bug_fixing, complexity 6: the arbiter as usual (no host can serve it)"
    assert in_words(TaskRouted(None, 2)) == "a task of no clear class, complexity 2: the arbiter as usual"


def test_each_candidate_has_a_line() -> None:
    first, second = candidates(ROUTED)
    assert first == "coding (coder:7b): score 0.5, quality 0.9, speed 0.4, fit 0.8, cost 0.1"
    assert second == "x (y): score 0.1; out: it is down"


def test_what_a_stranger_wrote_breaks_nothing() -> None:
    strange = TaskRouted("x", rules=(1, {"holds": True}), candidates=(None, {"terms": 3, "expected": "much"}))  # type: ignore[arg-type]
    assert route(strange) is not None
    assert candidates(strange) == ["None (None): score None"]
