"""The answers that MMOS knows, and what they say of a judge."""

from __future__ import annotations

import orjson

from mmos.judging.canaries import ENOUGH, Record, next_canaries, record_of, shipped
from mmos.judging.rubric import UNREADABLE, read
from mmos.quality.checks import check
from mmos.quality.finding import Subject
from mmos.quality_events import JudgeTried
from tests.judging import on_canaries, opinion


def tried(*results: bool, model: str = "m", digest: str = "d") -> list[JudgeTried]:
    return [JudgeTried(model, digest, canary.name, right) for canary, right in zip(shipped(), results, strict=False)]


def test_the_shipped_ones_come_bad_and_good_in_turn_and_code_of_good_ones_parses() -> None:
    assert [canary.good for canary in shipped()] == [False, True] * 6
    assert len({canary.name for canary in shipped()}) == len(shipped()) > ENOUGH
    assert [check(Subject(one.question, one.answer)) for one in shipped() if one.good] == [()] * 6


def test_right_and_wrong() -> None:
    for right in (True, False):
        for canary, said in zip(shipped(), on_canaries(*[right] * 12), strict=True):
            assert canary.is_right(read(orjson.loads(said), canary.question, canary.answer, "m")) is right
            assert not canary.is_right(UNREADABLE)


def test_a_judge_that_likes_everything_is_right_half_of_the_time() -> None:
    readings = [(canary, read(orjson.loads(opinion(canary.answer[:60])), canary.question, canary.answer, "m")) for canary in shipped()]
    right = sum(canary.is_right(reading) for canary, reading in readings)
    assert right == 6
    assert not Record(right, 12).is_reliable


def test_reliability_moves_from_what_is_assumed_to_what_was_seen() -> None:
    assert Record().reliability == 0.8
    assert [round(Record(n, n).reliability, 3) for n in (1, 2, 8)] == [0.833, 0.857, 0.923]
    assert round(Record(0, 2).reliability, 3) == 0.571
    assert (Record().is_reliable, Record(6, 8).is_reliable, Record(5, 8).is_reliable, Record(1, 2).is_reliable) == (
        True,
        True,
        False,
        False,
    )


def test_only_a_judge_that_was_often_wrong_is_barred() -> None:
    assert (Record().is_barred, Record(0, 2).is_barred, Record(2, 4).is_barred, Record(3, 4).is_barred) == (False, False, True, False)


def test_a_record_is_of_one_digest() -> None:
    tries = tried(True, False) + tried(True, True, digest="e") + tried(True, True, model="n", digest="")
    assert record_of(tries, "m", "d") == Record(1, 2)
    assert record_of(tries, "other", "e") == Record(2, 2), "the same model under another name"
    assert record_of(tries, "n", "") == Record(2, 2)
    assert record_of(tries, "m", "") == Record()
    assert record_of(tried(True) + tried(False), "m", "d") == Record(0, 1), "the newest result counts"


def test_each_run_tries_what_is_not_known_until_enough_is() -> None:
    names = [canary.name for canary in shipped()]
    assert [one.name for one in next_canaries([], "m", "d", 2)] == names[:2]
    assert [one.name for one in next_canaries(tried(True, True), "m", "d", 2)] == names[2:4]
    assert [one.name for one in next_canaries(tried(*[True] * 7), "m", "d", 2)] == names[7:8]
    assert list(next_canaries(tried(*[True] * 8), "m", "d", 2)) == []
    assert list(next_canaries([], "m", "d", -1)) == []
