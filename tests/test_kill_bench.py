"""Runs that are killed at random instants go on as if nothing had happened: every effect once, and nothing asked again that somebody built on."""

from __future__ import annotations

import random

import pytest
from bench_kills import Disk, lines, measure


@pytest.mark.parametrize(("disk", "kills"), [("usual", 4), ("slow", 2), ("full", 2)])
async def test_killed_runs_end_with_the_same_answer_and_do_nothing_twice(disk: Disk, kills: int) -> None:
    tally = await measure(kills, disk, random.Random(disk))
    assert tally.kept, "\n".join(lines(tally))
    assert tally.kills >= kills
    assert tally.questions == 0
