"""Earlier runs as a collection of the library: what is found of them, what stays out, and that deleted runs leave no word."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmos.app.archive import RUNS, Archive
from mmos.events import ArtifactKept, CallFinished, Event, Forked, RunFinished, RunResumed, RunStarted, RunWithdrawn
from mmos.journal import Journal, new_id
from mmos.library.passages import Query
from mmos.messages import Message
from tests.shell import command, shell

MARK = "marmalade"


def started(task: str, *, rehearsed: bool = False) -> RunStarted:
    return RunStarted(task, "", rehearsed=rehearsed)


def consulted(tool: str, text: str) -> CallFinished:
    content = f'{{"tool":"{tool}","success":true,"response":"{text}","reasoning":""}}'
    return CallFinished("c1", "arbiter", "arbiter", tool, True, Message("tool", content))


async def told(journal: Journal, *events: Event, run: str = "", thread: str = "") -> str:
    """Append the events of one run, and return its id."""
    run = run or new_id()
    for event in events:
        journal.append(run, thread or f"thread of {run}", event)
    await journal.durable()
    return run


async def sources(archive: Archive, text: str, *, rehearsed: bool | None = None) -> list[str]:
    return [one.source for one in await archive.search(Query(text, 10), rehearsed=rehearsed)]


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_the_task_the_answer_and_what_specialists_answered_are_found_with_their_places(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal:
        archive = Archive(journal, tmp_path)
        assert await archive.search(Query("herons")) == []
        run = await told(journal, started("Where do herons nest?"), consulted("consult_analysis_specialist", "In reeds, says the atlas."), RunFinished("answered", "In tall trees."))  # fmt: skip
        await told(journal, started("How long is a furlong?"), RunFinished("answered", "220 yards."))
        [passage, *_] = await archive.search(Query("herons nest trees"))
        assert (passage.source, passage.title, passage.language) == (f"run:{run}", "Where do herons nest?", "run")
        text = await archive.library.text(RUNS, passage.source)
        assert (
            text
            == "# task\n\nWhere do herons nest?\n\n# consult_analysis_specialist\n\nIn reeds, says the atlas.\n\n# answer\n\nIn tall trees."
        )
        assert text[passage.start : passage.end] == passage.text
        assert (await sources(archive, "atlas reeds"))[0] == f"run:{run}"


async def test_a_long_text_has_a_source_of_its_own_and_stands_in_the_run_as_a_reference(tmp_path: Path) -> None:
    long = f"The {MARK} recipe needs oranges."
    async with await Journal.open(tmp_path) as journal:
        archive = Archive(journal, tmp_path)
        kept = ArtifactKept("abc-1", "arbiter", "coding", long)
        run = await told(journal, started("A recipe?"), kept, RunFinished("answered", f"Here it is:\n\n{long}"))
        assert (await sources(archive, f"{MARK} oranges"))[0] == f"artifact:{run}/abc-1"
        assert f"Here it is:\n\nartifact:{run}/abc-1" in await archive.library.text(RUNS, f"run:{run}")
        assert await archive.library.text(RUNS, f"artifact:{run}/abc-1") == long


async def test_only_runs_that_have_ended_and_count_are_found_and_a_resumed_run_replaces_its_text(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal:
        archive = Archive(journal, tmp_path)
        run = await told(journal, started("Ask about herons."))
        assert await sources(archive, "herons") == []  # it is at work
        await told(journal, RunFinished("waiting", None), run=run)
        assert await sources(archive, "herons") == [f"run:{run}"]
        await told(journal, RunResumed(""), run=run)
        assert await sources(archive, "herons") == []
        await told(journal, RunFinished("answered", f"They like {MARK}."), run=run)
        assert await sources(archive, MARK) == [f"run:{run}"]
        assert await sources(Archive(journal, tmp_path), MARK) == [f"run:{run}"]  # as another process finds it
        elsewhere = await told(journal, RunWithdrawn(), run=run, thread="a fork of the conversation")
        assert await sources(archive, MARK) == [f"run:{elsewhere}"]
        await told(journal, RunWithdrawn(), run=run)
        assert await sources(archive, MARK) == []


async def test_a_fork_has_only_what_is_its_own(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal:
        archive = Archive(journal, tmp_path)
        origin = await told(
            journal, started("Herons?"), consulted("consult_coding_specialist", "In the atlas."), RunFinished("answered", "So.")
        )
        until = (await journal.read(run=origin))[1].seq
        fork = await told(
            journal, Forked(f"thread of {origin}", until, origin, 1, "Herons?"), RunResumed(""), RunFinished("answered", "Otherwise.")
        )
        assert await sources(archive, "atlas") == [f"run:{origin}"]
        assert await archive.library.text(RUNS, f"run:{fork}") == "# task\n\nHerons?\n\n# answer\n\nOtherwise."


async def test_rehearsed_runs_are_kept_apart(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path) as journal:
        archive = Archive(journal, tmp_path)
        real = await told(journal, started("Herons?"), RunFinished("answered", "Yes."))
        scripted = await told(journal, started("Herons!", rehearsed=True), RunFinished("answered", "Perhaps."))
        assert await sources(archive, "herons", rehearsed=False) == [f"run:{real}"]
        assert await sources(archive, "herons", rehearsed=True) == [f"run:{scripted}"]
        assert {*await sources(archive, "herons")} == {f"run:{real}", f"run:{scripted}"}


@pytest.mark.parametrize("how", ["run", "thread"])
async def test_a_deletion_in_the_journal_leaves_no_word_after_the_next_search(tmp_path: Path, how: str) -> None:
    """Also when a program deletes without the command."""
    async with await Journal.open(tmp_path) as journal:
        archive = Archive(journal, tmp_path)
        gone = await told(journal, started(f"Where is the {MARK}?"), RunFinished("answered", f"The {MARK} is here."))
        kept = await told(journal, started("Herons?"), RunFinished("answered", "Yes."))
        assert await sources(archive, MARK) == [f"run:{gone}"]
        assert MARK.encode() in bytes_in(tmp_path / "library")
        await (journal.delete(run=gone) if how == "run" else journal.delete(thread=f"thread of {gone}"))
        assert await sources(archive, "herons") == [f"run:{kept}"]
        assert await sources(archive, MARK) == []
    assert MARK.encode() not in bytes_in(tmp_path)


async def test_many_runs_are_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmos.app.archive._AT_ONCE", 2)
    async with await Journal.open(tmp_path) as journal:
        archive = Archive(journal, tmp_path)
        runs = [await told(journal, started(f"Heron number{number}"), RunFinished("answered", "Yes.")) for number in range(5)]
        assert {*await sources(archive, "heron")} == {f"run:{run}" for run in runs}
        assert {one.source for one in await archive.library.sources(RUNS)} == {f"run:{run}" for run in runs}


async def test_the_commands_that_delete_leave_no_word_also_without_the_package(tmp_path: Path) -> None:
    """The archive may be there, and the package not: it was removed, or this is another environment."""
    async with await Journal.open(tmp_path / ".mmos") as journal:
        archive = Archive(journal, tmp_path / ".mmos")
        gone = await told(journal, started(f"Where is the {MARK}?"), RunFinished("answered", f"The {MARK} is here."))
        kept = await told(journal, started("Herons?"), RunFinished("answered", "Yes."))
        assert await sources(archive, MARK) == [f"run:{gone}"]
    (tmp_path / "without" / "lancedb").mkdir(parents=True)
    (tmp_path / "without" / "lancedb" / "__init__.py").write_text("raise ImportError('It is not here.')\n")
    without = {"PYTHONPATH": str(tmp_path / "without")}
    deleted = await command(tmp_path, "runs", "delete", gone, "--yes", "--state", ".mmos", **without)
    assert (deleted.code, "Deleted 1 run" in deleted.err) == (0, True)
    assert MARK.encode() not in bytes_in(tmp_path / ".mmos")
    assert (await command(tmp_path, "runs", "search", "herons", "--state", ".mmos", **without)).code == 0
    async with await Journal.open(tmp_path / ".mmos") as journal:
        assert await sources(Archive(journal, tmp_path / ".mmos"), f"herons {MARK}") == [f"run:{kept}"]


async def test_an_archive_that_cannot_be_deleted_stops_the_deletion(tmp_path: Path) -> None:
    folder = tmp_path / ".mmos" / "library"
    async with await Journal.open(tmp_path / ".mmos") as journal:
        run = await told(journal, started("Herons?"), RunFinished("answered", "Yes."))
    (folder / "runs.odd").mkdir(parents=True)
    (folder / "archive.lock").mkdir()  # no process can hold it
    async with shell(tmp_path, {"arbiter": []}) as at:
        refused = await at.mmos("runs", "delete", run, "--yes")
        assert refused.code != 0
        assert "library" in refused.err
        assert [row["run"] for row in (await at.mmos("runs", "list", "--json")).document["runs"]] == [run]


async def test_runs_are_searched_by_what_a_question_asks(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path / ".mmos") as journal:
        herons = await told(journal, started("Where do herons nest?"), RunFinished("answered", "They nest in tall trees."))
        await told(journal, started("How long is a furlong?", rehearsed=True), RunFinished("answered", "220 yards."))
    async with shell(tmp_path, {"arbiter": []}) as at:
        document = (await at.mmos("runs", "search", "in which trees does a heron nest", "--ranked", "--json")).document
        first = document["results"][0]
        assert (document["version"], first["source"], first["run"], first["artifact"]) == (1, f"run:{herons}", herons, None)
        assert (first["title"], first["rehearsed"]) == ("Where do herons nest?", False)
        assert 0 < first["score"] <= 1
        shown = await at.mmos("runs", "search", "furlong", "--ranked", "--limit", "1")
        assert shown.out.splitlines()[0].split() == ["RUN", "SCORE", "TASK", "TEXT"]
        assert "220 yards." in shown.out
        assert (await at.mmos("runs", "search", "herons", "--ranked", "--thread", "t")).code == 2
        assert "No run" in (await at.mmos("runs", "search", "zzz", "--ranked")).err
