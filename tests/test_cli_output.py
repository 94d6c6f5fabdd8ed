"""How things are printed: nothing that a model writes steers the terminal, and tables stay in their columns."""

from __future__ import annotations

import io
import json
import os
import time
import unicodedata

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmos.cli.output import has_no_reader, how_long, one_line, print_json
from mmos.cli.tables import IN_A_PIPE, columns, table
from mmos.cli.text import cells, harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words", "plain words"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("\x1b]0;title\x07", "]0;title"),
        ("\x9b31m \x00 \x7f \r \x08", "31m    "),
        ("abc\u202edcba\u2066x\u2069", "abcdcbax"),
        ("\ufeffmark \u200bspace", "mark space"),
        ("half \ud83d", "half "),
        ("👩\u200d💻 ❤\ufe0f 👍🏽 🇩🇪", "👩\u200d💻 ❤\ufe0f 👍🏽 🇩🇪"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("new sign \U0001fae8, own sign \ue0b0", "new sign \U0001fae8, own sign \ue0b0"),
        ("日本語 ñ é", "日本語 ñ é"),
    ],
)
def test_what_steers_goes_and_what_is_read_stays(text: str, shown: str) -> None:
    assert harmless(text) == shown


@given(st.text())
def test_no_control_sign_is_left_and_nothing_else_is_lost(text: str) -> None:
    shown = harmless(text)
    assert not [sign for sign in shown if unicodedata.category(sign) == "Cc" and sign not in "\n\t"]
    assert harmless(shown) == shown
    assert [sign for sign in text if sign.isalnum()] == [sign for sign in shown if sign.isalnum()]


@given(st.text(), st.integers(1, 50))
def test_one_line_is_one_line_of_that_width(text: str, width: int) -> None:
    line = one_line(text, width)
    assert "\n" not in line
    assert len(line) <= max(width, 2)
    assert line == " ".join(line.split()) or line.endswith("…")


def test_a_table_keeps_its_columns_whatever_stands_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    table(("ID", "NAME", "TASK"), [("1", "a\nname\x1b[2J", "First " * 40), ("22", "", "Second\nline")])
    assert capsys.readouterr().out.splitlines() == [
        "ID  NAME       TASK",
        "1   a name[2J  " + ("First " * 40)[:184] + "…",
        "22             Second line",
    ]


WEIRD = st.text(st.sampled_from("aé日本\n\t\x1b\u202e\u0301\U0001f600 \r\x00\u2028|"), max_size=400).map(lambda text: text * 20)


@given(st.lists(st.tuples(WEIRD, WEIRD, WEIRD), min_size=1, max_size=3))
def test_in_a_pipe_a_row_is_one_line_of_two_hundred_cells_at_most_and_has_every_column(rows: list[tuple[str, str, str]]) -> None:
    lines = columns(("ID", "NAME", "TASK"), rows, None, ["NAME"])
    assert len(lines) == len(rows) + 1
    assert click.unstyle(lines[0]).split() == ["ID", "NAME", "TASK"]
    for line in map(click.unstyle, lines):
        assert cells(line) <= IN_A_PIPE
        assert len(line.splitlines()) <= 1
        assert harmless(line) == line


def test_a_text_that_has_no_end_is_cut_in_no_time() -> None:
    begun = time.perf_counter()
    (_, row) = columns(("ID", "TASK"), [("1", "wörter\n" * 3_000_000)], None)
    assert time.perf_counter() - begun < 0.5
    assert len(row) == IN_A_PIPE
    assert row.endswith("…")


def test_a_document_stands_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"answer": "ü\n"})
    told = capsys.readouterr()
    assert (json.loads(told.out), told.err) == ({"answer": "ü\n"}, "")


@pytest.mark.parametrize(("seconds", "told"), [(0.04, "0.0 s"), (119.9, "119.9 s"), (125, "2 min 5 s"), (7300, "2 h 1 min")])
def test_times_are_told_as_people_do(seconds: float, told: str) -> None:
    assert how_long(seconds) == told


def test_wide_signs_keep_their_columns(capsys: pytest.CaptureFixture[str]) -> None:
    table(("NAME", "TASK"), [("日本", "wide"), ("abcd", "narrow")])
    assert capsys.readouterr().out.splitlines() == ["NAME  TASK", "日本  wide", "abcd  narrow"]


def test_a_pipe_that_nobody_reads_is_known_before_anything_is_written() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        assert not has_no_reader(stream)
        os.close(reading)
        assert has_no_reader(stream)
    assert not has_no_reader(io.StringIO())


def test_where_no_column_is_spare_the_widest_gives_way_and_every_line_fits() -> None:
    lines = [click.unstyle(line) for line in columns(("A", "MODEL", "FOR"), [("x", "m" * 60, "words " * 30)], 60)]
    assert all(len(line) <= 60 for line in lines)
    assert lines[1].startswith("x  mmm")
    assert "words words words" in lines[1]
    assert [len(click.unstyle(line)) for line in columns(("A", "B"), [("a" * 90, "b")], 20)] == [20, 20]
