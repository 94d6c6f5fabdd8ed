"""The facts about answers that routing rules read."""

from __future__ import annotations

import pytest

from mmos.choice.responses import response_facts, stated
from mmos.views.conversation import Conversation
from mmos.views.run import RunView


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("It is 4.\nConfidence: 80%", 0.8),
        ("**Confidence:** 35 %", 0.35),
        ('{"answer": "4", "confidence": 0.9}', 0.9),
        ("My confidence level is 0.25.", 0.25),
        ("confidence = 1", 1.0),
        ("Confidence: 20%. After a check: Confidence: 95%.", 0.95),
        ("I have confidence in 3 of the 4 tests.", None),
        ("Confidence: high", None),
        ("Confidence: 180%", None),
        ("Confidence: 1/2", None),
        ("A confidence interval of 95% was used.", None),
        ("Overconfidence: 80%", None),
        ("", None),
    ],
)
def test_an_answer_may_state_how_sure_it_is(text: str, share: float | None) -> None:
    assert stated(text) == share


def test_before_the_first_answer_nothing_has_failed() -> None:
    facts = response_facts(RunView(), Conversation(), {"refused", "quality", "confidence"})
    assert facts == {"unclear_tool_calls": False, "empty": False, "failed": False, "refused": False, "quality": None, "confidence": None}
