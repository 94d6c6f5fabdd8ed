"""Markdown as it is written: the same lines however the text is cut, no word lost, no line too wide, nothing that steers."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from wcwidth import wcswidth

from mmos.cli import guard
from mmos.cli.chat.markdown import MarkdownStream

SEQUENCE = re.compile(r"\x1b\[\??[0-9;]*m")

FRAGMENTS = [
    "word", "two words", "**bold**", "*slanted*", "`code`", "``a`b``", "[label](http://host/path)", "![picture](p.png)", "<div>", "snake_case",
    "a-very-long-word-" * 9, "日本語の長い文章です。", "「括弧」", "👩‍💻", "👍🏽", "🇩🇪", "é", "שלום", "2 * 3", "**open", "`open", "~~struck~~", "\\*star\\*", "\\(x_{1}\\)",
    "# head", "## head ##", "- item", "  - nested", "    deep", "1. one", "7) seven", "> quote", ">> twice", "```python", "```", "````md", "~~~", "---",
    "===", "| a | b |", "|---|:-:|", "| c | d | e |", "\t", "  ", "-", "3.", "def f(x): return 'text'  # why", '"""', "\x1b[31m", "\u202e", "\r", "x\u2028y",
]  # fmt: skip
TEXTS = st.lists(st.tuples(st.sampled_from(FRAGMENTS), st.sampled_from([" ", "\n", "\n\n", ""])), max_size=40).map(
    lambda parts: "".join(fragment + end for fragment, end in parts)
)
LONG_TEXTS = TEXTS.map(lambda text: text.replace("\n", " ") * 20) | TEXTS.map(lambda text: f"```\n{text.replace('```', ' ')}" * 10)
ANY_TEXTS = TEXTS | LONG_TEXTS | st.text(max_size=200)
WIDTHS = st.integers(20, 200)


def rendered(text: str, width: int = 60, *, colour: bool = False) -> list[str]:
    stream = MarkdownStream(width, colour)
    return list(map(guard.terminal_text, [*stream.feed(text), *stream.finish()]))


def plain(lines: list[str]) -> list[str]:
    return [SEQUENCE.sub("", line) for line in lines]


def shown(text: str, width: int = 60) -> str:
    """What is seen with colours, without them."""
    return "\n".join(plain(rendered(text, width, colour=True)))


def letters(text: str) -> Counter[str]:
    return Counter(sign for sign in text if sign.isalnum())


# ---------------------------------------------------------------- laws


@given(ANY_TEXTS, st.data(), WIDTHS, st.booleans())
def test_however_it_is_cut_the_same_lines_come_out(text: str, data: st.DataObject, width: int, colour: bool) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    stream = MarkdownStream(width, colour)
    lines: list[str] = []
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        lines += stream.feed(text[begin:end])
        stream.tail()
        assert lines == MarkdownStream(width, colour).feed(text[:end])
    assert list(map(guard.terminal_text, [*lines, *stream.finish()])) == rendered(text, width, colour=colour)


@given(ANY_TEXTS, WIDTHS, st.booleans())
def test_no_word_is_lost(text: str, width: int, colour: bool) -> None:
    seen = letters("".join(plain(rendered(text, width, colour=colour))))
    assert not letters(text) - seen


@given(ANY_TEXTS, WIDTHS, st.booleans())
def test_no_line_is_wider_than_the_terminal(text: str, width: int, colour: bool) -> None:
    stream = MarkdownStream(width, colour)
    for line in plain([*stream.feed(text), *stream.tail(), *stream.finish()]):
        assert max(wcswidth(line), cell_len(line)) <= width


