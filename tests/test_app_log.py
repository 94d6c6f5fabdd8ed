"""Parts of a log that are read again: by number, by pattern, in bounded pieces, with secrets masked."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmos.app.log import MOST_FOUND, MOST_SHOWN, Log
from mmos.calls.patterns import UnknownPattern

TEXT = "".join(f"line {number}\n" for number in range(1, 1001)) + "Error: disk FULL\n\npassword=hunter2hunter2\nlast"


def in_pieces(text: str, size: int) -> Log:
    data = text.encode()
    return Log(lambda: (data[start : start + size] for start in range(0, len(data), size)))


@pytest.mark.parametrize("size", [1, 7, 100, 100_000])
def test_lines_have_the_same_numbers_in_any_pieces(size: int) -> None:
    log = in_pieces(TEXT, size)
    assert {number: line.text for number, line in log.lines([1, 1000, 1001, 1002, 1004, 9999, 0, -3]).items()} == {
        1: "line 1", 1000: "line 1000", 1001: "Error: disk FULL", 1002: "", 1004: "last",
    }  # fmt: skip
    assert [line.number for line in log.search("full").lines] == [1001]
    assert [line.number for line in log.view(999, 1001).lines] == [999, 1000, 1001]
    assert log.has("DISK full")
    assert not log.has("tape")


def test_a_view_is_bounded_and_says_where_to_go_on() -> None:
    part = Log.of(TEXT).view(10, 5000)
    assert (len(part.lines), part.next) == (MOST_SHOWN, 10 + MOST_SHOWN)
    assert Log.of(TEXT).view(1003, 9999).next is None
    assert Log.of(TEXT).view(2000, 3000).lines == ()
    wide = Log.of("x" * 1900 + "\n" + "y" * 1900 + "\n" + "z" * 1900 + "\n" + "u" * 1900 + "\n" + "v" * 1900)
    assert (len(wide.view(1, 5).lines), wide.view(1, 5).next) == (4, 5)


def test_a_search_is_bounded_and_goes_on() -> None:
    part = Log.of(TEXT).search("line \\d+$")
    assert (len(part.lines), part.next) == (MOST_FOUND, MOST_FOUND + 1)
    assert Log.of(TEXT).search("line \\d+$", first=995).lines[0].number == 995
    assert [line.number for line in Log.of(TEXT).search("LINE 7$").lines] == [7]


def test_no_pattern_of_a_model_can_hang() -> None:
    log = Log.of("a" * 2000 + "!\n" + "b\n" * 1000)
    part = log.search("^(a+)+$")
    assert part.lines == ()
    for pattern in ("(", "(?P<x>a)(?P=x)", "x" * 5000):
        with pytest.raises(UnknownPattern):
            log.search(pattern)


def test_secrets_are_masked_and_cannot_be_searched_for() -> None:
    log = Log.of(TEXT)
    assert "hunter2" not in log.lines([1003])[1003].text
    assert log.search("hunter2").lines == ()
    assert "hunter2" not in log.search("password").lines[0].text


def test_of_a_file_that_grows_only_what_was_there_counts(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("one\ntwo\n")
    log = Log.of(path)
    with path.open("a") as file:
        file.write("three\n")
    assert [line.text for line in log.lines([1, 2, 3]).values()] == ["one", "two"]
    path.write_text("")
    assert log.lines([1]) == {}


def test_the_inside_of_a_key_is_masked_line_by_line() -> None:
    inside = ["MIIEpAIBAAKCAQEA7bq1Zk0pL5v7mX2Qw8sT9uYhNcRfGjKdVbXe3aPoLiMnBzQx", "Zk0pL5v7mX2Q=="]
    log = Log.of("\n".join(["-----BEGIN RSA PRIVATE KEY-----", *inside, "-----END RSA PRIVATE KEY-----", "9" * 20 + "a" * 20]))
    assert [line.text for line in log.view(2, 3).lines] == ["[masked]"] * 2
    assert log.search("mX2Q").lines == ()
    assert log.lines([5])[5].text == "9" * 20 + "a" * 20
