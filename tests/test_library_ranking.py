"""The ranking of pieces by their words."""

from __future__ import annotations

import time

import pytest

from mmos.library.frequencies import Frequencies
from mmos.library.ranking import rank

FILLER = [
    f"The {one} of the {other} is told in the report about hosts and models."
    for one in ("size", "name", "speed", "colour")
    for other in ("north", "south", "east")
]


def ranked(question: str, *texts: str) -> list[float]:
    frequencies = Frequencies()
    frequencies.add([*FILLER, *texts])
    return rank(question, texts, frequencies)


def test_rare_words_weigh_more() -> None:
    common, rare = ranked("hosts with flummery", "These are hosts.", "This is flummery.")
    assert rare > common


def test_other_forms_of_a_word_count_and_the_same_form_counts_more() -> None:
    same, other, none = ranked("loading weights", "loading of a weights", "loaded of a weight", "nothing here of it")
    assert same > other > none == 0


def test_words_side_by_side_count_more_than_far_apart() -> None:
    far = "Kettle stands here among many plain things that nobody wants to see, or hear of, or talk about on any day, and then a boiler"
    near = "Among many plain things that nobody wants to see, or hear of, or talk about on any day, stands here, and then a kettle boiler"
    apart, beside = ranked("kettle boiler", far, near)
    assert beside > apart


def test_a_sentence_with_all_words_counts_more_than_words_in_different_ones() -> None:
    together, spread = ranked(
        "limit of waiting seconds",
        "A limit holds for waiting, with many other things in between for everybody else, in seconds. Then it goes on. Nothing more is said.",
        "A limit holds. For waiting, many other things are in between for everybody else. In seconds then it goes on. Nothing more is said.",
    )
    assert together > spread


def test_signs_of_chinese_are_words() -> None:
    right, wrong = ranked("显存不足怎么办", "如果显存不足，请使用较小的模型。", "请参阅安装说明。")
    assert right > wrong


@pytest.mark.parametrize("question", ["", "  ", "?!", "the of and", "\0", "word " * 3_000, "显", "x", "ß İ ﬁ"])
def test_any_question_has_scores_from_0_to_1(question: str) -> None:
    texts = ["", "   ", "word", "the of and", "x " * 500, "word " * 200, "显 ß i"]
    for frequencies in (Frequencies(), Frequencies(pieces=3)):
        scores = rank(question, texts, frequencies)
        assert len(scores) == len(texts)
        assert all(0 <= score <= 1 for score in scores)
    assert rank(question, [], Frequencies()) == []


def test_frequencies_that_lag_do_no_harm() -> None:
    frequencies = Frequencies()
    frequencies.add(["kettle"])
    frequencies.add(["kettle", "other"], -1)
    first, second = rank("kettle boiler", ["kettle boiler", "boiler"], frequencies)
    assert first > second > 0


def test_fifty_pieces_are_ranked_in_milliseconds() -> None:
    text = " ".join(FILLER)[:1_000]
    texts = [f"{text[number:]} and so{number} on{number}" for number in range(50)]
    frequencies = Frequencies()
    frequencies.add(texts)
    start = time.process_time()
    rank("What is the size of the hosts and the name of models in the north report?", texts, frequencies)
    assert time.process_time() - start < 0.15  # 7 ms on a machine at rest
