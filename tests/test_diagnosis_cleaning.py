"""The text of a line is what a terminal shows, and its form is what it shares with lines of its kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.diagnosis.cleaning import LONGEST, body, clean, form


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x1b[31;1mFAIL\x1b[0m a", "FAIL a"),
        (b"^[[96msrc/a.ts^[[0m:^[[93m5^[[0m", "src/a.ts:5"),
        (b"\x1b]8;;http://x\x07link\x1b]8;;\x07", "link"),
        (b"10%\r100%\r\r", "100%"),
        (b"2026-04-22T16:11:48.3052808Z   indented", "  indented"),
        (b"\xef\xbb\xbf2026-04-22T16:11:48.3052808Z first", "first"),
        (b"section_start:1700:build\r\x1b[0KBuilding", "Building"),
        (b"2026-04-22 16:11:48 kept", "2026-04-22 16:11:48 kept"),
        (b"a\x00b\x08c", "abc"),
        ("\u202eerror\u200b".encode(), "error"),
        (b"\xff bad", "\ufffd bad"),
        (b"tab\tstays  ", "tab\tstays"),
    ],
)
def test_a_line_is_shown_as_a_terminal_would(raw: bytes, text: str) -> None:
    assert clean(raw) == text


@given(st.binary(max_size=200))
def test_no_control_code_is_left(raw: bytes) -> None:
    assert all(letter == "\t" or letter.isprintable() or ord(letter) > 0x9F for letter in clean(raw.replace(b"\n", b"")))


def test_a_long_line_is_cut_between_words_and_says_so() -> None:
    text = clean(b"x " * 990 + b"ghp_0123456789abcdef0123456789abcdef0123 end")
    assert "ghp" not in text
    assert text.endswith("(the line is longer: 2,024 bytes)")
    assert len(clean(b"a" * 100_000)) < LONGEST + 100
    assert clean(b"start", 9000).endswith("(the line is longer: 9,000 bytes)")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-04-22 16:11:48,123 ERROR x", "ERROR x"),
        ("[12:01:02] ERROR x", "ERROR x"),
        ("#8 9.412 npm error", "npm error"),
        ("web-1  | panic: x", "panic: x"),
        ("  indented", "indented"),
        ("plain", "plain"),
    ],
)
def test_what_a_tool_writes_before_a_line_is_no_part_of_it(text: str, found: str) -> None:
    assert body(text) == found


def test_lines_that_differ_in_numbers_have_one_shape() -> None:
    assert form("request 0a1b2c3d4e took 12.5 ms at 0x7ffe") == form("request 99aabbccdd took 3 ms at 0x1")
    assert form("test a failed") != form("test b failed")
