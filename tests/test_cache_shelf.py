"""Tests of `mmos.cache.shelf`: what is kept, what goes, and what happens to a file that is wrong."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from mmos.cache.kept import Kept, Terms
from mmos.cache.keys import Frame, Key, keys_of
from mmos.cache.shelf import FILE, Shelf
from mmos.errors import StateBusy, StateError, StateFull
from mmos.messages import Message


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def key(text: str = "Why?") -> Key:
    return keys_of(["sha256:1"], [Message("user", text)], Frame(), alike=True)[0]


def kept(content: str = "Because.", **more: object) -> Kept:
    return replace(Kept("m:latest", "here", "run1", content, made=Clock.now, seconds=2.0, words="Why?"), **more)  # type: ignore[arg-type]


def found(shelf: Shelf) -> Kept | None:
    pair = shelf.find([key()])
    return pair[1] if pair else None


def test_an_answer_is_found_by_its_key_also_by_another_process(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, clock=Clock())
    assert shelf.find([key()]) is None
    shelf.add(key(), kept())
    assert shelf.find([key("How?"), key()]) == (key().exact, kept())
    assert found(Shelf(tmp_path, clock=Clock())) == kept()
    for _ in range(2):
        shelf.use(key().exact)
    (row,) = shelf.figures()
    assert (row.model, row.answers, row.hits, row.seconds) == ("m:latest", 1, 2, 4.0)


def test_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    Shelf(tmp_path).add(key(), kept())
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.glob(f"{FILE}*")}
    assert modes == {0o600}


def test_a_request_in_other_words_finds_its_candidates(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, clock=Clock())
    shelf.add(key(), kept())
    ((name, answer),) = shelf.alike([key("Please, why")])
    assert (name, answer.words) == (key().exact, "Why?")
    assert shelf.alike([key("Why not?")]) == []
    shelf.use(name)
    assert shelf.figures()[0].hits == 1


def test_a_newer_answer_replaces_an_older_one(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, clock=Clock())
    shelf.add(key(), kept("One."))
    shelf.add(key(), kept("Two."))
    assert found(shelf) == kept("Two.")


def test_an_answer_is_forgotten_when_it_is_too_old() -> None:
    clock = Clock()
    shelf = Shelf(None, Terms(keep=60.0), clock)
    shelf.add(key(), kept())
    clock.now += 59.0
    assert shelf.find([key()]) is not None
    clock.now += 2.0
    assert (shelf.find([key()]), shelf.alike([key("Please, why")]), shelf.figures()) == (None, [], [])


def test_the_answers_that_were_not_used_for_the_longest_time_go_first(tmp_path: Path) -> None:
    clock = Clock()
    shelf = Shelf(tmp_path, Terms(most=1 << 20), clock)
    shelf.add(key("first"), kept("x" * 5000))
    for number in range(400):
        clock.now += 1.0
        shelf.use(key("first").exact)
        shelf.add(key(str(number)), kept("x" * 5000, made=clock.now))
        assert shelf.find([key("first")]) is not None
    assert shelf.find([key("0")]) is None
    assert shelf.find([key("399")]) is not None
    shelf.close()
    assert (tmp_path / FILE).stat().st_size <= (1 << 20) + (1 << 16)


def test_an_answer_that_would_push_out_many_others_is_not_kept() -> None:
    shelf = Shelf(None, Terms(most=1 << 20), Clock())
    shelf.add(key(), kept("x" * (1 << 19)))
    assert shelf.find([key()]) is None


@pytest.mark.parametrize(
    ("what", "left"),
    [
        ({"model": "m:latest"}, ["b"]),
        ({"older": 30.0}, ["b", "c"]),
        ({"runs": ["run1"]}, ["c"]),
        ({}, []),
        ({"model": "no"}, ["a", "b", "c"]),
    ],
)
def test_answers_can_be_forgotten(tmp_path: Path, what: dict[str, object], left: list[str]) -> None:
    shelf = Shelf(tmp_path, clock=Clock())
    shelf.add(key("a"), kept("secret", made=Clock.now - 60.0))
    shelf.add(key("b"), kept("secret", model="other:latest"))
    shelf.add(key("c"), kept("secret", run="run2"))
    assert shelf.forget(**what) == 3 - len(left)  # type: ignore[arg-type]
    assert [name for name in "abc" if shelf.find([key(name)])] == left
    if not left:
        shelf.close()
        assert not any(b"secret" in file.read_bytes() for file in tmp_path.glob(f"{FILE}*"))


def test_what_hosts_said_last_is_noted() -> None:
    shelf = Shelf(None)
    assert shelf.noted("m", "digests") is None
    shelf.note("m", "digests", {"here": "sha256:1"})
    shelf.note("m", "digests", {"here": "sha256:2"})
    assert (shelf.noted("m", "digests"), shelf.noted("m", "abilities")) == ({"here": "sha256:2"}, None)


def spoil(path: Path) -> None:
    path.write_bytes(b"no database at all " * 1000)


def of_another_program(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE mine (x)")


def with_a_strange_answer(path: Path) -> None:
    Shelf(path.parent, clock=Clock()).add(key(), kept())
    with sqlite3.connect(path) as database:
        database.execute("UPDATE answers SET answer = '[1]'")


@pytest.mark.parametrize("wrong", [spoil, of_another_program, with_a_strange_answer])
def test_a_file_that_makes_no_sense_is_told_and_left_alone_until_it_is_removed(tmp_path: Path, wrong: object) -> None:
    wrong(tmp_path / FILE)  # type: ignore[operator]
    before = (tmp_path / FILE).read_bytes()
    shelf = Shelf(tmp_path, clock=Clock())
    with pytest.raises(StateError, match=r"cache\.db: the cache cannot be used: .*mmos cache clear --all"):
        shelf.find([key()])
    if wrong is not with_a_strange_answer:
        assert (tmp_path / FILE).read_bytes() == before
    shelf.remove()
    fresh = Shelf(tmp_path, clock=Clock())
    fresh.add(key(), kept())
    assert found(fresh) == kept()


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="symbolic link"):
        Shelf(tmp_path).find([key()])
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_another_process_holds_is_not_waited_for(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, Terms(patience=0.01), Clock())
    shelf.add(key(), kept())
    other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateBusy):
        shelf.add(key("How?"), kept())
    assert found(shelf) == kept()  # reading goes on
    other.close()
    shelf.add(key("How?"), kept())


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, clock=Clock())
    shelf.add(key(), kept())
    database = shelf._writer
    assert database is not None
    database.execute("PRAGMA max_page_count = 1")
    with pytest.raises(StateFull):
        shelf.add(key("How?"), kept("x" * 100_000))
    assert found(shelf) == kept()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StateError):
        Shelf(tmp_path).find([key()])


def test_threads_and_processes_that_begin_at_once_share_one_file(tmp_path: Path) -> None:
    shelves = [Shelf(tmp_path, Terms(patience=10.0), Clock()) for _ in range(4)]
    faults: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for each in range(10):
                shelves[number % 4].add(key(f"{number} {each}"), kept())
        except StateError as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (faults, shelves[0].figures()[0].answers) == ([], 80)


def test_a_closed_shelf_says_so() -> None:
    shelf = Shelf(None)
    shelf.close()
    with pytest.raises(StateError, match="closed"):
        shelf.find([key()])
