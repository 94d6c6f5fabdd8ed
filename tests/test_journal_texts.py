"""Each text is stored once: entries come back byte for byte, what is deleted is gone, and a stranger's file does no harm."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import orjson
import pytest
from bench.sizes import Growth, growth
from hypothesis import given
from hypothesis import strategies as st

from mmos.errors import StateDamaged, StateError, StateTooOld
from mmos.events import CallFinished, ConfigKept, FrameKept, LaneOpened, ModelReplied, RunFinished, RunStarted, ThreadNamed, Warned
from mmos.journal import Journal, Tuning
from mmos.journal.schema import APPLICATION
from mmos.journal.texts import Known, Text, joined, needed, reference, whole
from mmos.messages import Message

TASK = 'Say "why" the build fails:\n' + "\n".join(f"line {number} of C:\\log\t{number * 7}" for number in range(40)) + "\n"
ANSWER = "Because " + " and ".join(f"part {number} is \\missing\\" for number in range(60)) + "."


def facts(task: str = TASK, answer: str = ANSWER) -> list[object]:
    result = orjson.dumps({"success": True, "response": answer}).decode()
    return [
        RunStarted(task, "p"),
        ConfigKept("orchestration: {}\n" * 20),
        FrameKept("f1", "You are the arbiter. " * 20, "tools", '[{"type":"function"}]' * 20),
        LaneOpened("arbiter", "arbiter", Message("user", task)),
        LaneOpened("arbiter/c/coding", "coding", Message("user", f"The user's own words:\n<<<\n{task}>>>\n\nLook at it."), "arbiter", "c", 1),
        ModelReplied("a1", "arbiter/c/coding", "coding", "m", "here", Message("assistant", answer)),
        CallFinished("c", "arbiter", "arbiter", "consult_coding", True, Message("tool", result, tool_name="consult_coding", call_id="c")),
        RunFinished("answered", f"The coding specialist says:\n{answer}"),
    ]  # fmt: skip


async def keep(journal: Journal, run: str, thread: str, *events: object) -> None:
    for event in events:
        journal.append(run, thread, event)
    await journal.durable()


def ask(folder: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "journal.db")) as database, database:
        return database.execute(statement, values).fetchall()


def rows_of(folder: Path) -> dict[str, object]:
    return {table: ask(folder, f"SELECT count(*) FROM {table}")[0][0] for table in ("entries", "texts", "names")}


def words_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("journal.db*"))


# ---------------------------------------------------------------- once


async def test_a_text_stands_in_the_file_once_however_often_entries_hold_it(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal:
        for turn in range(20):
            await keep(journal, f"run{turn}", "thread", *facts())
        assert [entry.event for entry in await journal.read()] == facts() * 20
    found = words_in(tmp_path)
    assert (found.count(b"line 33 of"), found.count(b"part 44 is"), found.count(b"orchestration: {}")) == (1, 1, 20)


async def test_all_threads_share_configurations_and_frames_as_long_as_one_needs_them(tmp_path: Path) -> None:
    def count() -> tuple[int, int, int, int]:
        found = words_in(tmp_path)
        return found.count(b"line 33 of"), found.count(b"orchestration: {}"), found.count(b"You are the arbiter"), found.count(b"function")

    for number in range(3):  # each process finds what the others wrote
        async with await Journal.open(tmp_path) as journal:
            await keep(journal, f"run{number}", f"thread{number}", *facts())
    assert count() == (3, 20, 20, 20)
    async with await Journal.open(tmp_path) as journal:
        await journal.delete(thread="thread0")
        assert [entry.event for entry in await journal.read(thread="thread1")] == facts()
        await keep(journal, "run3", "thread3", *facts())
    assert count() == (3, 20, 20, 20)
    async with await Journal.open(tmp_path) as journal:
        for number in (1, 2, 3):
            assert [entry.event for entry in await journal.read(run=f"run{number}")] == facts()
            await journal.delete(run=f"run{number}")
    assert count() == (0, 0, 0, 0)


@pytest.mark.parametrize(("size", "most"), [(6_000, 1.7), (60_000, 1.3)])
async def test_the_file_grows_with_new_text_only(size: int, most: float) -> None:
    grown = await growth(size, 12)
    assert Growth(sum(one.text for one in grown), sum(one.file for one in grown)).ratio <= most


async def test_a_late_turn_of_a_thread_adds_no_more_than_an_early_one() -> None:
    turns = await growth(2_000, 60, thread=True)
    assert sum(one.file for one in turns[50:]) <= 1.1 * sum(one.file for one in turns[20:30])  # the first turns fill pages that are there


JSON = st.recursive(
    st.none() | st.integers(-9, 9) | st.text() | st.text('ab"\\\n\x01\x02\x7f ü', min_size=150, max_size=1200),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=80), inner, max_size=4),
)


@given(st.lists(st.dictionaries(st.text(max_size=9), JSON, min_size=1, max_size=4), min_size=1, max_size=6))
def test_what_is_taken_apart_is_put_together_byte_for_byte(made: list[dict[str, object]]) -> None:
    known, pieces = Known(1), dict[int, bytes]()
    for data in map(orjson.dumps, [*made, {"inner": orjson.dumps(made).decode()}, *made]):
        torn = known.tear(data, new := list[Text]())
        for text in new:
            rows = range(len(pieces) + 1, len(pieces) + 1 + len(text.pieces))
            pieces |= zip(rows, text.pieces, strict=True)
            text.reference = reference(rows)
        assert len(needed(joined(torn))) == sum(isinstance(part, Text) for part in torn)
        assert whole(joined(torn), pieces, len(data)) == data


async def test_two_processes_share_the_texts_of_a_thread(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as one, await Journal.open(tmp_path) as two:
        for turn in range(6):
            await keep((one, two)[turn % 2], f"run{turn}", "thread", *facts())
        assert [entry.event for entry in await one.read()] == facts() * 6
    assert words_in(tmp_path).count(b"line 33 of") == 1


async def test_a_process_that_forgets_finds_the_texts_again(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path, tuning=Tuning(remembered=0)) as journal:
        for turn in range(6):
            await keep(journal, f"run{turn}", "thread", *facts())
        assert [entry.event for entry in await journal.read()] == facts() * 6
    assert words_in(tmp_path).count(b"line 33 of") == 1


@pytest.mark.parametrize("decide", [False, True])
async def test_an_event_that_could_not_be_read_again_is_not_written(tmp_path: Path, decide: bool) -> None:
    large = Warned("x" * 10_000)
    async with await Journal.open(tmp_path, tuning=Tuning(largest=10_000)) as journal:
        await keep(journal, "run", "thread", Warned("x" * 9_900))
        with pytest.raises(StateError, match=r"a warned event of 10,0\d\d bytes is too large\. The journal takes at most 10,000"):
            await (journal.decide((), lambda _: [("run", "thread", large)]) if decide else keep(journal, "run", "thread", large))
        await keep(journal, "run", "thread", Warned("after"))
        assert [entry.event for entry in await journal.read()] == [Warned("x" * 9_900), Warned("after")]


# ---------------------------------------------------------------- gone


async def test_a_run_takes_only_the_texts_with_it_that_nothing_else_needs(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal:
        await keep(journal, "first", "thread", *facts(answer="marmalade " * 99))
        await keep(journal, "second", "thread", *facts(task=TASK, answer="bread " * 99))
        await keep(journal, "third", "other", *facts(answer="marmalade " * 99))
        await journal.delete(run="first")
        assert b"first" not in words_in(tmp_path)
        assert b"marmalade" in words_in(tmp_path)  # in the other thread
        assert [entry.event for entry in await journal.read(thread="thread")] == facts(answer="bread " * 99)
        await journal.delete(thread="other")
        left = words_in(tmp_path)
        assert (b"marmalade" in left, b"third" in left, b"line 33 of" in left) == (False, False, True)
        await journal.delete(run="second")
    assert rows_of(tmp_path) == {"entries": 0, "texts": 0, "names": 0}


async def test_what_another_process_deleted_is_written_anew(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as one, await Journal.open(tmp_path) as two:
        await keep(one, "run", "thread", ThreadNamed("a"), *facts())
        await two.delete(thread="thread")
        await keep(two, "else", "where", ThreadNamed("b"), *facts("marmalade " * 30))  # takes the numbers that are free now
        await keep(one, "run", "thread", ThreadNamed("c"))
        await keep(one, "run", "thread", *facts())
        assert [entry.event for entry in await two.read(thread="thread")] == [ThreadNamed("c"), *facts()]


@pytest.mark.parametrize("seed", range(6))
async def test_two_processes_write_and_delete_in_any_order(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    texts = [f"{number} {' '.join(str(chance.random()) for _ in range(20))}" for number in range(4)]
    expected: list[tuple[str, str, object]] = []
    async with await Journal.open(tmp_path) as one, await Journal.open(tmp_path) as two:
        for _ in range(120):
            journal, thread = chance.choice((one, two)), chance.choice("ab")
            run = thread + chance.choice("123")
            if chance.random() < 0.8:
                events = [
                    Warned(chance.choice(texts) + chance.choice(("", "\n", " and " + chance.choice(texts))))
                    for _ in range(chance.randrange(1, 4))
                ]
                expected += [(run, thread, event) for event in events]
                await keep(journal, run, thread, *events)
            elif chance.random() < 0.8:
                expected = [entry for entry in expected if entry[0] != run]
                await journal.delete(run=run)
            else:
                expected = [entry for entry in expected if entry[1] != thread]
                await journal.delete(thread=thread)
        assert [(entry.run, entry.thread, entry.event) for entry in await one.read()] == expected
        await two.delete_all(threads="ab")
    assert rows_of(tmp_path) == {"entries": 0, "texts": 0, "names": 0}


# ---------------------------------------------------------------- a stranger's file


@pytest.mark.parametrize(
    "data",
    [
        b'["\x019\x02"]', b'["\x019+9\x03"]', b'["\x011+900000000\x02"]', b'["\x01+1\x02"]', b'["\x011+\x02"]', b'["\x011', b"x", b"\n", b"",
        b'["\x01' + b"9" * 18 + b'\x02"]', b'["\x01' + b"9" * 5000 + b'\x02"]', b'["', b'[]', b'["a",[],1]', b'{"text":"\x01"}',
        b'["' + b"\x011+1\x03" * 1_000_000 + b'"]',
    ],
    ids=range(16),
)  # fmt: skip
async def test_an_entry_that_makes_no_sense_is_named_and_bounded(tmp_path: Path, data: bytes) -> None:
    async with await Journal.open(tmp_path) as journal:
        await keep(journal, "run", "thread", Warned('"' * 900))
    ask(tmp_path, "UPDATE entries SET data = ?", data)
    async with await Journal.open(tmp_path) as journal:
        with pytest.raises(StateDamaged, match=r"damaged \(entry 1, a warned, cannot be understood\)"):
            await journal.read()
        assert await journal.delete(run="run") == 1


async def test_a_text_that_names_a_text_is_only_a_text(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal:
        await keep(journal, "run", "thread", Warned("x" * 300))
    ask(tmp_path, "UPDATE texts SET piece = ?", b"\x011\x02")  # a circle, if it were read as more
    async with await Journal.open(tmp_path) as journal:
        with pytest.raises(StateDamaged, match=r"entry 1, a warned, cannot be understood"):
            await journal.read()


@pytest.mark.parametrize("read_only", [True, False])
async def test_the_journal_of_a_development_version_is_refused_with_the_next_step(tmp_path: Path, read_only: bool) -> None:
    with closing(sqlite3.connect(tmp_path / "journal.db")) as database:
        database.executescript(f"CREATE TABLE entries(x); PRAGMA application_id = {APPLICATION}; PRAGMA user_version = 1")
    before = words_in(tmp_path)
    with pytest.raises(StateTooOld, match="a development version of mmos wrote it") as refused:
        await Journal.open(tmp_path, read_only=read_only)
    assert "Move it away" in refused.value.next_step
    assert words_in(tmp_path) == before
