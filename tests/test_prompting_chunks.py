"""Tests of the parts of a text: nothing is lost, each fits, and the cuts follow the structure."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.prompting.budget import estimate
from mmos.prompting.chunks import split

_PIECES = [
    "# A\n",
    "## B c\n",
    "```\n",
    "def f(x):\n",
    "class K:\n",
    "word ",
    "End. ",
    "\n\n",
    "\r\n",
    "漢字。",
    "🙂",
    "Title\n===\n",
    "    x = 1\n",
    "a" * 50,
]


@given(st.lists(st.one_of(st.sampled_from(_PIECES), st.text(max_size=30)), max_size=80).map("".join), st.floats(0.1, 60))
def test_joined_the_parts_are_the_text_and_each_one_fits(text: str, budget: float) -> None:
    parts = split(text, budget)
    assert "".join(part.text for part in parts) == text
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert all(part.of == len(parts) for part in parts)
    assert all(estimate(part.text) <= budget or len(part.text) == 1 for part in parts)


def test_a_text_that_fits_is_one_part() -> None:
    assert [part.text for part in split("Short.", 100)] == ["Short."]
    assert [part.text for part in split("", 100)] == [""]


def test_a_document_is_cut_at_its_headings_and_each_part_knows_where_it_is() -> None:
    body = "Some words that stand here and say little. " * 12
    text = "".join(
        f"# Chapter {chapter}\n\n" + "".join(f"## Section {chapter}.{one}\n\n{body}\n\n" for one in (1, 2)) for chapter in (1, 2, 3)
    )
    parts = split(text, estimate(text) / 3 + 5)
    assert [part.text.splitlines()[0] for part in parts] == ["# Chapter 1", "# Chapter 2", "# Chapter 3"]
    assert (parts[1].number, parts[1].of, parts[1].path) == (2, 3, ("Chapter 2",))
    smaller = split(text, estimate(body) + 20)
    assert smaller[1].path == ("Chapter 1", "Section 1.2")


def test_a_comment_in_code_is_no_heading_and_a_hash_in_a_fence_is_none() -> None:
    text = "# Guide\n\n```sh\n# install it\nmake\n```\n\n" + "More words follow here. " * 30
    assert {part.path for part in split(text, 40)} == {("Guide",)}


CODES = {
    "python": "@cache\ndef name(x):\n    return x + 1\n\n\n",
    "go": "// Name adds.\nfunc Name(x int) int {\n\treturn x + 1\n}\n\n",
    "rust": "/// Adds.\npub fn name(x: u32) -> u32 {\n    x + 1\n}\n\n",
    "java": "public static int name(int x) {\n    return x + 1;\n}\n\n",
    "c": "static int name(int x) {\n    return x + 1;\n}\n\n",
    "typescript": "export async function name(x: number) {\n  return x + 1;\n}\n\n",
    "sql": "CREATE TABLE name (\n  x INTEGER\n);\n\n",
}


@pytest.mark.parametrize("language", CODES)
def test_code_is_cut_between_definitions(language: str) -> None:
    code = CODES[language]
    parts = split(code * 40, estimate(code) * 7)
    assert len(parts) > 5
    assert all(part.text.startswith(code) for part in parts), f"{language}: a definition keeps the comment above it"
    assert "name" in parts[1].path[-1].lower()


@pytest.mark.parametrize(
    ("joint", "text"),
    [("\n\n", "one two three four. five six\nseven"), (". ", "one two three four five six"), ("\n", "one two three"), (" ", "word")],
)
def test_without_headings_the_best_joint_counts(joint: str, text: str) -> None:
    parts = split((text + joint) * 60, 90)
    assert all(part.text.endswith(joint) for part in parts)


def test_parts_are_about_even() -> None:
    sizes = [estimate(part.text) for part in split("A sentence of a few words. " * 1000, 1000)]
    assert min(sizes) > 0.6 * max(sizes)


@pytest.mark.parametrize("text", [("The quick brown fox jumps over it. " * 20 + "\n\n") * 14_000, "x" * 10_000_000, "." * 10_000_000])
def test_ten_megabytes_take_seconds(text: str) -> None:
    begin = time.process_time()
    assert len(split(text, 4000)) > 600
    assert time.process_time() - begin < 4, "usual: below one second"
