"""The text that stands in the place of old exchanges: the user's words stay, the longest are shortened first, and it says what is missing."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mmos.messages import Message, ToolCall
from mmos.participant.summarising import quoted, shorter, transcript
from mmos.prompting.templates import Templates
from mmos.views.history import History

TEXTS = Templates()


def test_words_that_have_room_stay_as_they_are() -> None:
    text, shortened = quoted(["Paint it red.", "Never blue."], 1000, TEXTS)
    assert (text, shortened) == ("1. Paint it red.\n2. Never blue.", 0)


def test_the_longest_message_is_shortened_first_and_says_how_long_it_was() -> None:
    text, shortened = quoted(["Never blue.", "x" * 5000, "And red?"], 1000, TEXTS)
    assert shortened == 1
    assert "1. Never blue." in text
    assert "[5,000 characters]" in text
    assert "3. And red?" in text


def test_where_there_is_no_room_for_all_the_first_and_the_newest_stay() -> None:
    text, shortened = quoted([f"Message {number}, forty characters or so long." for number in range(100)], 400, TEXTS)
    assert "1. Message 0," in text
    assert "100. Message 99," in text
    assert "only in the reference]" in text
    assert shortened == 100 - text.count("Message ")


@given(st.lists(st.text(max_size=900), max_size=40), st.integers(200, 3000))
def test_whatever_the_words_are_they_are_numbered_and_counted(messages: list[str], most: int) -> None:
    text, shortened = quoted(messages, most, TEXTS)
    assert 0 <= shortened <= len(messages)
    assert len(text) <= max(most, 80) + 40 * (len(messages) + 2)


@given(st.text(max_size=500), st.integers(1, 600))
def test_a_text_without_its_middle_has_its_beginning_and_its_end(text: str, most: int) -> None:
    made = shorter(text, most, TEXTS)
    assert (made == text) == (len(text) <= most)
    assert made.startswith(text[: most * 2 // 3])


def test_a_transcript_names_calls_and_results() -> None:
    history = History()
    call = ToolCall("c1", "look", {"at": "door"})
    history.extend([Message("user", "Look."), Message("assistant", "", (call,)), Message("tool", "It is red.", tool_name="look")], "r1")
    history.extend([Message("user", "And?")], "r2")
    assert transcript(history, 0, 1, TEXTS) == 'Asked: Look.\n\nCalled: look {"at":"door"}\n\nResult of look: It is red.'
    assert transcript(history, 1, 2, TEXTS) == "Asked: And?"


def test_a_user_may_write_what_stands_between_the_words(tmp_path: Path) -> None:
    texts = {"summarised_question": "USER>", "summarised_call": "({{ call }})", "summarised_middle": "({{ characters }} more)"}
    (tmp_path / "replies.md").write_text("".join(f"## {name}\n{text}\n\n" for name, text in texts.items()))
    history, own = History(), Templates(tmp_path)
    history.extend([Message("user", "Look."), Message("assistant", "", (ToolCall("c1", "look", {}),))], "r1")
    assert transcript(history, 0, 1, own) == "USER> Look.\n\n(look {})"
    assert shorter("abcdefghi", 6, own) == "abcd\n(3 more)\nhi"
