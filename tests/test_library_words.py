"""Words, stems and sentences of texts, and how often they stand in a collection."""

from __future__ import annotations

import random
import string
import time

import pytest

from mmos.library.frequencies import Frequencies
from mmos.library.stemming import porter
from mmos.library.words import sentences, stem, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("How long does it take?", ["how", "long", "does", "it", "take"]),
        ("Größe, naïve CAFÉ", ["große", "naive", "cafe"]),
        ("read_file(path2)", ["read", "file", "path2"]),
        ("GPU 显存不足 error", ["gpu", "显", "存", "不", "足", "error"]),
        ("ひらがなとカタカナ", list("ひらがなとカタカナ")),
        ("한국어 문서", ["한국어", "문서"]),
        ("ﬁle ①", ["file", "1"]),
        ("?! … --", []),
        ("", []),
    ],
)
def test_words_are_small_and_have_no_accents(text: str, found: list[str]) -> None:
    assert words(text) == found


@pytest.mark.parametrize(
    ("word", "expected"),
    [  # what the index of LanceDB 0.40 makes of them
        ("the", "the"), ("cats", "cat"), ("ponies", "poni"), ("ties", "tie"), ("caresses", "caress"), ("gas", "gas"), ("this", "this"),
        ("agreed", "agre"), ("hopping", "hop"), ("hoping", "hope"), ("added", "add"), ("luxuriated", "luxuri"), ("happy", "happi"), ("by", "by"),
        ("say", "say"), ("relational", "relat"), ("biologists", "biolog"), ("deployments", "deploy"), ("destroyer", "destroy"),
        ("generate", "generat"), ("generalization", "general"), ("hopefulness", "hope"), ("vietnamization", "vietnam"), ("adoption", "adopt"),
        ("controlling", "control"), ("rate", "rate"), ("cease", "ceas"), ("dying", "die"), ("skies", "sky"), ("news", "news"),
        ("succeeded", "succeed"), ("proceed", "proceed"), ("youth", "youth"), ("boyish", "boyish"), ("communism", "communism"),
        ("formative", "format"), ("informative", "inform"), ("quickly", "quick"), ("sensibly", "sensibl"), ("analogically", "analog"),
        ("0000623s", "0000623s"), ("显", "显"), ("a" * 50 + "ing", "a" * 50 + "ing"),
    ],
)  # fmt: skip
def test_stems_are_those_of_the_index(word: str, expected: str) -> None:
    assert stem(word) == expected


def test_stems_begin_as_their_words_do() -> None:
    """The ranking looks only at words with the first two letters of a stem."""
    chance = random.Random(1)
    endings = ["", "s", "es", "ies", "ied", "ying", "ing", "ed", "edly", "ation", "y", "ness"]
    for _ in range(20_000):
        word = "".join(chance.choices(string.ascii_lowercase, k=chance.randint(1, 6))) + chance.choice(endings)
        found = porter(word)
        assert found
        assert word[:2].startswith(found[:2]) or (word[1] == "y" and found[1] == "i"), (word, found)


def test_sentences_end_at_marks_and_lines() -> None:
    assert sentences("One. Two e.g. three?\nFour!  Five 1.5\n\n") == ["One.", "Two e.g. three?", "Four!", "Five 1.5"]
    assert sentences("内存不足。请重试。") == ["内存不足。", "请重试。"]
    assert sentences("") == []


def test_frequencies_count_pieces_not_words() -> None:
    frequencies = Frequencies()
    frequencies.add(["the cat and the cats", "a dog"])
    assert (frequencies.pieces, frequencies.length, frequencies.stems_length) == (2, 7, 3)
    assert [frequencies.of_word(word) for word in ("the", "cat", "cats", "dogs")] == [1, 1, 1, 0]
    assert [frequencies.of_stem(one) for one in ("cat", "dog", "the")] == [1, 1, 0]


def test_frequencies_forget_what_left_and_are_never_negative() -> None:
    frequencies = Frequencies()
    frequencies.add(["the cat", "a cat"])
    frequencies.add(["the cat"], -1)
    assert (frequencies.of_word("the"), frequencies.of_word("cat"), frequencies.pieces) == (0, 1, 1)
    frequencies.add(["a cat", "a cat", "never there"], -1)
    assert (frequencies.of_word("cat"), frequencies.of_word("never"), frequencies.pieces, frequencies.length) == (0, 0, 0, 0)


def test_frequencies_survive_the_way_through_bytes() -> None:
    frequencies = Frequencies()
    frequencies.add(["cats 显存 über x", "cats of b", "zebras"])
    read = Frequencies.of_bytes(frequencies.to_bytes())
    for some in (read, Frequencies.of_bytes(read.to_bytes())):
        assert [some.of_word(word) for word in ("cats", "显", "uber", "x", "b", "zebras", "a", "zz", "")] == [2, 1, 1, 1, 1, 1, 0, 0, 0]
        assert (some.of_stem("cat"), some.of_stem("zebra"), some.pieces) == (2, 1, 3)
    read.add(["cats"])
    assert (read.of_word("cats"), read.of_word("zebras"), read.pieces) == (3, 1, 4)
    empty = Frequencies.of_bytes(Frequencies().to_bytes())
    assert (empty.of_word("cats"), empty.pieces) == (0, 0)


def test_frequencies_of_a_large_vocabulary_are_small_and_quick_to_load() -> None:
    chance = random.Random(1)
    vocabulary = ["".join(chance.choices(string.ascii_lowercase, k=chance.randint(3, 12))) for _ in range(25_000)]
    frequencies = Frequencies()
    frequencies.add(" ".join(vocabulary[start : start + 100]) for start in range(0, 25_000, 100))
    data = frequencies.to_bytes()
    assert len(data) < 1_000_000
    start = time.process_time()
    for _ in range(5):
        assert Frequencies.of_bytes(data).of_word(vocabulary[7]) >= 1
    assert (time.process_time() - start) / 5 < 0.05  # 2 ms on a machine at rest
