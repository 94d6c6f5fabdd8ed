"""Tests the measurement of a collection."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmos.errors import UsageError
from mmos.library.evaluating import PLAIN, WORDS, evaluate
from mmos.library.library import Library
from mmos.library.passages import Document
from mmos.library.questions import Question, made, question_of

ANIMALS = ("heron", "otter", "badger", "weasel", "marten", "beaver")


async def filled(tmp_path: Path) -> Library:
    library = Library(tmp_path / "library")
    texts = {
        name: " ".join(f"The {name} was seen near bridge {number} by a careful warden at dawn." for number in range(20)) for name in ANIMALS
    }
    await library.add("notes", [Document(f"/notes/{name}.md", text, name) for name, text in texts.items()])
    return library


async def test_questions_are_made_from_sentences_and_known_by_their_seed(tmp_path: Path) -> None:
    library = await filled(tmp_path)
    rows = await library.rows("notes")
    questions = made(rows, 12, 3)
    assert len(questions) == 12
    assert questions == made(rows, 12, 3)
    assert questions != made(rows, 12, 4)
    assert len({one.source for one in questions}) == len(ANIMALS), "every source has its share"
    for one in questions:
        text = await library.text("notes", one.source)
        assert set(one.text.split()) <= set(text[one.start : one.end].lower().replace(".", "").split())


async def test_each_way_is_measured_against_the_one_before(tmp_path: Path) -> None:
    library = await filled(tmp_path)
    questions = [Question(f"Where was the {name}?", f"{name}.md") for name in ANIMALS] + [
        Question("Where is the zebra?", "heron.md", answer="zebra")
    ]
    steps: list[tuple[int, int]] = []
    found = await evaluate(library, "notes", questions, made=False, on_step=lambda done, every: steps.append((done, every)))
    plain, words = found.ways
    assert (plain.name, words.name, words.against) == (PLAIN, WORDS, PLAIN)
    assert words.recall[1] == pytest.approx(6 / 7)
    assert words.verdict in ("helps", "no difference shown")
    assert found.passing == pytest.approx(6 / 7)
    assert steps[-1] == (7, 7)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, 'no "question"'),
        ({"question": "x"}, "nothing says which passage"),
        ({"question": "x", "source": "a", "start": 5, "end": 2}, "a span needs"),
        ({"question": "x", "start": 1, "end": 2}, "a span needs"),
        ({"question": "x", "source": 7}, "must be texts"),
    ],
)
def test_a_line_that_cannot_be_used_says_why(fields: dict[str, object], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        question_of(fields)


def test_a_passage_is_right_by_its_span_its_words_or_its_source() -> None:
    assert Question("q", "b.md", 10, 20).met_by("/a/b.md", 0, 30, "")
    assert not Question("q", "b.md", 10, 20).met_by("/a/b.md", 12, 30, "")
    assert not Question("q", "b.md", 10, 20).met_by("/a/xb.md", 0, 30, "")
    assert Question("q", answer="Ninety  Seconds").met_by("x", 0, 1, "it is ninety\nseconds")
    assert Question("q", "b.md").met_by("b.md", 0, 1, "anything")
