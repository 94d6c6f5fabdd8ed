"""The windows of pieces: whole sentences, never longer than the limit, and with every word once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mmos.library.embedding.windows import WINDOW, sentences, windows

TEXTS = st.text(st.sampled_from("ab Z.!?\n\"'( 。é1"), max_size=2_000)


def test_a_short_text_is_one_window() -> None:
    assert windows("A host answers. Another one waits.\n") == ["A host answers. Another one waits."]
    assert windows(" \n ") == windows("") == []


def test_a_window_ends_where_a_sentence_ends() -> None:
    text = " ".join(f"Sentence number {number} is here to be cut, and has some words more." for number in range(20))
    found = windows(text)
    assert [len(one) <= WINDOW for one in found] == [True] * len(found)
    assert all(one.startswith("Sentence number") and one.endswith("more.") for one in found)
    assert " ".join(found) == text
    assert len(found) == 3


def test_lines_end_sentences_too() -> None:
    assert windows("# Install\n" + "word " * 50 + "\n" + "other " * 50, 320) == [
        "# Install\n" + ("word " * 50).strip(),
        ("other " * 50).strip(),
    ]
    assert sentences("# Install\n\nType it. e.g. this. Done") == ["# Install", "Type it. e.g. this.", "Done"]


def test_a_long_sentence_is_cut_between_words() -> None:
    text = "long " * 300
    assert {len(one) <= WINDOW and set(one.split()) == {"long"} for one in windows(text)} == {True}
    assert sum(one.count("long") for one in windows(text)) == 300
    assert [len(one) for one in windows("x" * 1_000)] == [WINDOW, WINDOW, 100]


@given(TEXTS, st.integers(10, 500))
def test_every_word_is_in_one_window(text: str, size: int) -> None:
    found = windows(text, size)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(0 < len(one) <= size for one in found)
