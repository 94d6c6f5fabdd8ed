"""Tests of what a task asks for that is only a text."""

from __future__ import annotations

from mmos.chunking.asked import Text
from mmos.chunking.plan import SHOWN_END, unasked
from mmos.prompting.budget import estimate
from mmos.prompting.templates import Templates

BODY = "A journey takes many days. " * 400


def test_every_reader_sees_both_ends_of_a_task_that_does_not_say_clearly_what_is_wanted() -> None:
    request = unasked([Text("", f"I need the notice period.\n{BODY}\nThank you, Ann")], Templates())
    assert "I need the notice period." in request
    assert "Thank you, Ann" in request
    assert estimate(request) < 2 * SHOWN_END + 80


def test_ends_are_short_in_every_script_and_those_of_several_texts_are_of_the_first_and_the_last() -> None:
    request = unasked([Text("a", "我需要通知期限。" + "这是一本书。" * 2000), Text("b", BODY + "The end")], Templates())
    assert "我需要通知期限" in request
    assert request.endswith("The end")
    assert estimate(request) < 2 * SHOWN_END + 80
