"""Finding runs again: by conversation, status, model, time, words and rating; and saying which were good."""

from __future__ import annotations

import datetime
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
import pytest

from mmos.cli.moments import Moment
from mmos.events import ModelAsked, ModelReplied, RunFinished, RunStarted, ThreadNamed
from mmos.journal import Journal, new_id
from mmos.messages import Message
from tests.shell import command, shell
from tests.terminal import CTRL_D, terminal

DAY = 86_400.0
LONG = "word " * 100
DEAD = "orchestration: {arbiter: {model: m, server: far}, servers: {far: {url: 'http://127.0.0.1:9'}}}\n"


@asynccontextmanager
async def kept(folder: Path) -> AsyncIterator[list[str]]:
    """Three runs: ended 5 and 2 days ago, and one at work since an hour, each with a model of its own."""
    now = time.time()
    runs, notes, other = [new_id() for _ in range(3)], new_id(), new_id()
    (folder / "orchestration.yaml").write_text(DEAD)
    async with await Journal.open(folder / ".mmos", clock=lambda: now) as journal:
        journal.append("", notes, ThreadNamed("notes"))
        rows = [
            (notes, 5 * DAY, "Fix the parser error", "Qwen3:8b"),
            (other, 2 * DAY, "Write a poem", "gemma3"),
            (notes, 3600, "Parser again", "qwen3:14b"),
        ]
        for run, (thread, ago, task, model) in zip(runs, rows, strict=True):
            now = time.time() - ago
            journal.append(run, thread, RunStarted(task, journal.process))
            journal.append(run, thread, ModelAsked("a", "arbiter", "arbiter", model, tail=LONG))
            journal.append(run, thread, ModelReplied("a", "arbiter", "arbiter", model, f"box{runs.index(run)}", Message("assistant", LONG)))
            if ago > DAY:
                journal.append(run, thread, RunFinished("answered" if ago > 3 * DAY else "failed", "A Straße and an error."))
        await journal.durable()
        yield runs


@pytest.mark.parametrize(
    ("args", "places"),
    [
        (["--thread", "notes"], [0, 2]),
        (["--status", "failed"], [1]),
        (["--status", "failed", "--status", "running"], [1, 2]),
        (["--model", "qwen3"], [0, 2]),
        (["--model", "qwen3:8b"], [0]),
        (["--model", "QWEN3:8B@box0"], [0]),
        (["--model", "qwen3@box1"], []),
        (["--model", "gemma3:latest", "--thread", "notes"], []),
        (["--since", "3d"], [1, 2]),
        (["--since", "1w", "--until", "3d"], [0]),
        (["--until", "2000-01-01"], []),
        (["--words", "ERROR parser"], [0]),
        (["--words", "strasse"], [0, 1]),
        (["--rated", "good"], []),
        (["--limit", "1", "--words", "parser"], [2]),
    ],
)
async def test_runs_are_listed_by_what_they_were(tmp_path: Path, args: list[str], places: list[int]) -> None:
    async with kept(tmp_path) as runs:
        listed = await command(tmp_path, "runs", "list", "--json", *args)
        assert [row["run"] for row in listed.document["runs"]] == [runs[place] for place in places]
        said = await command(tmp_path, "runs", "list", *args)
        assert said.err == ("" if places else "No run fits.\n")


@pytest.mark.parametrize("wrong", [["--since", "soon"], ["--until", "2026-13-01"], ["--status", "done"], ["--thread", "nothing"]])
async def test_a_wrong_choice_is_an_error(tmp_path: Path, wrong: list[str]) -> None:
    async with kept(tmp_path) as _:
        assert (await command(tmp_path, "runs", "list", *wrong)).code == 2


def test_a_day_begins_and_ends_in_the_time_zone_of_the_machine() -> None:
    day = datetime.datetime(2026, 11, 30).astimezone()
    assert Moment().convert("2026-11-30", None, None) == day.timestamp()
    assert day.timestamp() + DAY - 1 < Moment(end=True).convert("2026-11-30", None, None) < day.timestamp() + DAY
    assert Moment(end=True).convert("2026-11-30 14:30", None, None) == day.timestamp() + 14.5 * 3600
    assert Moment().convert("1d12h", None, None) == pytest.approx(time.time() - 1.5 * DAY, abs=5)
    for wrong in ("", "30", "tomorrow", "0000-01-01", "9999-99-99"):
        with pytest.raises(click.BadParameter, match="no date and no duration"):
            Moment().convert(wrong, None, None)


# ---------------------------------------------------------------- ratings


async def shown(tmp_path: Path, run: str) -> dict[str, Any]:
    return (await command(tmp_path, "runs", "show", run, "--json")).document


async def test_the_newest_rating_counts_and_changes_nothing_else(tmp_path: Path) -> None:
    async with kept(tmp_path) as runs:
        before = await shown(tmp_path, runs[0])
        assert before["rating"] is None
        assert (await command(tmp_path, "runs", "rate", runs[0], "good")).err == f"Run {runs[0]} is rated good.\n"
        rated = await command(tmp_path, "runs", "rate", runs[0], "bad", "--note", "It forgot\x1b[2J the time zone.", "--json")
        assert rated.document["rating"]["good"] is False
        after = await shown(tmp_path, runs[0])
        assert after.pop("rating") == {"good": False, "note": "It forgot\x1b[2J the time zone."}
        assert {**before, "rating": None} == {**after, "rating": None}  # also not the seconds
        text = (await command(tmp_path, "runs", "show", runs[0])).out
        assert " · rated bad\n" in text
        assert "rated bad: It forgot[2J the time zone." in text
        assert [row["run"] for row in (await command(tmp_path, "runs", "list", "--rated", "bad", "--json")).document["runs"]] == [runs[0]]
        assert "answered, bad" in (await command(tmp_path, "runs", "list")).out


async def test_what_cannot_be_rated_is_told(tmp_path: Path) -> None:
    async with kept(tmp_path) as runs:
        assert (await command(tmp_path, "runs", "rate", runs[0], "fine")).code == 2
        assert (await command(tmp_path, "runs", "rate", "nothing", "good")).code == 2


async def test_a_chat_rates_its_last_answer(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["So it is."]}) as at:
        early = await at.mmos("chat", given=b"/good\n")
        assert "Nothing has been asked in this conversation yet." in early.err
        async with terminal(tmp_path, "chat", columns=100) as typing:
            await typing.shows("/help")
            typing.say("Why?")
            typing.say("/bad too short")
            await typing.shows("The last answer is rated bad.")
            typing.press(CTRL_D)
            assert await typing.ended() == 0
        (row,) = (await at.mmos("runs", "list", "--json")).document["runs"]
        assert row["rating"] == {"good": False, "note": "too short"}
        assert (await at.mmos("chat", "--last", given=b"/good\n")).err.endswith("The last answer is rated good.\n")
        (row,) = (await at.mmos("runs", "list", "--json")).document["runs"]
        assert row["rating"]["good"] is True
