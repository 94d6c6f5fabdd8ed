"""The report on placement: what was expected, what happened, the best host in hindsight, and models that were wanted back."""

from __future__ import annotations

from typing import Any

import pytest

from mmos.events import Entry, ModelReplied
from mmos.messages import Message, Usage
from mmos.views.regret import report

FAST, SLOW = Usage(1000, 100, 0.0, 1.0, 2.0, 3.0), Usage(1000, 100, 0.0, 2.0, 10.0, 12.0)
LOADED = Usage(1000, 100, 20.0, 1.0, 2.0, 23.0)


def reply(host: str, time: float, usage: Usage, *, model: str = "m", seconds: float = 0.0, **placement: Any) -> Entry:
    took = placement.pop("took", usage.total_seconds)
    kept = {"host": host, "queue_seconds": 0.0, "expected": 5.0, **placement, "took": took}
    return Entry("run", "t", time, ModelReplied("a", "r", "coding", model, host, Message("assistant", "So."), usage, seconds=seconds or took, placement=kept))  # fmt: skip


def other(host: str, seconds: float | None, wait: float = 0.0, why: str = "busy") -> dict[str, Any]:
    return {"host": host, "seconds": seconds, "wait": wait, "why": why}


def test_errors_are_summed_up_for_each_host_and_model() -> None:
    made = report([reply("b", float(n), FAST, took=5.0 + n) for n in range(10)] + [reply("a", 9.0, SLOW)])
    assert [(row.host, row.model, row.calls) for row in made.rows] == [("a", "m", 1), ("b", "m", 10)]
    row = made.rows[1]
    assert (row.expected, row.took, row.error, row.error_p90) == (5.0, 9.5, 4.5, 9.0)
    assert [round(call.error) for call in made.worst] == [9, 8, 7, 7, 6, 5, 4, 3, 2, 1]


def test_the_best_host_in_hindsight_is_found_with_the_rates_that_were_learned_later() -> None:
    call = reply("slow", 1.0, SLOW, elsewhere=[other("fast", 30.0, 4.0), other("never", 11.0), other("shut", None, why="closed")])
    early, later = report([call]), report([call, reply("fast", 9.0, FAST)])
    assert (early.worst[0].best, early.worst[0].best_host) == (11.0, "never"), "nobody knows more than was expected"
    assert (later.worst[0].best, later.worst[0].best_host) == (7.0, "fast"), "4 s wait, 1 s reading, 2 s writing"
    assert [row.lost for row in later.rows] == [0.0, 5.0]


def test_a_load_elsewhere_counts_with_its_usual_time() -> None:
    call = reply("slow", 1.0, SLOW, took=40.0, elsewhere=[other("fast", 99.0, 90.0, "load")])
    made = report([call, reply("fast", 9.0, LOADED)])
    assert (made.worst[0].best, made.worst[0].best_host) == (23.0, "fast")


@pytest.mark.parametrize(("scale", "asked", "wanted"), [(1.0, 120.0, True), (1.0, 141.0, False), (1.0, 90.0, False), (10.0, 103.0, True), (10.0, 120.0, False)])  # fmt: skip
def test_a_victim_that_is_wanted_before_it_could_be_back_shows_a_needless_load(scale: float, asked: float, wanted: bool) -> None:
    load = {"victims": ["n:latest"], "ready": 20.0, "gain": 50.0, "loss": 10.0, "back": 20.0}
    loading = reply("a", 100.0 + 23.0 / scale, LOADED, load=load, seconds=23.0 / scale)
    back = reply("a", asked + 30.0, FAST, model="n", seconds=30.0)
    (found,) = report([loading, back]).loads
    assert (found.victims, found.ready, found.took, found.gain, found.wanted_back) == (("n:latest",), 20.0, 20.0, 50.0, wanted)


def test_replies_of_older_versions_are_left_out_and_counted() -> None:
    old = Entry("run", "t", 1.0, ModelReplied("a", "r", "coding", "m", "a", Message("assistant", "So."), FAST, placement={"host": "a", "wait": 1.0}))  # fmt: skip
    made = report([old, reply("a", 2.0, FAST)])
    assert (made.left_out, [row.calls for row in made.rows]) == (1, [1])
    assert report([old], ["b"]).left_out == 0


def test_one_host_can_be_looked_at_alone_with_what_the_others_showed() -> None:
    made = report([reply("slow", 1.0, SLOW, elsewhere=[other("fast", 30.0, 4.0)]), reply("fast", 9.0, FAST)], ["slow"])
    assert [(row.host, row.lost) for row in made.rows] == [("slow", 5.0)]
