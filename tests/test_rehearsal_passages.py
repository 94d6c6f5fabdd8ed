"""Tests of how personas read a part of a long text."""

from __future__ import annotations

import pytest

from mmos.rehearsal.passages import from_notes, note, passages
from mmos.rehearsal.prompt import Prompt

TEXT = "The river is long.\nThe vault code of Ada is 4711. Nobody knows it! The code is secret?\n- a list\n- the vaults have codes\n"


def ask(text: str) -> Prompt:
    return Prompt("m", [{"role": "system", "content": "Read."}, {"role": "user", "content": text}])


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        ("What are the vault codes?", ["The vault code of Ada is 4711.", "- the vaults have codes"]),
        ("How long is the river?", ["The river is long."]),
        ("What?", []),
        ("Who wrote the opera?", []),
    ],
)
def test_sentences_that_have_to_do_with_the_request_are_quoted(request_: str, found: list[str]) -> None:
    assert passages(request_, TEXT) == found


def test_a_part_gives_quotations_or_says_that_there_are_none() -> None:
    part = "The request:\n<<<\nHow long is the {}?\n>>>\n\nHere is part 1 of 2 of the text:\n<<<\n" + TEXT + "\n>>>\n\nWrite notes."
    assert note(ask(part.replace("{}", "river"))) == "The river is long."
    assert note(ask(part.replace("{}", "opera"))) == "NOTHING"
    assert note(ask("How long is the river?")) is None


def test_a_part_to_be_written_anew_comes_back_whole() -> None:
    part = (
        f"The request:\n<<<\nTranslate it.\n>>>\n\nHere is part 1 of 2 of the text:\n<<<<\n{TEXT}<<<\n>>>>\n\nDo it. Write only the result."
    )
    assert note(ask(part)) == f"{TEXT}<<<"


def test_a_later_part_is_not_taken_for_what_was_written_before_it() -> None:
    before = "The request:\n<<<\nHow long is the river?\n>>>\n\nSo far:\n<<<\nNOTHING\nThe river Oak is long.\n>>>\n\nHere is part 2 of 2 of the text:\n"
    assert note(ask(f"{before}<<<\n{TEXT}>>>\n\nDo it. Write only the result.")) == TEXT.strip()
    assert note(ask(f"{before}<<<\n{TEXT}>>>\n\nWrite your notes anew.")) == "The river Oak is long.\nThe river is long."


def test_the_answer_has_every_quotation_once_and_says_what_is_missing() -> None:
    notes = "These parts could not be read, so say that they are missing: 2.\n\n[Part 1 of 2:]\n<<<\nA.\nB.\n>>>\n\n[Part 3 of 3:]\n<<<\nB.\nC.\n>>>"
    told = ask(f"Which?\n\nIt was read in 3 parts, and these are the notes on them. {notes}")
    answer = from_notes(told)
    assert answer is not None
    assert answer.splitlines()[1:4] == ["A.", "B.", "C."]
    assert "missing: 2" in answer
    assert from_notes(ask("Which?")) is None
