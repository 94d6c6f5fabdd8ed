"""What repeats itself word for word is noticed, what is meant to look like that is not, and neither costs much."""

from __future__ import annotations

import base64
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmos.hosts.repeating import Repeats

PARAGRAPH = (
    "First I will look at the build, since the build is what fails. Then I will read the log of the newest run, line by line, "
    "and compare it with the one before. After that I will know which step has changed, and I can say what to do about it.\n\n"
)
BEGINNING = "Let me think about what has to be done here, and in which order it is best done »"


def kept(text: str, step: int = 500) -> int | None:
    repeats = Repeats()
    for place in range(0, len(text), step):
        found = repeats.feed(text[place : place + step])
        if found is not None:
            return found
    return None


@pytest.mark.parametrize(
    "unit", ["I am stuck. ", "again ", "The answer is that the answer is that ", "Wait, no. Let me check this once more.\n", PARAGRAPH]
)
def test_what_repeats_itself_is_noticed_and_what_came_before_it_is_kept(unit: str) -> None:
    before = kept(BEGINNING + unit * 5_000)
    assert before == len(BEGINNING) + len(unit)


def test_it_is_noticed_long_before_a_window_is_full() -> None:
    repeats, fed = Repeats(), 0
    while repeats.feed(PARAGRAPH) is None:
        fed += len(PARAGRAPH)
    assert fed < 8_000


HONEST = {
    "200 equal lines": "All work and no play makes Jack a dull boy.\n" * 200,
    "200 long equal lines": "This line has some eighty characters, which is about as long as lines mostly get.\n" * 200,
    "a table of zeros": ("0 " * 99 + "0\n") * 100,
    "zeros of a program": "[" + "0, " * 4_000 + "0]",
    "a table in Markdown": "| 0 | 0 | 0 |\n" * 1_000,
    "base64 of nothing": base64.b64encode(bytes(15_000)).decode(),
    "base64 of something": base64.b64encode(random.Random(1).randbytes(30_000)).decode(),
    "a ruler": ("-" * 80 + "\n") * 100,
    "ASCII art": ("  /\\  " * 13 + "\n" + " /  \\ " * 13 + "\n" + "/____\\" * 13 + "\n") * 40,
    "code with repeated lines": "".join(f"def test_{n}():\n    value = make()\n    check(value)\n    check(value)\n\n" for n in range(500)),
    "a list that counts": "".join(f"{n}. Take the next item and put it into the box.\n" for n in range(2_000)),
    "a poem with a refrain": "".join(f"Verse {n} goes another way,\n{'And the river flows along.' * 3}\n" for n in range(100)),
    "a paragraph nine times": PARAGRAPH * 9,
    "blank lines": "\n" * 20_000,
}


@pytest.mark.parametrize("text", HONEST.values(), ids=HONEST.keys())
def test_what_is_asked_for_survives(text: str) -> None:
    assert kept(BEGINNING + text + "That is all.") is None


def test_something_in_between_begins_the_count_anew() -> None:
    text = "".join("I am stuck. " * 600 + f"Step {n}. " for n in range(20))
    assert kept(text) is None


@settings(deadline=None, max_examples=30)
@given(st.text(min_size=1, max_size=40), st.text(max_size=200), st.integers(100, 2_000))
def test_however_it_is_cut_into_pieces_the_beginning_is_kept(unit: str, before: str, step: int) -> None:
    text = before + unit * (40_000 // len(unit))
    found = kept(text, step)
    assert found is not None
    assert found <= len(before) + len(unit)
    rest = text[found:]
    assert rest == (unit * (len(rest) // len(unit) + 2))[(found - len(before)) % len(unit) :][: len(rest)]


def test_the_cost_is_linear_whatever_the_text() -> None:
    """Beside a text that repeats nothing, the worst that was found for the search of a period."""
    nearly = ("a" * 2_047 + "b") * 200
    words = " ".join(f"{random.Random(n).random():.6f}" for n in range(40_000))
    for text in (nearly, words):
        begun = time.process_time()
        assert kept(text[:200_000], 400) is None or text is nearly
        half = time.process_time() - begun
        begun = time.process_time()
        kept(text[:400_000], 400)
        whole = time.process_time() - begun
        assert whole < 4 * half + 0.05
