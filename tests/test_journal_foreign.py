"""Tests a state folder that came with a stranger's files: nothing in it runs, leads elsewhere, or ends in a traceback."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mmos.checking import MOST
from mmos.encoding import decode, encode
from mmos.errors import StateDamaged
from mmos.events import ArtifactKept, FrameKept, LaneClosed, LaneOpened, ModelAsked, QuestionAsked, RunStarted
from mmos.journal import Journal, new_id, shapes
from mmos.messages import File, Message, Usage
from mmos.views.conversation import Conversation
from tests import shell
from tests.strangers import RUN, THREAD, filled, mmos

DEAD = "orchestration: {arbiter: {model: m, server: far}, servers: {far: {url: 'http://127.0.0.1:9'}}}\n"
ASKED = QuestionAsked("q1", "l", "coding", "c", "Which?", "choice", ("a", "b"), deadline=5)


def altered(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


def change(path: Path, kind: str, field: str, value: object) -> None:
    """Put a value into a fact."""
    with closing(sqlite3.connect(path)) as database:
        seq, fields, data = database.execute(
            "SELECT seq, fields, data FROM entries JOIN kinds ON kinds.id = kind WHERE name = ?", (kind,)
        ).fetchone()
        fact = json.loads(encode(shapes.decode(kind, fields, data)))
        database.execute("UPDATE entries SET data = ? WHERE seq = ?", (json.dumps({**fact, field: value}).encode(), seq))
        database.commit()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i"
COLUMNS = "1 AS seq, 1 AS run, 1 AS thread, 1.0 AS time, 1 AS kind, x'7b7d' AS data"


@pytest.mark.parametrize(
    "statements",
    [
        ("ALTER TABLE entries RENAME TO others", f"CREATE VIEW entries AS {ENDLESS}, {COLUMNS} FROM n"),
        ("CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM entries; END",),
        ("CREATE TRIGGER t AFTER DELETE ON entries BEGIN UPDATE entries SET data = x'00'; END",),
        ("CREATE TABLE more (a)",),
        ("CREATE VIEW more AS SELECT 1",),
        ("CREATE INDEX more ON entries(time)",),
        ("CREATE TABLE more (a, b AS (a || a))",),
        ("ALTER TABLE entries ADD COLUMN more AS (hex(data))",),
        ("DROP INDEX entries_listing",),
    ],
)
@pytest.mark.parametrize("read_only", [True, False])
async def test_what_mmos_did_not_make_is_not_obeyed(tmp_path: Path, statements: tuple[str, ...], read_only: bool) -> None:
    altered(await filled(tmp_path), *statements)
    before = (tmp_path / "journal.db").read_bytes()
    async with asyncio.timeout(20):
        with pytest.raises(StateDamaged, match=r"not a journal that mmos made|a table or an index is missing"):
            await Journal.open(tmp_path, read_only=read_only)
    assert (tmp_path / "journal.db").read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        *[f"entries SET {column} = {{}} WHERE kind IN (SELECT id FROM kinds WHERE name = 'run_started')" for column in ("run", "thread", "kind", "time", "data")],
        "kinds SET name = {}", "kinds SET version = {}", "kinds SET fields = {}", "names SET thread = {}", "names SET since = {}", "deletions SET count = {}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", ["x'ff'", "CAST(x'ff80' AS TEXT)", "7", "1e300", "-1", "''", "CAST(x'610062' AS TEXT)"])
def test_a_cell_of_another_kind_is_an_error_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, value: str) -> None:
    altered(asyncio.run(filled(tmp_path)), f"UPDATE {change.format(value)}")
    (tmp_path / "o.yaml").write_text(DEAD)
    for command in (
        ("runs", "list"), ("runs", "show", RUN), ("runs", "show", RUN, "--prompts"), ("threads", "list", "--json"), ("threads", "show", "notes"), ("threads", "export", "notes"),
        ("runs", "resume", RUN, "-c", str(tmp_path / "o.yaml"), "--timeout", "1"),
        ("runs", "replay", RUN, "-c", str(tmp_path / "o.yaml")), ("runs", "diff", RUN, RUN),
        ("run", "hi", "--thread", "notes", "-c", str(tmp_path / "o.yaml"), "--timeout", "1"),
    ):  # fmt: skip
        code, err = mmos(capsys, tmp_path, *command)
        assert code in (0, 1, 2, 4)  # and no exception of another kind
        assert "Traceback" not in err


def test_text_that_is_not_utf_8_is_named_and_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    altered(asyncio.run(filled(tmp_path)), f"UPDATE names SET name = CAST(x'1b5b324aff' AS TEXT) WHERE name = '{THREAD}'")
    code, err = mmos(capsys, tmp_path, "runs", "list")
    assert code == 1
    assert "journal.db: damaged (it holds a text that is not UTF-8). MMOS did not change it." in err
    assert "[2J" not in err


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("run_started", "task", 5), ("run_started", "options", "x"), ("run_started", "files", [5]), ("run_finished", "answer", []),
        ("run_finished", "reason", {"code": 5, "message": "m"}), ("lane_opened", "message", {"role": "user", "content": 5}),
        ("lane_opened", "depth", "x"), ("lane_opened", "lane", None), ("thread_named", "name", {}),
    ],
)  # fmt: skip
async def test_a_fact_whose_words_are_of_another_kind_cannot_be_understood(tmp_path: Path, kind: str, field: str, value: object) -> None:
    change(await filled(tmp_path), kind, field, value)
    async with await Journal.open(tmp_path, read_only=True) as journal:
        with pytest.raises(StateDamaged, match=rf"damaged \(entry \d, a {kind}, cannot be understood\)"):
            await journal.read()


def test_what_is_written_is_what_is_read() -> None:
    kept = ArtifactKept("x-1", "l", "coding", "text")
    assert [decode(fact.kind, encode(fact)) for fact in (ASKED, kept)] == [ASKED, kept]


@pytest.mark.parametrize("number", [-1, -1e308, 2**53, 2**64 - 1, 1e308])
def test_a_number_beyond_all_bounds_becomes_the_nearest_that_is_allowed(number: float) -> None:
    assert 0 <= Usage.from_json({"prompt_tokens": number if isinstance(number, int) else 0, "total_seconds": number}).total_seconds <= MOST
    asked = decode("question_asked", json.dumps({**json.loads(encode(ASKED)), "deadline": number}).encode())
    assert isinstance(asked, QuestionAsked)
    assert asked.deadline == min(max(number, 0), MOST)


NESTED: dict[str, Any] = {}
for _ in range(300):
    NESTED = {"a": NESTED}


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("run_started", "options", NESTED), ("lane_opened", "depth", 2**63), ("lane_opened", "depth", -(2**63)),
        ("run_finished", "reason", {"code": "x", "message": "\x1b[2J"}), ("run_started", "options", {"schema": {}}),
        ("run_started", "options", {"timeout": "x", "sampling": 5}), ("run_started", "config_path", "\0"),
        ("lane_opened", "lane", "other"),
    ],
)  # fmt: skip
def test_no_value_of_a_fact_ends_a_command_in_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, field: str, value: object
) -> None:
    change(asyncio.run(filled(tmp_path)), kind, field, value)
    (tmp_path / "o.yaml").write_text(DEAD)
    resumed = ("runs", "resume", RUN, "--timeout", "1")
    for command in (
        ("runs", "show", RUN), ("runs", "show", RUN, "--prompts"), ("runs", "show", RUN, "--json"), ("runs", "export", RUN), ("threads", "export", THREAD), resumed,
        (*resumed, "-c", str(tmp_path / "o.yaml")), (*resumed, "-c", str(tmp_path / "o.yaml"), "--as-it-was"),
        ("runs", "replay", RUN, "-c", str(tmp_path / "o.yaml")), ("runs", "replay", "--all", "--json"), ("runs", "diff", RUN, RUN),
    ):  # fmt: skip
        code, err = mmos(capsys, tmp_path, *command)
        assert code in (0, 1, 2, 3, 4)  # and no exception of another kind
        assert "Traceback" not in err
        assert "\x1b" not in err


def test_exchanges_that_lead_in_a_circle_have_an_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert asyncio.run(_circle(tmp_path)).path(RUN, "a") == ["a", "b"]
    for command in (("runs", "show", RUN), ("runs", "export", "--trace", RUN), ("threads", "show", THREAD), ("threads", "export", THREAD)):
        assert mmos(capsys, tmp_path, *command)[0] == 0


async def _circle(folder: Path) -> Conversation:
    circle = [LaneOpened(lane, "arbiter", Message("user", "Hi."), parent=parent) for lane, parent in (("a", "b"), ("b", "a"), ("a", "b"))]
    async with await Journal.open(folder) as journal:
        for fact in (RunStarted("Say hi.", new_id()), *circle, LaneClosed("never opened", "arbiter", "answered", "Hi.")):
            journal.append(RUN, THREAD, fact)
        return Conversation(await journal.read())


@pytest.mark.parametrize(
    "frame",
    [
        {"tools": "not json"}, {"tools": "[1]"}, {"tools": '[{"function": 3}]'}, {"tools": '[{"function": {"name": 3}}]'}, {"tools": '"x","messages":[]'},
        {"format": "{"}, {"wording": {"file": "{{ nobody }}"}}, {"frame": "another"},
    ],
)  # fmt: skip
async def test_a_request_that_cannot_be_made_again_is_listed_as_such(tmp_path: Path, frame: dict[str, Any]) -> None:
    question = Message("user", "Look.", files=(File("a.txt", "text"),))
    async with await Journal.open(tmp_path) as journal:
        for event in (
            RunStarted("Look.", new_id()), LaneOpened("arbiter", "arbiter", question), FrameKept(**{"frame": "f", "system": "You help.", **frame}),
            ModelAsked("a1", "arbiter", "arbiter", "m\x1b[2J", 8192, frame="f"),
        ):  # fmt: skip
            journal.append(RUN, THREAD, event)
    shown = await shell.command(tmp_path, "runs", "show", RUN, "--prompts", "--state", ".")
    assert (shown.code, shown.out, shown.err) == (0, "─── a1 arbiter · m[2J: the journal does not have all of this request\n\n", "")
    listed = await shell.command(tmp_path, "runs", "show", RUN, "--prompts", "--json", "--state", ".")
    assert (listed.code, listed.document["requests"][0]["body"]) == (0, None)


async def test_a_run_without_requests_says_so(tmp_path: Path) -> None:
    await filled(tmp_path)
    shown = await shell.command(tmp_path, "runs", "show", RUN, "--prompts", "--state", ".")
    assert (shown.code, shown.out, shown.err) == (0, "", f"Run {RUN} sent no request to a model.\n")
