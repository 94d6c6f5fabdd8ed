"""Tests of how notes are put together, and of which parts are read at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.chunking.asked import Text
from mmos.chunking.notes import Note, groups_of, useful, weight_of, written
from mmos.chunking.plan import pieces_of
from mmos.prompting.budget import estimate


@pytest.mark.parametrize("text", ["NOTHING", "nothing.", " **Nothing** ", '"NOTHING"', "", "  "])
def test_a_part_without_anything_gives_no_note(text: str) -> None:
    assert useful([Note(1, 1, text)]) == []


def test_notes_come_in_the_order_of_the_text_however_they_were_read() -> None:
    notes = useful([Note(3, 3, "c", "part 3 of 3"), Note(2, 2, "NOTHING"), Note(1, 1, "Nothing but trouble.", "part 1 of 3")])
    assert [note.first for note in notes] == [1, 3]
    assert written(notes).startswith("[Part 1 of 3:]\n<<<\nNothing but trouble.\n>>>")
    assert Note(2, 5, "x").written.startswith("[Parts 2 to 5:]")


@given(st.lists(st.integers(1, 300), min_size=1, max_size=40), st.floats(50, 400))
def test_notes_are_grouped_with_neighbours_and_none_is_lost(lengths: list[int], room: float) -> None:
    notes = [Note(number, number, "word " * length) for number, length in enumerate(lengths)]
    groups = groups_of(notes, room)
    assert [note for group in groups for note in group] == notes
    assert all(len(group) >= 2 for group in groups[:-1]), "so each level has at most half as many"
    assert all(weight_of(group) <= room for group in groups if len(group) > 2)


def test_short_files_are_read_together_and_long_ones_in_parts() -> None:
    texts = [
        Text("a.txt", "One. "),
        Text("b.txt", "Two. "),
        Text("c.txt", "A long sentence of many words stands here. " * 60),
        Text("d.txt", "End."),
    ]
    pieces = pieces_of(texts, 200)
    assert pieces[0].place == f"part 1 of {len(pieces)}, a.txt, b.txt"
    assert pieces[0].text == "a.txt:\nOne. \n\nb.txt:\nTwo. "
    assert all(estimate(piece.text) <= 220 for piece in pieces)
    joined = "".join(part.text for piece in pieces for name, part in piece.parts if name == "c.txt")
    assert joined == texts[2].text
    assert pieces[-1].parts[-1][0] == "d.txt"
