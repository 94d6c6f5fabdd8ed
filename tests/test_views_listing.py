"""What there is in a journal: runs and threads, found by id, name, beginning or end."""

from __future__ import annotations

import pytest

from mmos.errors import NotFound, UsageError
from mmos.events import Entry, Event, Reason, RunFinished, RunResumed, RunStarted, ThreadNamed
from mmos.views.listing import find_run, find_thread, runs, thread_named, threads

R1, R2 = "01K0AAAAAAAAAAAAAAAAAAAA7Q", "01K0AABBBBBBBBBBBBBBBBBB9Q"
T1, T2 = "01K0TTTTTTTTTTTTTTTTTTTT1Q", "01K0UUUUUUUUUUUUUUUUUUUU2Q"


def journal(*rows: tuple[str, str, Event]) -> list[Entry]:
    return [Entry(run, thread, float(place), event, place) for place, (run, thread, event) in enumerate(rows, 1)]


BEGUN = (R1, T1, RunStarted("First?", "p1")), (R2, T2, RunStarted("Second?", "p2"))
NOBODY, EVERYBODY = (lambda _: False), (lambda _: True)


def test_a_run_is_running_while_its_process_lives_and_interrupted_when_it_died() -> None:
    rows = runs(journal(*BEGUN), lambda process: process == "p1", 50.0)
    assert [(row.run, row.status, row.ended - row.started) for row in rows] == [(R1, "running", 49.0), (R2, "interrupted", 0.0)]


def test_a_finished_run_has_its_own_status_and_a_resumed_one_is_at_work_again() -> None:
    ended = (*BEGUN, (R1, T1, RunFinished("failed", None, Reason("no_host", ""))))
    assert runs(journal(*ended), EVERYBODY, 50.0)[0].status == "failed"
    resumed = (*ended, (R1, T1, RunResumed("p3")))
    assert runs(journal(*resumed), lambda process: process == "p3", 50.0)[0].status == "running"
    assert runs(journal(*resumed, (R1, T1, RunFinished("answered", "So."))), NOBODY, 50.0)[0].status == "answered"


def test_facts_of_a_run_that_was_deleted_meanwhile_are_left_out() -> None:
    left = journal((R1, T1, RunFinished("answered", "So.")), (R1, T1, RunResumed("p9")), BEGUN[1])
    assert [row.run for row in runs(left, NOBODY, 50.0)] == [R2]


def test_threads_are_listed_with_the_one_last_used_at_the_end() -> None:
    rows = threads(journal(("", T1, ThreadNamed("build")), *BEGUN, ("x", T1, RunStarted("Third?", "p1")), ("", T2, ThreadNamed("other"))))
    assert [(row.thread, row.name, row.runs, row.first) for row in rows] == [(T1, "build", 2, "First?"), (T2, "other", 1, "Second?")]


@pytest.mark.parametrize("wanted", [R1, R1[:8], R1[-3:], R1[:8].lower(), R1[-3:].lower()])
def test_a_run_is_found_by_its_id_or_enough_of_its_beginning_or_end(wanted: str) -> None:
    assert find_run(journal(*BEGUN), wanted) == R1


def test_too_little_of_an_id_is_asked_for_more() -> None:
    with pytest.raises(UsageError, match=f"may mean 2 runs: {R1}, {R2}") as raised:
        find_run(journal(*BEGUN), "01K0AA")
    assert raised.value.next_step == "Give more characters of the id."


@pytest.mark.parametrize("wanted", ["", "zz", "%", "0AAA", f"{R1}0"])
def test_what_is_not_there_is_not_found(wanted: str) -> None:
    with pytest.raises(NotFound, match="mmos runs list"):
        find_run(journal(*BEGUN), wanted)


def test_a_thread_is_found_by_name_first() -> None:
    entries = journal(*BEGUN, ("", T1, ThreadNamed("build")), ("", T2, ThreadNamed(T1[-4:].lower())))
    assert find_thread(entries, "build") == T1
    assert find_thread(entries, T1[-4:].lower()) == T2
    assert find_thread(entries, T1) == T1
    with pytest.raises(NotFound, match="mmos threads list"):
        find_thread(entries, "nothing of the kind")


def test_a_name_is_found_exactly_or_not_at_all() -> None:
    entries = journal(("", T1, ThreadNamed("build")), ("", T1, ThreadNamed("test")))
    assert (thread_named(entries, "test"), thread_named(entries, T1), thread_named(entries, "build"), thread_named(entries, "tes")) == (
        T1, T1, None, None,
    )  # fmt: skip
