"""The guard of what is printed: nothing from outside steers a terminal, in any pieces, and what people can read stays."""

from __future__ import annotations

import io
import json
import re
import sys
import time
import unicodedata
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mmos.cli
from mmos.cli.guard import ERASE_LINE, RESET, Guard, guarded, sequence, terminal_text, unstyled
from mmos.cli.output import print_json
from mmos.cli.styles import style
from mmos.cli.text import MOST_MARKS, escaped, harmless
from tests.hostile import NASTY

VISIBLE = {*map(chr, range(0x600, 0x606)), "\u06dd", "\u070f", "\u0890", "\u0891", "\u08e2", "\U000110bd", "\U000110cd"}
"""Signs of Arabic, Syriac and Kaithi that are of the kind of controls, and are seen."""

UNREADABLE = (*NASTY, "\ud800", "\udfff", "a\u200c", "\u200da", "e\u0301\u200d" * 9, "\u0301\u200d" * 9)

READABLE = st.sampled_from(
    ["plain words", "two\nlines\tand a tab", "日本語の文章", "한국어", "naïve café", "e\u0301a\u0300", "שָׁלוֹם בָּרֵאשִׁ֑ית", "مُحَمَّد می\u200cخواهم \u06dd",
     "हिन्दी क्\u200dष", "ภาษาไทยที่นี่", "བོད་སྐད་བརྒྱུད", "👩\u200d💻 ❤\ufe0f\u200d🔥 👍🏽 🇩🇪 1\ufe0f\u20e3 👨\u200d👩\u200d👧\u200d👦", "葛\U000e0100", "own \ue0b0", "→ · … “”"]
)  # fmt: skip
ANY = st.lists(st.sampled_from(UNREADABLE) | READABLE | st.text(max_size=5), max_size=12).map("".join)


def steering(text: str) -> list[str]:
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return [sign for sign in text if unicodedata.category(sign) in kinds and sign not in VISIBLE and sign not in "\n\t\u200c\u200d"]


def test_every_sign_that_steers_goes_and_every_other_stays() -> None:
    for number in range(sys.maxunicode + 1):
        sign = chr(number)
        if unicodedata.category(sign) == "Cn":
            continue  # which a newer Unicode may know
        goes = bool(steering(sign)) or sign == "\u034f"  # nobody sees it
        assert harmless(sign) == ((" " if sign in "\u2028\u2029" else "") if goes else sign), hex(number)


@given(ANY)
def test_what_is_clean_stays_so(text: str) -> None:
    clean = harmless(text)
    assert harmless(clean) == clean
    assert not steering(clean)
    assert not re.search("[a-z][\u200c\u200d]|[\u200c\u200d][a-z]", clean)


@given(st.lists(READABLE).map(" ".join))
def test_what_people_can_read_stays(text: str) -> None:
    assert harmless(text) == text
    assert escaped(text) == text


@given(ANY)
def test_accents_do_not_pile_up(text: str) -> None:
    marks = 0
    for sign in harmless(text):
        marks = marks + 1 if unicodedata.category(sign) in ("Mn", "Me") else 0
        assert marks <= MOST_MARKS


@given(ANY)
def test_json_says_the_same_and_steers_nothing(text: str) -> None:
    text = text.encode("utf-8", "replace").decode()
    line = escaped(orjson.dumps({text: [text]}).decode())
    assert json.loads(line) == {text: [text]}
    assert harmless(line) == line


@pytest.mark.parametrize(
    "sign", ["\x1b", "\x1b[31m", "\u202e", "\u200d", "a\u200d", "\u0301", "漢", "漢\u0301", "ก็", "👩\u200d", "\u200d\u0301", "é\r"]
)
def test_a_long_text_takes_no_longer_than_its_length(sign: str) -> None:
    def seconds(signs: int) -> float:
        begun = time.process_time()
        escaped(harmless(sign * (signs // len(sign))))
        return time.process_time() - begun

    assert seconds(1_000_000) < 10.0  # with time to spare; what is not linear takes hours


# ---------------------------------------------------------------- the stream


class At(io.StringIO):
    """What a terminal gets."""

    def isatty(self) -> bool:
        return True


@given(ANY, st.data())
def test_in_whatever_pieces_it_comes_the_same_is_written(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    screen = At()
    stream = guarded(screen)
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        stream.write(text[begin:end])
    written = screen.getvalue()
    assert harmless(written) == written
    assert written in (whole := harmless(text), whole[:-1])  # a joiner at the end waits for what it joins
    assert guarded(stream) is stream


def test_our_own_styles_reach_a_terminal_and_nothing_else_does() -> None:
    screen, file = At(), io.StringIO()
    text = ERASE_LINE + style("bad \x1b[31mred\x1b[0m", "bold", "error") + style(" plain\r\n")
    for stream in (screen, file):
        guarded(stream).write(text)
    assert screen.getvalue() == "\x1b[G\x1b[2K\x1b[1;31mbad [31mred[0m\x1b[0m plain\n"
    assert file.getvalue() == "bad [31mred[0m plain\n"
    assert terminal_text(text) == screen.getvalue()
    assert unstyled(f"{sequence('1m')}a{RESET}\x1b[1m") == "a\x1b[1m"


def test_a_sequence_of_ours_cannot_be_guessed() -> None:
    screen = At()
    guarded(screen).write("".join(f"\x1b[?{number};31m" for number in range(100)))
    assert "\x1b" not in screen.getvalue()


def test_an_answer_goes_into_a_file_as_it_is_and_is_cleaned_at_a_terminal() -> None:
    screen, file = At(), io.StringIO()
    for stream in (screen, file):
        Guard(stream).write_unchanged("a\x1b[2Jb\u202e\r\n")
    assert (screen.getvalue(), file.getvalue()) == ("a[2Jb\n", "a\x1b[2Jb\u202e\r\n")


def test_a_document_with_half_characters_is_still_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"path": "a\udcff", "big": 1 << 70})
    assert json.loads(capsys.readouterr().out) == {"path": "a?", "big": 1 << 70}


def test_no_module_writes_sequences_past_the_guard() -> None:
    """`click.style` writes sequences that anybody can write; ours are made in one place."""
    written = {path.name: path.read_text(encoding="utf-8") for path in Path(mmos.cli.__file__).parent.rglob("*.py")}
    assert [name for name, text in written.items() if "click.style(" in text] == []
    # The page of the chat erases its own lines and cleans each; the clipboard gets letters and digits alone; GitLab folds what stands between its marks.
    own = ["ci.py", "guard.py", "renderer.py", "terminal.py"]
    assert sorted(name for name, text in written.items() if "x1b" in text or "033" in text) == own
