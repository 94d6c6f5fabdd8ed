"""A log of any size is read in one pass: little of it is kept, and the lines that matter are among it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from failing_output import worked

from mmos.diagnosis import sieve
from mmos.diagnosis.cleaning import body, clean
from mmos.diagnosis.marks import mark
from mmos.diagnosis.reader import Reader
from mmos.diagnosis.sieve import Sieve

CAUSE = "ledger.TotalsError: the totals of March differ by 12"
BLOCKS = 14


def weigh(line: bytes) -> float:
    return mark(body(clean(line))).weight


def letters(chance: Random) -> str:
    return "".join(chance.choices("ghijklmnopqrstuvwxyz", k=8))


LOGS: dict[str, Callable[[Random], str]] = {
    "all lines alike": lambda chance: f"INFO item {chance.randrange(10**6)} done",
    "identifiers": lambda chance: f"INFO request {chance.getrandbits(64):016x} done in {chance.random():.3f} ms, status 200",
    "names": lambda chance: f"Building CXX object src/{letters(chance)}/error_{letters(chance)}.cpp.o",
    "passed tests": lambda chance: f"test {letters(chance)}::fails_without_{letters(chance)} ... ok",
    "errors that differ": lambda chance: f"error: cannot open {letters(chance)}/{letters(chance)}, will retry",
    "errors alike": lambda chance: f"ERROR worker {chance.randrange(1000)}: connection refused, retrying in 2 s",
    "no spaces": lambda chance: letters(chance) * 9,
}


@pytest.mark.parametrize("kind", LOGS)
def test_the_cause_in_the_middle_of_a_long_log_is_found(kind: str) -> None:
    chance = Random(kind)
    reader = Reader()
    for number in range(BLOCKS):
        lines = [LOGS[kind](chance) for _ in range(4000)]
        reader.feed(("\n".join(lines) + (f"\n{CAUSE}\n" if number == BLOCKS // 2 else "\n")).encode())
    found = reader.close()
    assert CAUSE in [line.text for line in found.best[:5]]
    line = next(line for line in found.best if line.text == CAUSE)
    assert line.number == BLOCKS // 2 * 4000 + 4001


@pytest.mark.parametrize("kind", ["identifiers", "errors that differ"])
def test_what_is_kept_is_bounded(kind: str) -> None:
    chance = Random(kind)
    taken = Sieve(weigh)
    for _ in range(BLOCKS):
        taken.take("\n".join(LOGS[kind](chance) for _ in range(4000)).encode())
    kept = taken.kept()
    assert taken.lines == BLOCKS * 4000
    assert len(kept) < sieve.TAIL_LINES + sieve.HEAD_LINES + sieve.STEPS + 2 * sieve.EXCERPTS * (sieve.BEFORE + sieve.AFTER + 1)
    assert [raw.number for raw in kept] == sorted({raw.number for raw in kept})
    assert kept[-1].number == taken.lines


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    reader = Reader()
    for _ in range(40):
        reader.feed(b"x" * 200_000)
    reader.feed(f"\n{CAUSE}\n".encode())
    found = reader.close()
    assert found.lines == 2
    assert found.size == 8_000_000 + len(CAUSE) + 2
    assert found.best[0].text == CAUSE


def test_lines_around_the_cause_are_kept_across_blocks() -> None:
    taken = Sieve(weigh)
    taken.take("\n".join([*worked(2000, "a"), "before", CAUSE]).encode())
    for name in "bcdefghijklmnop":
        taken.take("\n".join(["after", *worked(3000, name)]).encode())
    kept = {raw.number: raw.data for raw in taken.kept()}
    assert [kept[number] for number in (2001, 2002, 2003)] == [b"before", CAUSE.encode(), b"after"]
    assert 2003 + sieve.AFTER - 5 in kept


def test_steps_are_kept_however_long_they_are() -> None:
    taken = Sieve(weigh)
    for name in "abcdefghijkl":
        taken.take("\n".join([f"2026-04-22T16:11:48.3052808Z ##[group]Run make {name}", *worked(3000, name)]).encode())
    assert sum(b"##[group]Run" in raw.data for raw in taken.kept()) == 12
