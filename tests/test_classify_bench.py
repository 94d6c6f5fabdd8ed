"""The benchmark of the classifier, and the training of its table on a few requests."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest
from bench_classify import by_class, by_confidence, main, off, part, read, summary
from train_classifier import examples, heat_of, patterns, report, table, train

from mmos.config.facts import TASK_CLASSES

CASES = [
    {"id": "a", "text": "What is a mutex?", "label": "SIMPLE_QUERY"},
    {"id": "b", "text": "Fix the crash in the importer", "label": "bug_fixing"},
    {"id": "c", "text": "Write a README", "label": "REFACTORING"},
]


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.jsonl"
    path.write_text("\n".join(map(json.dumps, CASES)), encoding="utf-8")
    return path


def test_it_counts_what_is_right(cases: Path) -> None:
    found = read(cases)
    assert [case.right for case in found] == [True, True, False]
    assert summary(found).startswith("3 cases: 66.7% right")
    assert "refactoring         0 of 1    documentation 1" in by_class(found)
    assert by_confidence(found).count("\n") >= 1
    assert off(found[:2]) == pytest.approx(1 - sum(case.said.confidence for case in found[:2]) / 2)


def test_the_parts_are_the_whole(cases: Path) -> None:
    found = read(cases)
    assert sorted(case.name for which in ("1/2", "2/2") for case in part(found, which, seed=1)) == ["a", "b", "c"]


def test_a_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["bench_classify.py", str(tmp_path / "none.jsonl")])
    assert main() == 2
    assert "is not there" in capsys.readouterr().err


def test_every_place_of_the_patterns_can_be_filled() -> None:
    lines = patterns()
    assert {kind for kind, _ in lines} == set(range(len(TASK_CLASSES)))
    assert len({line for _, line in lines}) > 3000
    some = examples(random.Random(1).sample(lines, 100), random.Random(1), 1)
    assert all(example.features for example in some)


def test_training_learns_and_its_confidence_is_corrected() -> None:
    things = ("small", "big", "new", "other")
    lines = [(0, f"write a {word} function") for word in things] + [(5, f"what is a {word} one?") for word in things]
    given = examples(lines, random.Random(1))
    model = train(given, random.Random(1))
    found = [(example.kind, model.scores(example.features)) for example in given]
    assert [scores.index(max(scores)) for _, scores in found] == [0] * 4 + [5] * 4
    assert heat_of(found) < 1
    assert report(found, 1.0).startswith("100.0% of 8")
    assert json.loads(table(model, 1.0))["classes"] == list(TASK_CLASSES)
