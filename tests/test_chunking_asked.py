"""Tests of what a long task asks for, and of the way in which it is read."""

from __future__ import annotations

import pytest

from mmos.chunking.asked import asked_of, way_of
from mmos.messages import File, Message

BODY = "\n\n".join(f"Paragraph {number} tells of a journey that took many days." for number in range(200))
ROOM = 300.0


@pytest.mark.parametrize(
    ("before", "after", "request_"),
    [
        ("Summarise this text:\n\n", "", "Summarise this text:"),
        ("", "\n\nHow many days did the journey take?", "How many days did the journey take?"),
        ("Please read this.\n\n", "\n\nWho travelled?", "Please read this.\n\nWho travelled?"),
        ("Übersetze ins Englische:\n", "", "Übersetze ins Englische:"),
        ("", "", ""),
        ("# A journey\n\n", "", ""),
        ("# How to travel\n\n", "", ""),
        ("“Who are you?” asked Ann.\n\n", "\n\n“And you?”\n", ""),
        ("name,days\n\n", "", ""),
        ("def travel(days):\n    return days\n\n", "", ""),
        ("Here is a journal. Find the town.\n\n", "\n\nAnswer in one word.", "Here is a journal. Find the town.\n\nAnswer in one word."),
        ("", "\n\n谁在旅行？", "谁在旅行？"),
    ],
)
def test_the_request_stands_at_an_end_of_the_text(before: str, after: str, request_: str) -> None:
    asked = asked_of(Message("user", f"{before}{BODY}{after}"), ROOM)
    assert asked.request == request_
    [text] = asked.texts
    assert BODY.split("\n\n")[100] in text.text
    assert text.text.strip() in f"{before}{BODY}{after}", "nothing is added"
    assert len(text.text.strip()) + len(asked.request) >= len(f"{before}{BODY}{after}".strip()) - 8, "nothing is lost but blanks"


@pytest.mark.parametrize(
    ("before", "after", "request_"),
    [
        ("Translate this into French: ", "", "Translate this into French:"),
        ("", " Who travelled?", "Who travelled?"),
        ("", "", ""),
        ('{"name":"a","count":1}', "", ""),
    ],
)
def test_a_text_without_lines_asks_in_its_first_or_last_sentence(before: str, after: str, request_: str) -> None:
    body = BODY.replace("\n\n", " ")
    asked = asked_of(Message("user", before + body + after), ROOM)
    assert asked.request == request_
    assert len(asked.texts[0].text) + len(request_) >= len(before + body + after) - 2


def test_words_beside_files_are_the_request_and_images_are_no_text() -> None:
    message = Message("user", "What is it?", files=(File("a.txt", BODY), File("b.png", image="aGk=")))
    asked = asked_of(message, ROOM)
    assert (asked.request, [text.name for text in asked.texts]) == ("What is it?", ["a.txt"])


def test_long_words_beside_files_are_a_text_like_them() -> None:
    asked = asked_of(Message("user", f"Compare these.\n\n{BODY}", files=(File("a.txt", BODY),)), ROOM)
    assert (asked.request, [text.name for text in asked.texts]) == ("Compare these.", ["", "a.txt"])


@pytest.mark.parametrize(
    ("request_", "way"),
    [
        ("Translate this into French.", "rewritten"),
        ("Could you please rewrite it in plain words?", "rewritten"),
        ("Corrige les fautes.", "rewritten"),
        ("Continue the story.", "followed"),
        ("Find every place where they translate something.", "mapped"),
        ("What port does the server use?", "mapped"),
        ("Summarise and then translate the result.", "mapped"),
        ("Is it correct?", "mapped"),
        ("Hm.", "mapped"),
        ("", "mapped"),
    ],
)
def test_the_first_word_that_says_what_to_do_chooses_the_way(request_: str, way: str) -> None:
    found, why = way_of(request_)
    assert found == way
    assert why
    assert way_of(request_, shaped=True)[0] == "mapped"
