"""Tests what vectors add to words, and what happens when they cannot be had."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.errors import HostUnreachable, UsageError
from mmos.library.embedding.vectors import blended
from mmos.library.embedding.weighing import LEAST, USUAL, weight_of
from mmos.library.library import Library
from mmos.library.passages import Document, Query
from mmos.library.words import stems_of, words

TOPICS = {
    "birds": ["heron", "nest", "reed", "wing", "feather", "egg", "flock", "marsh"],
    "trains": ["engine", "rail", "track", "signal", "station", "whistle", "wagon", "bridge"],
    "bread": ["flour", "oven", "dough", "yeast", "crust", "salt", "loaf", "knead"],
}


def essay(topic: str, number: int) -> Document:
    random = Random(f"{topic}{number}")
    sentences = [f"{' '.join(random.choices(TOPICS[topic], k=8)).capitalize()}." for _ in range(40)]
    return Document(f"{topic}{number}.txt", " ".join(sentences), topic)


ESSAYS = [essay(topic, number) for topic in TOPICS for number in range(6)]


class Hashing:
    """Vectors of the stems of a text: alike texts have alike vectors."""

    def __init__(self, model: str = "hashing", digest: str = "d1", size: int = 64) -> None:
        self.model, self.seconds, self._digest, self.size = model, 2.0, digest, size
        self.asked: list[str] = []

    async def digest(self) -> str:
        return self._digest

    async def embed(self, texts: Sequence[str], *, question: bool = False) -> list[list[float]]:
        self.asked += texts
        return [self.vector(text) for text in texts]

    def vector(self, text: str) -> list[float]:
        numbers = [0.0] * self.size
        for stem in stems_of(words(text)):
            numbers[Random(stem).randrange(self.size)] += 1.0
        return numbers


class Noise(Hashing):
    """Vectors that know nothing of their texts."""

    def vector(self, text: str) -> list[float]:
        random = Random(text)
        return [random.gauss(0, 1) for _ in range(self.size)]


async def library_with(tmp_path: Path, embedder: Hashing, told: list[str] | None = None) -> Library:
    library = Library(tmp_path / "library", embedder=lambda _: embedder, on_trouble=(told if told is not None else []).append)
    await library.add("essays", ESSAYS)
    return library


async def test_vectors_are_made_once_and_pinned(tmp_path: Path) -> None:
    embedder = Hashing()
    library = await library_with(tmp_path, embedder)
    found = await library.embed("essays", "hashing")
    assert (found.weight, found.pieces > 0, found.windows > found.pieces) == (USUAL, True, True)
    about = (await library.about("essays")).embedding
    assert (about["model"], about["digest"], about["dimension"]) == ("hashing", "d1", 64)
    asked = len(embedder.asked)
    again = await library.embed("essays")
    assert (again.pieces, len(embedder.asked)) == (0, asked)
    await library.add("essays", [essay("birds", 99)])
    assert (await library.embed("essays")).pieces > 0


async def test_vectors_that_tell_nothing_count_nothing(tmp_path: Path) -> None:
    library = await library_with(tmp_path, Noise("noise"))
    before = await library.search("essays", Query("heron feather", top_k=10))
    found = await library.embed("essays", "noise")
    assert found.weight == 0
    assert found.agreement is not None
    assert found.agreement < 0.65
    assert await library.search("essays", Query("heron feather", top_k=10)) == before


async def test_vectors_change_the_order_and_not_the_best_score(tmp_path: Path) -> None:
    library = await library_with(tmp_path, Hashing())
    question = Query("a whistle at the station bridge", top_k=10)
    words_alone = await library.search("essays", question)
    await library.embed("essays", "hashing")
    both = await library.search("essays", question)
    assert max(one.score for one in both) == pytest.approx(max(one.score for one in words_alone))
    assert [(one.source, one.start) for one in both] != [(one.source, one.start) for one in words_alone]
    assert await library.search("essays", Query(question.text, top_k=10, weight=0)) == words_alone


async def test_another_version_of_the_model_is_told_and_words_alone_are_searched(tmp_path: Path) -> None:
    await (await library_with(tmp_path, Hashing())).embed("essays", "hashing")
    told: list[str] = []
    library = await library_with(tmp_path, Hashing(digest="d2"), told)
    assert await library.search("essays", Query("heron feather"))
    assert await library.search("essays", Query("dough oven"))
    (text,) = told
    assert "mmos rag reembed" in text
    with pytest.raises(UsageError, match="another version"):
        await library.embed("essays")
    assert (await library.embed("essays", anew=True)).pieces > 0
    assert (await library.about("essays")).embedding["digest"] == "d2"


async def test_a_collection_has_vectors_of_one_model(tmp_path: Path) -> None:
    library = await library_with(tmp_path, Hashing())
    with pytest.raises(UsageError, match="has no embedding model"):
        await library.embed("essays")
    await library.embed("essays", "hashing")
    with pytest.raises(UsageError, match="has vectors of hashing, not of other"):
        await library.embed("essays", "other")


async def test_when_no_host_answers_words_alone_are_searched(tmp_path: Path) -> None:
    await (await library_with(tmp_path, Hashing())).embed("essays", "hashing")

    class Gone(Hashing):
        async def embed(self, texts: Sequence[str], *, question: bool = False) -> list[list[float]]:
            raise HostUnreachable("a: nothing listens there.")

    told: list[str] = []
    library = await library_with(tmp_path, Gone(), told)
    assert await library.search("essays", Query("heron feather"))
    assert told == ["essays: words alone are searched. a: nothing listens there."]


async def test_what_was_made_before_a_failure_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmos.library.embedding.vectors._KEEP", 5)

    class Stops(Hashing):
        left = 3

        async def embed(self, texts: Sequence[str], *, question: bool = False) -> list[list[float]]:
            if not self.left:
                raise HostUnreachable("a: nothing listens there.")
            self.left -= 1
            return await super().embed(texts)

    stopping = Stops()
    with pytest.raises(HostUnreachable):
        await (await library_with(tmp_path, stopping)).embed("essays", "hashing")
    embedder = Hashing()
    library = await library_with(tmp_path, embedder)
    await library.embed("essays")
    assert not set(embedder.asked) & set(stopping.asked[:5])


async def test_vectors_of_texts_that_are_gone_are_removed(tmp_path: Path) -> None:
    library = await library_with(tmp_path, Hashing())
    await library.embed("essays", "hashing")
    await library.delete("essays", [one.source for one in ESSAYS[1:]])
    await library.embed("essays")
    left = {row.content for row in await library.rows("essays")}
    assert await library._vectors.table("essays").known() == left


scores = st.lists(st.floats(0, 0.99), min_size=1, max_size=9)


@given(scores, st.floats(0, 2), st.randoms(use_true_random=False))
def test_a_blend_stays_within_0_and_1_and_keeps_the_best_score(lexical: list[float], weight: float, random: Random) -> None:
    near = [random.choice([None, random.uniform(-1, 1)]) for _ in lexical]
    mixed = blended(lexical, near, weight)
    assert all(0 <= one <= 1 for one in mixed)
    assert math.isclose(max(mixed), max(lexical), abs_tol=1e-6)


def test_without_vectors_or_with_equal_ones_the_order_stays() -> None:
    assert blended([0.9, 0.5, 0.7], [None, None, None], 0.5) == [0.9, 0.5, 0.7]
    mixed = blended([0.9, 0.5, 0.7], [0.3, 0.3, 0.3], 0.5)
    assert mixed[0] > mixed[2] > mixed[1]


def test_few_pieces_get_the_usual_weight() -> None:
    assert weight_of([[[1.0], [1.0]]] * (LEAST - 1)) == (USUAL, None)
