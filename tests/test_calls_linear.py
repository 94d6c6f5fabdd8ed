"""The work of reading grows with the length of a text and no faster, for every mixture, in any pieces. It is counted, not timed."""

from __future__ import annotations

import importlib
import pkgutil
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from bench.calls_rows import specs
from bench.mixtures import mixture

import mmos.calls
from mmos.calls.naming import Names
from mmos.calls.patience import Patience
from mmos.calls.stream import TextStream
from mmos.calls.text import LONGEST, RawReply, read_text
from tests.counting import steps
from tests.pumping import pumped

TEXT = {"type": "string"}
TOOLS = [
    {"name": "get_weather", "parameters": {"properties": {"city": TEXT, "n": {"type": "integer"}, "l": {"type": "array", "items": TEXT}}}},
    {"name": "f", "parameters": {"properties": {"a": TEXT, "k": {"type": "number"}}}},
    {"name": "search", "parameters": {"properties": {"query": TEXT}, "required": ["query"]}},
]
NAMES = Names(specs(TOOLS))
SIZE = 10_000
GROWTH = 2.6
"""The double of a text may take so many times the work."""
FREE = 5_000
ATTACKS = {
    "a bracket after a fence": "```\n" + "[" * 400_000,
    "quotes in fences": "~~~f(a='x=[" * 90_000,
    "colons": ":" * 1_000_000,
    "tags": "<a>" * 300_000,
}


def whole(text: str) -> None:
    read_text(RawReply(text, NAMES))


def streamed(size: int) -> Callable[[str], None]:
    def feed(text: str) -> None:
        stream = TextStream(lambda _: None, NAMES)
        for at in range(0, len(text), size):
            stream.feed(text[at : at + size])

    return feed


@pytest.mark.parametrize("seed", range(24))
@pytest.mark.parametrize("size", [0, 7, 1000])
def test_a_text_of_double_length_takes_double_work(seed: int, size: int) -> None:
    make, work = mixture(seed), streamed(size) if size else whole
    once, twice = steps(partial(work, make(SIZE))), steps(partial(work, make(2 * SIZE)))
    assert twice <= GROWTH * once + FREE, make(SIZE)[:100]


@pytest.mark.parametrize("seed", range(100, 160))
def test_no_mixture_takes_more_steps_than_its_length_is_worth(seed: int) -> None:
    text = mixture(seed)(3 * SIZE)
    patience = Patience(len(text))
    read_text(RawReply(text, NAMES), patience)
    assert patience.spent <= patience.limit + len(text) / 20 + 500, text[:100]


@pytest.mark.parametrize("name", ATTACKS)
def test_known_attacks_are_over_soon(name: str) -> None:
    """Each took a minute or more, so a clock is enough here."""
    begun = time.process_time()
    for work in (whole, streamed(400_000), streamed(1000)):
        work(ATTACKS[name])
    assert time.process_time() - begun < 20


def test_what_is_left_unread_is_told() -> None:
    call = '<tool_call>{"name": "f", "arguments": {"a": "x"}}</tool_call>'
    tangled = read_text(RawReply(call + "<tool_call>[1, 2, 3, " * 30_000, NAMES))
    assert [one.name for one in tangled.calls] == ["f"]
    assert "not all of it was read" in tangled.unclear
    long = read_text(RawReply(call + "x" * LONGEST, NAMES))
    assert (long.calls, len(long.content)) == ((), len(call) + LONGEST)
    assert "so it was not searched for calls" in long.unclear


# ---------------------------------------------------------------- patterns: what they do is not seen from outside

LENGTH = 2_000
MOST_SECONDS = 0.01
"""A pattern with a square in it takes ten times as long, and one without a hundredth."""
SEARCHED = re.compile(r"(?<![\w.])(\w+)\.(?:search|finditer|sub|split|findall)\(")
SHORT_TEXTS = ("arithmetic._DATE",)
"""Used on texts of a bounded length alone."""


def patterns() -> Iterator[tuple[str, re.Pattern[str], bool]]:
    """Every pattern of the reader, and whether it is looked for at all places of a text."""
    seen: set[tuple[str, bool]] = set()
    for module in pkgutil.iter_modules(mmos.calls.__path__):
        found = importlib.import_module(f"mmos.calls.{module.name}")
        searched = set(SEARCHED.findall(Path(str(found.__file__)).read_text(encoding="utf-8")))
        for name, value in vars(found).items():
            for pattern in value.values() if isinstance(value, dict) else (value,):
                if isinstance(pattern, re.Pattern) and (pattern.pattern, name in searched) not in seen:
                    seen.add((pattern.pattern, name in searched))
                    yield f"{module.name}.{name}", pattern, name in searched


def seconds(pattern: re.Pattern[str], text: str, *, searched: bool) -> float:
    begun = time.process_time()
    for _ in pattern.finditer(text) if searched else (pattern.match(text),):
        pass
    return time.process_time() - begun


def test_no_pattern_takes_the_square_of_a_text() -> None:
    slow = [
        (name, text[:60])
        for name, pattern, searched in patterns()
        if name not in SHORT_TEXTS
        for text in pumped(pattern, LENGTH)
        if seconds(pattern, text, searched=searched) > MOST_SECONDS and seconds(pattern, text, searched=searched) > MOST_SECONDS
    ]
    assert not slow
