"""Tests where a passage begins and ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mmos.library.centring import FARTHEST, LONGEST_WORD, Stretch, around_of, joined, span
from mmos.library.cutting import cut
from mmos.library.frequencies import Frequencies
from mmos.library.passages import SIZE, Document
from mmos.library.rows import Prepared, Row, pieces_of, row_of

FILLER = "Nothing of interest happens in this sentence at all. "


def rows_of(text: str) -> list[Row]:
    return [row_of(one) for one in pieces_of(Prepared(Document("a.txt", text), cut(text)))]


def frequencies_of(rows: list[Row]) -> Frequencies:
    found = Frequencies()
    found.add(row.text for row in rows)
    return found


def test_the_sentences_that_fit_are_in_the_passage_with_what_follows_them() -> None:
    before, after = FILLER * 17, FILLER * 40
    text = f"{before}The zebra crosses the bridge. It pays three coins. {after}"
    rows = rows_of(text)
    row = [row for row in rows if "zebra" in row.text][-1]
    start, end = span("Where does the zebra go?", row, around_of(row, {"a.txt": rows}), frequencies_of(rows))
    place = text.index("The zebra")
    assert start < place < end
    assert 0 < (start + end) / 2 - place < 200, "what comes after is in it, too"
    assert end - start > SIZE - 2 * LONGEST_WORD


def test_without_a_fitting_sentence_the_piece_stays() -> None:
    rows = rows_of(FILLER * 60)
    start, end = span("?", rows[1], around_of(rows[1], {"a.txt": rows}), frequencies_of(rows))
    assert start <= rows[1].start + LONGEST_WORD
    assert end >= rows[1].end - LONGEST_WORD


def test_a_piece_that_was_replaced_meanwhile_stands_alone() -> None:
    (row,) = rows_of("A short text.")
    assert around_of(row, {}) == Stretch(0, "A short text.")
    assert joined([row]).text == "A short text."


@given(st.text(st.sampled_from("ab. \n"), max_size=6_000), st.text(st.sampled_from("ab "), max_size=20))
def test_a_passage_is_a_part_of_the_text_and_never_too_long(text: str, question: str) -> None:
    rows = rows_of(text)
    for row in rows:
        around = around_of(row, {"a.txt": rows})
        start, end = span(question, row, around, frequencies_of(rows))
        assert around.part(start, end) == text[start:end]
        assert 0 < end - start <= SIZE
        assert row.start - FARTHEST - SIZE <= start < row.end