@given(ANY_TEXTS, WIDTHS, st.booleans())
def test_nothing_steers_the_terminal(text: str, width: int, colour: bool) -> None:
    stream = MarkdownStream(width, colour)
    lines = [*stream.feed(text), *stream.tail(), *stream.finish()]
    bare = plain(lines) if colour else lines
    signs = {sign for line in bare for sign in line}
    assert not [sign for sign in signs if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")]
    assert not {"\u202e", "\u2066"} & signs


@given(ANY_TEXTS, WIDTHS)
def test_every_line_ends_in_the_style_that_it_began_in(text: str, width: int) -> None:
    for line in rendered(text, width, colour=True):
        styles = SEQUENCE.findall(line)
        assert not styles or styles[-1] == "\x1b[0m"


@given(TEXTS, WIDTHS)
def test_what_is_open_is_what_would_be_left_if_the_text_ended(text: str, width: int) -> None:
    stream = MarkdownStream(width, False)
    stream.feed(text + "\n")
    assert stream.tail() == stream.finish()


@given(TEXTS, WIDTHS, WIDTHS)
def test_from_a_new_width_on_every_line_fits_it(text: str, before: int, after: int) -> None:
    stream = MarkdownStream(before, True)
    stream.feed(text)
    stream.resize(after)
    for line in plain([*stream.tail(), *stream.feed(f"\n{text}"), *stream.finish()]):
        assert max(wcswidth(line), cell_len(line)) <= after


# ---------------------------------------------------------------- what goes out when


def test_a_paragraph_goes_out_at_its_end() -> None:
    stream = MarkdownStream(60, False)
    assert stream.feed("One two\nthree") == []
    assert stream.tail() == ["One two", "three"]
    assert stream.feed(" four.\n\n") == ["One two", "three four."]
    assert stream.tail() == []
    assert stream.feed("Next") == []
    assert stream.tail() == ["", "Next"]
    assert stream.finish() == ["", "Next"]


def test_code_goes_out_line_by_line_and_only_its_last_line_is_open() -> None:
    stream = MarkdownStream(60, True)
    assert plain(stream.feed("```python\n")) == ["  python"]
    for number in range(3000):
        assert plain(stream.feed(f"x = {number}\n")) == [f"  x = {number}"]
    stream.feed("y = ")
    assert plain(stream.tail()) == ["  y ="]


def test_items_of_a_list_go_out_when_the_next_one_begins() -> None:
    stream = MarkdownStream(60, False)
    assert stream.feed("1. One\n2. Two\n   more\n3. Thr") == ["1. One"]
    assert stream.tail() == ["2. Two", "   more", "3. Thr"]
    assert stream.feed("ee\n4. Four\n") == ["2. Two", "   more", "3. Three"]


def test_headings_and_rules_go_out_at_once() -> None:
    assert MarkdownStream(20, False).feed("# One\n---\ntext") == ["# One", "", "---"]


def test_a_table_goes_out_once_its_first_rows_have_settled_the_columns() -> None:
    stream = MarkdownStream(60, False)
    assert stream.feed("| a | b |\n|---|---|\n" + "| cell | x |\n" * 19) == []
    assert len(stream.tail()) == 21
    assert len(stream.feed("| cell | x |\n")) == 22
    assert stream.feed("| a much longer cell | y |\n| 1 |") == ["a    | y", "much |", "long |", "er   |", "cell |"]
    assert stream.tail() == ["1    |"]


def test_a_paragraph_without_end_goes_out_line_by_line() -> None:
    stream = MarkdownStream(40, False)
    lines = stream.feed("word " * 10_000)
    assert set(lines) == {" ".join(["word"] * 8)}
    assert 0 < len(stream.tail()) < 60
    assert [*lines, *stream.finish()] == [" ".join(["word"] * 8)] * 1250


def test_what_is_being_written_is_shown_as_if_it_were_closed() -> None:
    stream = MarkdownStream(60, True)
    for piece, open_block in (
        ("Some **bo", "Some \x1b[1mbo\x1b[0m"),
        ("ld** and `co", "Some \x1b[1mbold\x1b[0m and \x1b[36mco\x1b[0m"),
        ("de` and *a", "Some \x1b[1mbold\x1b[0m and \x1b[36mcode\x1b[0m and \x1b[3ma\x1b[0m"),
    ):
        stream.feed(piece)
        assert list(map(guard.terminal_text, stream.tail())) == [open_block]


@pytest.mark.parametrize("beginning", ["#", "-", "``", "```py", "***", "|", ">", "=="])
def test_a_line_that_may_become_anything_is_not_shown_yet(beginning: str) -> None:
    stream = MarkdownStream(60, False)
    stream.feed("Text\n" + beginning)
    assert stream.tail() == ["Text"]


def test_a_stream_can_be_used_again() -> None:
    stream = MarkdownStream(60, False)
    assert [*stream.feed("```\nopen"), *stream.finish()] == ["```", "open"]
    assert [*stream.feed("text"), *stream.finish()] == ["text"]


# ---------------------------------------------------------------- blocks


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("Title\n=====\ntext", "Title\ntext"),
        ("# One\ntext\n## Two ##", "One\ntext\n\nTwo"),
        ("#hashtag", "#hashtag"),
        ("- a\n- b\n\n  more\n* c", "• a\n• b\n\n  more\n• c"),
        ("3. three\n\n9. nine", "3. three\n\n9. nine"),
        ("1. a\n  - b\n     - c\n2. d", "1. a\n  • b\n     • c\n2. d"),
        ("- - x", "• • x"),
        ("-\n- b\n3.", "•\n• b\n  3."),
        ("The year was\n1986. A good one", "The year was\n1986. A good one"),
        ("> a\n> > b\nc", "▌ a\n▌ ▌ b\n▌ ▌ c"),
        ("- [ ] open\n- [x] done", "• [ ] open\n• [x] done"),
        ("a\n\n\n\nb", "a\n\nb"),
        ("    indented\n\n    code\ntext", "  indented\n\n  code\n\ntext"),
        ("<details>\n<b>bold</b>", "<details>\n<b>bold</b>"),
        ("line<br>break", "line\nbreak"),
        ("if a &lt; b &amp;&amp; c", "if a < b && c"),
        ("&#27;[2J", "&#27;[2J"),
        ("a\tb", "a b"),
    ],
)
def test_blocks(text: str, seen: str) -> None:
    assert shown(text) == seen


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("```\nopen", "  open"),
        ("````\n```\n````\nout", "  ```\n\nout"),
        ("```markdown\n```python\nx\n```\ny\n```\nout", "  markdown\n  ```python\n  x\n  ```\n  y\n\nout"),
        ("~~~\n```\n~~~\nout", "  ```\n\nout"),
        ("1. do\n   ```sh\n   ls\n\n     -l\n   ```\n2. next", "1. do\n\n     sh\n     ls\n\n       -l\n\n2. next"),
        ("- x\n  ```\nunder\n  ```\n- y", "• x\n\n    under\n\n• y"),
        ("```python\nif x:\n\tgo()\n```", "  python\n  if x:\n      go()"),
        ("> ```\n> a\nout", "▌   a\n\nout"),
    ],
)
def test_fences(text: str, seen: str) -> None:
    assert shown(text) == seen


