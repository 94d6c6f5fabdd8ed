"""The message of a commit in an answer."""

import pytest

from mmos.rewriting.message import SUBJECT, NoMessage, message_of

LONG = "Rewrite the parser of the configuration so that it says for each key what it found and what is allowed"


@pytest.mark.parametrize(
    "answer",
    [
        "Fix the parser\n\nIt lost the last line.",
        "Fix the parser.\n\nIt lost the last line.\n",
        "```\nFix the parser\n\nIt lost the last line.\n```",
        "Here is the message:\n\n```text\nFix the parser\n\nIt lost the last line.\n```\nHope it helps!",
        "Commit message: **Fix the parser**\n\nIt lost the last line.",
        '"Fix the parser\n\nIt lost the last line."',
        "# Fix the parser\nIt lost the last line.",
    ],
)
def test_a_message_is_found_in_an_answer(answer: str) -> None:
    assert str(message_of(answer)) == "Fix the parser\n\nIt lost the last line."


@pytest.mark.parametrize("answer", ["", " \n", "``` \n```", LONG])
def test_what_is_no_message_is_told(answer: str) -> None:
    with pytest.raises(NoMessage):
        message_of(answer)


def test_a_long_first_line_goes_on_in_the_body() -> None:
    message = message_of(f"{LONG}\n\nWhy not.", shorten=True)
    assert len(message.subject) <= SUBJECT
    assert message.subject == "Rewrite the parser of the configuration so that it says for each key…"
    assert message.body == "… what it found and what is allowed\n\nWhy not."


def test_long_lines_of_the_body_are_wrapped_and_lists_stay() -> None:
    message = message_of("Add\n\n" + "word " * 30 + "\n\n- " + "item " * 30 + "\n- two")
    assert max(map(len, message.body.splitlines())) <= 72
    assert "\n  item" in message.body
    assert message.body.endswith("\n- two")
