"""What a line is to a reader who looks for a cause: its kind, and that no line takes long to read."""

from __future__ import annotations

from time import perf_counter

import pytest

from mmos.diagnosis.marks import Kind, mark, place
from mmos.diagnosis.vocabulary import Vocabulary, outspoken, patterns

LINES = {
    Kind.CAUSE: [
        "error[E0308]: mismatched types",
        "src/a.ts(3,5): error TS2304: Cannot find name 'x'.",
        "ValueError: bad",
        "sh: 1: pnpm: not found",
        "##[error]No token",
    ],
    Kind.TEST: [
        "--- FAIL: TestA (0.01s)",
        "FAILED tests/test_a.py::test_b - assert 1 == 2",
        "test a::b ... FAILED",
        "  ✕ adds".strip(),
        "not ok 3 - adds",
    ],
    Kind.SUMMARY: ["1 failed, 41 passed", "error: could not compile `app`", "BUILD FAILED in 3s", "Tests:       1 failed, 311 passed"],
    Kind.MESSENGER: [
        "##[error]Process completed with exit code 1.",
        "make: *** [Makefile:12: all] Error 2",
        "npm ERR! code ELIFECYCLE",
        "exit status 1",
    ],
    Kind.ASSERTION: ["Expected: 90", "assert 1 == 2", "left: 3"],
    Kind.NOISE: [
        "test errors::a ... ok",
        "0 errors, 0 warnings",
        "warning: `panic` is deprecated",
        "[ 12%] Building CXX object error_a.cpp.o",
        "failed: false,",
    ],
    Kind.START: ["Traceback (most recent call last):", "stack backtrace:"],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in LINES.items() for text in texts])
def test_the_kind_of_a_line(kind: Kind, text: str) -> None:
    assert mark(text).kind is kind


@pytest.mark.parametrize(
    "text", ['File "/w/a.py", line 3, in run', "at run (/w/a.js:3:5)", "--> src/a.rs:3:5", "src/a.go:3: x", "#1  0x00 in put () at a.c:8"]
)
def test_a_place_in_the_sources(text: str) -> None:
    assert place(text).kind is Kind.PLACE


def test_places_in_the_libraries_of_others_count_less() -> None:
    assert place('File "/v/site-packages/a.py", line 3, in run').weight < place('File "/w/a.py", line 3, in run').weight


@pytest.mark.parametrize(
    "text", ["a." * 300, "Error" * 100, "Error12:" * 60, "failed " * 70, "exit " * 100, "::error" * 70, "expected " * 60, "1 " * 250]
)
def test_no_line_takes_long(text: str) -> None:
    started = perf_counter()
    mark(text)
    place(text)
    assert perf_counter() - started < 0.5


def test_names_with_words_of_failure_tell_nothing() -> None:
    lines = [b"compiled src/error_handler.o", b"Error: no disk", b"test fails_without_it", b"java.lang.IllegalStateException: x", b"ok"]
    assert [index for index, _ in Vocabulary().telling(lines)] == [1, 3]
    assert [index for index, _ in outspoken(lines)] == [1, 3]


def test_lines_of_one_pattern_differ_in_rare_words_only() -> None:
    words = [f"cannot open {name} now".split() for name in "abcdefgh"]
    assert set(patterns([[word.encode() for word in line] for line in [*words, ["disk", "is", "full", "now"]]])) == {
        b"cannot open * now",
        b"disk is full now",
    }
