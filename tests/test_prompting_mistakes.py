"""Mistakes are found in events by their codes and by the texts that send replies back."""

from __future__ import annotations

import pytest

from mmos.events import CallFinished, Entry, Event, ModelAsked, Prompted
from mmos.messages import Message
from mmos.prompting.mistakes import MOST, Mistakes, known, told
from mmos.prompting.templates import Templates

TEXTS = Templates()
FOUND = Mistakes(TEXTS)


def entry(event: Event, run: str = "r") -> Entry:
    return Entry(run, "t", 0.0, event)


def back(text: str, *, shape: bool = False) -> Entry:
    return entry(Prompted("arbiter", "arbiter", Message("user", text), shape))


def finished(code: str, *, ok: bool = False, tool: str = "look") -> Entry:
    return entry(CallFinished("c", "arbiter", "arbiter", tool, ok, Message("tool", "…"), code=code))


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (finished("tool_unknown"), "tool"),
        (finished("tool_arguments"), "arguments look"),
        (finished("tool_timeout"), ""),
        (finished("tool_arguments", ok=True), ""),
        (back(TEXTS.fill("unread_call", why="it has no name")), "call"),
        (back(TEXTS.fill("not_json")), "json"),
        (back(TEXTS.fill("empty_reply")), "empty"),
        (back(TEXTS.fill("repeated_text")), "repetition"),
        (back(TEXTS.fill("user_says", answer="Your reply was empty.")), ""),
        (back(TEXTS.fill("shape_again", schema="{}", problems="- it is no number"), shape=True), "shape"),
        (back(TEXTS.fill("shape", schema="{}"), shape=True), ""),
    ],
)
def test_an_event_tells_of_a_mistake(one: Entry, kind: str) -> None:
    assert FOUND.kind_of(one) == kind


def test_each_model_has_its_most_frequent_mistakes() -> None:
    asked = [entry(ModelAsked("a1", "arbiter", "arbiter", "M:latest")), entry(ModelAsked("a2", "other", "other", "n"))]
    made = [finished("tool_unknown"), *[finished("tool_arguments")] * 2, back(TEXTS.fill("not_json")), back(TEXTS.fill("empty_reply"))]
    by_model = FOUND.by_model(made, asked)
    assert {*by_model.values()} == {("arguments look", "empty", "json")}
    assert known(by_model, "M", ["look"]) == ("arguments look", "empty", "json")
    assert known(by_model, "M", []) == ("empty", "json")
    assert known(by_model, "n", []) == ()


def test_only_a_few_are_told_and_unknown_kinds_are_not() -> None:
    assert told(["tool", "json", "empty", "call"], TEXTS).count("\n- ") == MOST
    assert told(["poem", "arguments"], TEXTS) == ""
