"""Texts are cut into filled pieces that lose nothing, with the names of what they belong to."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmos.library.cutting import OVERLAP, cut
from mmos.library.outlines import outline
from mmos.library.passages import SIZE, Piece

LANGUAGES = ["text", "markdown", "rst", "python", "java", "html", "csv", "no language"]
TEXTS = st.text(st.sampled_from("ab. \n\t#=-~`>{}()!?é\u0301\u200d🙂👩\r\x00'\"A"), max_size=600) | st.text(max_size=400)
WORDS = "The host answers within ten seconds. "


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.sampled_from(LANGUAGES), st.integers(1, 90), st.integers(0, 90))
def test_every_character_that_is_not_white_space_lies_in_a_piece(text: str, language: str, size: int, overlap: int) -> None:
    pieces = cut(text, language, size=size, overlap=overlap)
    covered = {place for piece in pieces for place in range(piece.start, piece.end)}
    assert all(place in covered for place, sign in enumerate(text) if not sign.isspace())


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.sampled_from(LANGUAGES), st.integers(1, 90), st.integers(0, 90))
def test_pieces_are_ordered_and_no_larger_than_allowed(text: str, language: str, size: int, overlap: int) -> None:
    pieces = cut(text, language, size=size, overlap=overlap)
    assert all(0 <= one.start < one.end <= len(text) and one.end - one.start <= size for one in pieces)
    assert all(one.start < other.start and one.end < other.end for one, other in pairwise(pieces))
    assert all(text[one.start : one.end].strip() for one in pieces)


@given(TEXTS, st.sampled_from(LANGUAGES))
def test_sections_begin_at_the_start_and_go_on_in_order(text: str, language: str) -> None:
    starts = [one.start for one in outline(text, language)]
    assert starts[0] == 0
    assert starts == sorted(starts)


def test_a_short_text_is_one_piece() -> None:
    assert cut("\n  One line.  \n") == [Piece(3, 12)]


@pytest.mark.parametrize("text", ["", " \n\t ", "\u2003"])
def test_a_text_without_words_has_no_pieces(text: str) -> None:
    assert cut(text) == []


def test_pieces_are_filled() -> None:
    pieces = cut(WORDS * 300)
    assert all(one.end - one.start > 0.9 * SIZE for one in pieces)


def test_pieces_end_and_begin_between_sentences() -> None:
    text = WORDS * 300
    pieces = cut(text)
    assert all(text[one.start : one.end].startswith("The") and text[one.start : one.end].endswith(".") for one in pieces)


def test_neighbours_share_about_as_much_as_they_are_asked_to() -> None:
    pieces = cut(WORDS * 300)
    shared = [one.end - other.start for one, other in pairwise(pieces[:-1])]
    assert all(abs(one - OVERLAP) <= SIZE / 10 for one in shared)


def test_a_text_without_any_break_is_cut_hard() -> None:
    pieces = cut("x" * 2_500, overlap=0)
    assert [(one.start, one.end) for one in pieces] == [(0, 1_000), (1_000, 2_000), (1_500, 2_500)] or pieces[-1].end == 2_500
    assert max(one.end - one.start for one in pieces) == 1_000


def test_no_word_is_cut() -> None:
    text = "lorem ipsum dolor " * 400
    assert {word for one in cut(text) for word in text[one.start : one.end].split()} == {"lorem", "ipsum", "dolor"}


def test_a_sign_stays_with_the_marks_on_it() -> None:
    text = "e\u0301" * 1_500
    assert all(text[one.start] == "e" and text[one.end - 1] == "\u0301" for one in cut(text))


def test_chinese_is_cut_between_its_sentences() -> None:
    text = "主机在十秒内回答。" * 400
    assert all(text[one.start : one.end].endswith("。") for one in cut(text))


MANUAL = "# Install\n\n{0}\n\n## Linux\n\n{0}\n\n## macOS ##\n\n{0}\n\n# [Use](use.md) `it`\n\n{0}\n".format(WORDS * 40)


def test_a_piece_has_the_headings_above_it() -> None:
    assert list(dict.fromkeys(one.path for one in cut(MANUAL, "markdown"))) == ["Install", "Install > Linux", "Install > macOS", "Use it"]


def test_a_piece_has_the_headings_of_its_largest_part() -> None:
    text = "# One\n\nShort.\n\n# Two\n\n" + WORDS * 20
    assert [one.path for one in cut(text, "markdown")] == ["Two"]


def paths(text: str, language: str) -> list[str]:
    return [one.path for one in outline(text, language)]


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("A\n===\n\nx\n\nB\n---\n", "markdown", ["", "A", "A > B"]),
        ("---\ntitle: x\n---\n# A\n", "markdown", ["", "A"]),
        ("# A\n```sh\n# a comment\n```\n## B\n", "markdown", ["", "A", "A > B"]),
        ("# A\n~~~~\n~~~\n# no\n~~~~\n# B\n", "markdown", ["", "A", "B"]),
        ("# A {#anchor}\n## B\n#### D\n## C\n", "markdown", ["", "A", "A > B", "A > B > D", "A > C"]),
        ("- a\n---\n| b |\n---\n", "markdown", [""]),
        ("#\n", "markdown", [""]),
        ("# A <a id='x'></a> **b**\n", "markdown", ["", "A  b"]),
        ("Top\n===\n\nNext\n----\n\nDeep\n~~~~\n\nAgain\n-----\n", "rst", ["", "Top", "Top > Next", "Top > Next > Deep", "Top > Again"]),
        ("# a comment\nx = 1\n", "text", [""]),
        ("# A heading\n\nWords.\n\n## Below\n\nMore.\n", "text", ["", "A heading", "A heading > Below"]),
        ("a,b\n# c\n\n", "csv", [""]),
    ],
)
def test_headings_are_found(text: str, language: str, expected: list[str]) -> None:
    assert paths(text, language) == expected


PYTHON = '''import os


class Host(Base):
    """Serves."""

    async def ask(self, text):
        def inner():
            return 1

        return inner()

    def close(self):
        pass


def main():
    pass


if __name__ == "__main__":
    main()
'''
JAVA = """public class Host {
    public String ask(String text) {
        if (text.isEmpty()) {
            return run(text);
        }
    }
}
"""
GO = "func (h *Host) Ask(text string) string {\n\treturn text\n}\n\ntype Seat struct {\n}\n"
RUST = "impl<T> Ask for Host<T> {\n    pub(crate) async fn ask(&self) -> u8 {\n    }\n}\n"
SCRIPT = "export class Host {\n  ask(text) {\n  }\n}\nexport const run = async (x) => {\n}\nfunction go() {\n}\n"
C = "static int ask(const char *text,\n               int size)\n{\n    return call(text);\n}\n"


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        (PYTHON, "python", ["Host", "Host > ask", "Host > ask > inner", "Host > close", "main"]),
        (JAVA, "java", ["Host", "Host > ask"]),
        (GO, "go", ["Ask", "Seat"]),
        (RUST, "rust", ["Host", "Host > ask"]),
        (SCRIPT, "typescript", ["Host", "run", "go"]),
        (C, "c", ["ask"]),
    ],
)
def test_classes_and_functions_are_found(text: str, language: str, expected: list[str]) -> None:
    assert list(dict.fromkeys(filter(None, paths(text, language)))) == expected


def test_code_below_a_function_does_not_belong_to_it() -> None:
    assert paths(PYTHON, "python")[-1] == ""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "text",
    [
        WORDS * 30_000,
        "#" * 1_000_000,
        "# " + " " * 1_000_000 + "x",
        " " * 1_000_000 + "x",
        "x" * 1_000_000,
        "\n" * 500_000 + "=" * 500_000,
        "a\n" * 400_000,
        "public static " * 70_000,
        "e" + "\u0301" * 500_000,
        "(" * 1_000_000,
        "---\n" * 200_000,
        "[" * 500_000 + "](" * 100_000,
    ],
    ids=lambda text: repr(text[:8]),
)
def test_the_time_grows_no_faster_than_the_text(text: str, language: str) -> None:
    began = time.process_time()
    cut(text, language)
    assert time.process_time() - began < 5