def test_tables_are_set_in_columns_and_in_lists_where_none_fit() -> None:
    text = "| Name | Size | Note |\n|:--|--:|:-:|\n| one | 10 | `a|b` |\n| two \\| three | 2 | x | y |\n\nafter"
    assert shown(text) == (
        "Name        │ Size │ Note\n────────────┼──────┼──────\none         │   10 │  a|b\ntwo | three │    2 │ x | y\n\nafter"
    )
    narrow = shown("| a | b | c | d |\n|--|--|--|--|\n| word1 | word2 | word3 | word4 |", 20)
    assert narrow.splitlines() == ["a: word1", "b: word2", "c: word3", "d: word4", "────────"]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("**a** b", "\x1b[1ma\x1b[0m b"),
        ("***a***", "\x1b[1;3ma\x1b[0m"),
        ("__a__ _b_ c_d_e", "\x1b[1ma\x1b[0m \x1b[3mb\x1b[0m c_d_e"),
        ("2 * 3 * 4 **", "2 * 3 * 4 **"),
        ("`a*b*`", "\x1b[36ma*b*\x1b[0m"),
        ("`` a`b ``", "\x1b[36ma`b\x1b[0m"),
        ("\\*a\\*", "*a*"),
        ("**中文**。", "\x1b[1m中文\x1b[0m。"),
        ("[a](http://h)", "\x1b[4ma\x1b[0m \x1b[2m(http://h)\x1b[0m"),
        ("[http://h](http://h)", "\x1b[4mhttp://h\x1b[0m"),
        ("<https://h/x>", "\x1b[4mhttps://h/x\x1b[0m"),
        ("[a](http://h/f_(x) 'title')", "\x1b[4ma\x1b[0m \x1b[2m(http://h/f_(x) 'title')\x1b[0m"),
        ("[**a**](u)", "\x1b[1;4ma\x1b[0m \x1b[2m(u)\x1b[0m"),
        ("\\(a_{i} * b * c\\)", "\x1b[36m\\(a_{i} * b * c\\)\x1b[0m"),
        ("[a][1] and a[i](j", "[a][1] and a[i](j"),
    ],
)
def test_marks_within_a_line(text: str, spans: str) -> None:
    assert rendered(text, colour=True) == [spans]


def test_without_colours_the_marks_stay() -> None:
    text = "## Head\n\nSome **bold** `code`.\n\n- item\n\n```sh\nls\n```"
    assert "\n".join(rendered(text)) == text


def test_code_is_coloured_over_its_lines() -> None:
    lines = rendered('```py\n"""a\nb""" + 1 # c\n```', colour=True)
    assert lines[1:] == ['  \x1b[32m"""a\x1b[0m', '  \x1b[32mb"""\x1b[0m + \x1b[36m1\x1b[0m \x1b[2m# c\x1b[0m']


@pytest.mark.parametrize("language", ["python", "bash", "rust", "sql", "yaml", "json", "html", "diff", "brainfuck", ""])
def test_code_of_any_language_stays_as_it_is(language: str) -> None:
    code = "+ def f(x): /* `a` */ return \"b\" # 'c\n-- select\n<!-- x\n  y --> <a href='z'>\nkey: 1.5e3\n${HOME} //"
    assert shown(f"```{language}\n{code}\n```").removeprefix(f"  {language}\n") == "\n".join(f"  {line}" for line in code.splitlines())


def test_long_words_and_wide_signs_are_broken_where_they_may_be() -> None:
    assert rendered("x" * 50, 20) == ["x" * 20, "x" * 20, "x" * 10]
    assert rendered("字" * 11 + "。" + "字" * 3, 22) == ["字" * 10, "字。字字字"]
    assert rendered("👩‍💻" * 8, 20, colour=True) == ["👩‍💻" * 5, "👩‍💻" * 3]


def test_deep_nesting_leaves_room_for_the_text() -> None:
    text = "\n".join("  " * depth + f"- level {depth} of the list" for depth in range(30))
    lines = plain(rendered(text, 20, colour=True))
    assert all(wcswidth(line) <= 20 for line in lines)
    assert [line for line in lines if "•" in line][-1].strip().startswith("•")
