"""Two texts beside each other."""

import re

from mmos.cli.sides import pairs, sides
from mmos.cli.styles import style
from mmos.cli.text import cells


def plain(line: str) -> str:
    return re.sub(r"\x1b\[[?0-9;]*m", "", line)


def test_columns_are_wrapped_and_fit() -> None:
    lines = [plain(line) for line in sides(["one", "two"], ["word " * 30, "kurz\n\n日本語のテキスト"], width=61)]
    assert all(cells(line) <= 61 for line in lines)
    assert lines[0].split("│") == ["one" + " " * 27, " two"]
    assert {line.index("│") for line in lines if "│" in line} == {30}
    assert sum(line.split("│")[0].count("word") for line in lines) == 30


def test_what_only_one_has_is_bold() -> None:
    same, other = list(sides(["a", "b"], ["same\nleft", "same\nright"], width=80))[2:]
    assert style("same", "bold") not in same
    assert style("left", "bold") in other
    assert style("right", "bold") in other


def test_on_a_narrow_terminal_the_texts_stand_below_each_other() -> None:
    lines = [plain(line) for line in sides(["one", "two"], ["left", "right"], width=40)]
    assert lines == ["one", "left", "", "two", "right", ""]


def test_signs_that_steer_the_terminal_are_gone() -> None:
    assert not any("\x1b]" in line for line in sides(["a\x1b]0;x\x07", "b"], ["\x1b]0;x\x07", ""], width=80))


def test_a_last_one_stands_alone() -> None:
    assert [list(pair) for pair in pairs("abc")] == [["a", "b"], ["c"]]
