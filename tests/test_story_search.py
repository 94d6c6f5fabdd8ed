"""Finding a text in everything that was said: tasks, replies, calls, results, questions and answers of all runs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from mmos.cli.guard import ERASE_LINE
from mmos.cli.runs_search import Progress
from mmos.events import CallFinished, CallStarted, RunFinished, RunStarted, ThreadNamed, Warned
from mmos.journal import Journal, new_id
from mmos.messages import Message
from mmos.testing import Call, consult
from mmos.views.search import Search
from tests.shell import command, shell

ASK = Call("escalate_to_user", {"question": "Which heron?", "options": ["grey heron", "white heron"]})


async def found(folder: Path, *args: str) -> list[dict[str, Any]]:
    return (await command(folder, "runs", "search", "--json", *args)).document["hits"]


async def test_what_users_models_and_tools_said_is_found_once_each(tmp_path: Path) -> None:
    roles = {"arbiter": [consult("coding", "Where do HERONS nest?"), ASK, "In a heronry, I say."], "coding": ["A heron nests in trees."]}
    async with shell(tmp_path, roles) as at:
        waiting = await at.mmos("run", "Tell me of the Heron.", "--on-question", "wait", "--thread", "birds")
        run = waiting.out.strip()
        await at.mmos("runs", "answer", run, "the grey heron")
        await at.mmos("run", "And of the heron again?")
        await at.mmos("runs", "rate", run, "bad", "--note", "Not only herons nest there.")
        hits = [hit for hit in await found(tmp_path, "heron") if hit["run"] == run]
        assert {(hit["role"], hit["kind"]) for hit in hits} >= {("user", "task"), ("arbiter", "call"), ("arbiter", "question"), ("user", "answer"), ("arbiter", "reply"), ("user", "note")}  # fmt: skip
        assert sum(hit["context"] == "A heron nests in trees." for hit in hits) == 1  # in a reply, and in the result of the call
        assert [hit["seq"] for hit in hits] == sorted(hit["seq"] for hit in hits)
        assert {hit["run"] for hit in await found(tmp_path, "heron", "--thread", "birds")} == {run}
        newest = await found(tmp_path, "heron", "--limit", "2")
        assert newest == (await found(tmp_path, "heron"))[-2:]
        shown = await at.mmos("runs", "search", "heronry")
        assert shown.out.splitlines()[0].split() == ["RUN", "TIME", "WHERE", "TEXT"]
        assert "arbiter: reply" in shown.out


def letters(count: int) -> str:
    """A text in which no part of some length comes twice."""
    return " ".join(f"word{number}" for number in range(count))


@pytest.mark.parametrize(
    "text", ["word61 word62", "WORD99", 'says "word"', "back\\slash", "first\nsecond", "Größe", "GRÖSSE", "日本", "[1,2]"]
)
async def test_texts_are_found_wherever_the_journal_cuts_them(tmp_path: Path, text: str) -> None:
    run, thread = new_id(), new_id()
    said = f'{letters(100)} says "word" back\\slash first\nsecond Größe 日本'
    async with await Journal.open(tmp_path / ".mmos") as journal:
        journal.append("", thread, ThreadNamed("t"))
        journal.append(run, thread, RunStarted(f"Task: {said} End.", journal.process))
        journal.append(run, thread, CallStarted("c", "l", "arbiter", "tool", {"say": said, "k": [1, 2]}))
        journal.append(run, thread, CallFinished("c", "l", "arbiter", "tool", True, Message("tool", said, tool_name="tool", call_id="c")))
        journal.append(run, thread, Warned(said))
        journal.append(run, thread, RunFinished("answered", said))
    hits = await found(tmp_path, text, "--state", ".mmos")
    assert hits
    assert {hit["run"] for hit in hits} == {run}
    assert all(text.casefold() in hit["context"].casefold() for hit in hits)


async def test_text_of_a_stranger_steers_no_terminal_and_what_is_not_there_is_told(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path / ".mmos") as journal:
        journal.append(new_id(), new_id(), RunStarted("evil\x1b[2J task\u202e", journal.process))
    shown = await command(tmp_path, "runs", "search", "evil", "--state", ".mmos")
    assert "evil[2J task" in shown.out
    assert "\x1b" not in shown.out
    nothing = await command(tmp_path, "runs", "search", "good", "--state", ".mmos")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "No run has this text.\n")
    assert (await command(tmp_path, "runs", "search", " ", "--state", ".mmos")).code == 2
    assert (await command(tmp_path, "runs", "search", "x", "--thread", "no", "--state", ".mmos")).code == 2


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_long_search_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    now, err = 0.0, Tty()
    progress = Progress(err, lambda: now)
    progress.at(800)
    progress.end()
    assert err.getvalue() == ""
    now = 1.5
    progress.at(200)
    assert err.getvalue().endswith("searched 75 %")
    progress.end()
    assert err.getvalue().endswith(ERASE_LINE)


def test_a_place_is_shown_with_the_words_around_it() -> None:
    from mmos.events import Entry

    def context(text: str, wanted: str) -> str:
        (hit,) = Search(wanted).hits(Entry("r", "t", 1.0, RunStarted(text, "p")))
        return hit.context

    assert context("a" * 100 + "NEEDLE" + "b" * 100, "needle") == f"…{'a' * 60}NEEDLE{'b' * 60}…"
    assert context("needle", "needle") == "needle"
    assert context("ßßß" * 50 + "needle", "needle").endswith("needle")
    assert "Straße" in context("Die Straße", "strasse")
