"""The benchmark of the library asks questions about documents, and compares with plain BM25."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from bench.retrieval import Place, PlainBm25, Question, area, gain, rank_of_answer
from bench_retrieval import main

ANSWER = "A host has ninety seconds to answer."
DOCUMENTS = {
    "one": ("project_docs", f"# Hosts\n\nHosts run models. {ANSWER} Then it is asked again.\n"),
    "two": ("scientific_article", "Cats and dogs live in houses. They eat in the evening, and sleep at night.\n"),
    "three": ("scientific_article", "A boiler makes steam of water. Its pressure is two bars, and not more.\n"),
}
QUESTIONS = (
    ("How many seconds does a host have?", "one", ANSWER, "section"),
    ("What is the pressure of steam?", "three", "two bars", "extractive"),
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    documents = [{"doc_id": name, "title": name, "text": text, "kind": kind} for name, (kind, text) in DOCUMENTS.items()]
    questions = []
    for text, document, answer, kind in QUESTIONS:
        start = DOCUMENTS[document][1].index(answer)
        questions.append({"question": text, "doc_id": document, "answer_start": start, "answer_end": start + len(answer), "kind": kind})
    for name, rows in (("docs", documents), ("qa", questions)):
        (tmp_path / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return tmp_path


def test_it_prints_recall_beside_that_of_bm25(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_retrieval.py", str(data), "--json"])
    assert main() == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["kinds"]["all"]["questions"] == 2
    assert figures["kinds"]["sections"]["questions"] == 1
    assert figures["kinds"]["all"]["ways"]["ours"]["recall@1"] == 1
    assert figures["kinds"]["all"]["gains"]["ours"]["recall@5"]["mean"] == 0
    assert figures["about"]["auc"] == 1


def test_it_tells_its_figures_in_lines(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_retrieval.py", str(data), "--limit", "1"])
    assert main() == 0
    out = capsys.readouterr().out
    assert "all: 1 questions on 1 documents" in out
    assert "ours less BM25, recall@1: +0.0 points" in out
    assert "AUC" in out


def test_a_passage_counts_when_it_holds_the_whole_answer() -> None:
    question = Question("?", "a", 100, 150, "extractive")
    places = [Place("b", 0, 1_000), Place("a", 110, 1_000), Place("a", 0, 149), Place("a", 100, 150)]
    assert [place.answers(question) for place in places] == [False, False, False, True]
    assert rank_of_answer(places, question) == 4
    assert rank_of_answer(places[:3], question) == 0
    assert Place("a", 1_000, 2_000).answers(Question("?", "a", 500, 2_500, "section"))


def test_bm25_prefers_rare_words_and_short_texts() -> None:
    plain = PlainBm25(["a cat and a dog", "a dog", "a dog and more words about it than there are"])
    assert plain.best("cat", 3) == [0]
    assert plain.best("dog", 3) == [1, 0, 2]
    assert plain.best("nothing", 3) == []


def test_intervals_by_document_are_wider_when_a_document_decides() -> None:
    one = gain([1.0] * 20 + [0.0] * 20, ["a"] * 20 + ["b"] * 20, seed=1)
    assert one.mean == 0.5
    assert one.by_document == (0, 1)
    assert 0.2 < one.by_question[0] < one.by_question[1] < 0.8


def test_the_area_counts_pairs_and_halves_ties() -> None:
    assert area([3, 2], [1, 0]) == 1
    assert area([1], [1]) == 0.5
    assert area([1, 3], [2, 2]) == 0.5
