"""Tests that a collection has what its sources have: after changes, deletions, kills and with several writers."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from mmos.errors import NotFound, UsageError
from mmos.library.finding import find
from mmos.library.ingest import Step
from mmos.library.library import Library
from mmos.library.passages import Document, Filter, Query

ROOT = Path(__file__).parent.parent
WRITER = """
import asyncio, sys
from mmos.library.finding import find
from mmos.library.library import Library
asyncio.run(Library(sys.argv[1]).add("notes", find([sys.argv[2]])))
print("done")
"""


def text(topic: str, sentences: int = 60) -> str:
    return " ".join(f"The {topic} number {number} is kept on shelf {number % 7}." for number in range(sentences))


def fill(folder: Path, at: int = 0, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, topic in files.items():
        (folder / f"{name}.md").write_text(text(topic))
        os.utime(folder / f"{name}.md", (1_000_000 + at, 1_000_000 + at))
    return folder


async def found(library: Library, question: str) -> list[str]:
    return [Path(one.source).stem for one in await library.search("notes", Query(question, top_k=3))]


async def is_whole(library: Library, folder: Path) -> bool:
    """Whether the collection has each piece of each file once, and nothing else, and the frequencies of these."""
    rows = await library.rows("notes")
    fresh = Library(folder.parent / f"fresh{random.random()}")
    await fresh.add("notes", find([folder]))
    expected = {row.id for row in await fresh.rows("notes")}
    opened = await library._opened("notes")
    await library._refresh(opened)
    return {row.id for row in rows} == expected and len(rows) == len(expected) and opened.frequencies.pieces == len(rows)


async def test_only_what_has_changed_is_read_again_and_what_is_gone_leaves(tmp_path: Path) -> None:
    folder, library = fill(tmp_path / "docs", heron="heron", train="engine", bread="flour"), Library(tmp_path / "library")
    first = await library.add("notes", find([folder]))
    assert (first.sources, first.unchanged, first.deleted) == (3, 0, 0)
    again = await library.add("notes", find([folder]))
    assert (again.sources, again.unchanged, again.deleted) == (0, 3, 0)
    (folder / "train.md").write_text(text("tunnel"))
    (folder / "bread.md").unlink()
    changed = await library.add("notes", find([folder]))
    assert (changed.sources, changed.unchanged, changed.deleted) == (1, 1, 1)
    assert await found(library, "tunnel on a shelf") == ["train", "train", "train"]
    assert "bread" not in await found(library, "flour")
    assert await is_whole(library, folder)


async def test_a_touched_file_is_the_same_one(tmp_path: Path) -> None:
    folder, library = fill(tmp_path / "docs", heron="heron"), Library(tmp_path / "library")
    await library.add("notes", find([folder]))
    os.utime(folder / "heron.md", (2_000_000, 2_000_000))
    again = await library.add("notes", find([folder]))
    assert (again.sources, again.unchanged) == (0, 1)


async def test_a_folder_takes_away_only_its_own(tmp_path: Path) -> None:
    one, other = fill(tmp_path / "one", heron="heron"), fill(tmp_path / "other", train="engine")
    library = Library(tmp_path / "library")
    await library.add("notes", [*find([one]), *find([other]), Document("said", "A text of the caller.")])
    (one / "heron.md").unlink()
    fill(one, bread="flour")
    assert (await library.add("notes", find([one]))).deleted == 1
    assert {Path(source.source).name for source in await library.sources("notes")} == {"bread.md", "train.md", "said"}


async def test_the_text_of_a_source_is_whole_and_spans_are_those_of_the_file(tmp_path: Path) -> None:
    folder, library = fill(tmp_path / "docs", heron="heron"), Library(tmp_path / "library")
    (folder / "heron.md").write_bytes(f"# Herons\r\n\r\n{text('heron')}\r\n\r\n\r\n## Nests\r\n\r\n{text('nest')}".encode())
    await library.add("notes", find([folder]))
    content = (folder / "heron.md").read_bytes().decode()
    assert await library.text("notes", str(folder / "heron.md")) == content
    for passage in await library.search("notes", Query("nest on shelf 3", top_k=5)):
        assert content[passage.start : passage.end] == passage.text
        assert len(passage.text) <= 1_000


async def test_a_search_is_limited_by_source_heading_language_and_time(tmp_path: Path) -> None:
    folder, library = fill(tmp_path / "docs", heron="heron", train="heron"), Library(tmp_path / "library")
    (folder / "train.md").write_text(f"# Station\n\n{text('heron')}")
    os.utime(folder / "train.md", (3_000_000, 3_000_000))
    (folder / "it's_100%.py").write_text("def heron():\n    return 'heron'\n")
    await library.add("notes", find([folder]))

    async def where(**keys: object) -> set[str]:
        return {Path(one.source).stem for one in await library.search("notes", Query("heron", 20, where=Filter(**keys)))}  # type: ignore[arg-type]

    assert await where() == {"heron", "train", "it's_100%"}
    assert await where(source=str(folder / "it's_100%.py")) == {"it's_100%"}
    assert await where(source="tr*.md") == {"train"}
    assert await where(path="station") == {"train"}
    assert await where(language="Python") == {"it's_100%"}
    assert await where(since=2_000_000, until=4_000_000) == {"train"}
    assert await where(source="' OR 1=1 --") == set()


@pytest.mark.parametrize(
    "question", ["", "?!…", "the of and", "'; DROP TABLE pieces; --", '"quoted" AND (x OR *)', "x" * 100_000, "a\0b", "鷺はどこ"]
)
async def test_no_question_is_an_error(tmp_path: Path, question: str) -> None:
    library = Library(tmp_path / "library")
    await library.add("notes", [Document("a", text("heron"))])
    assert isinstance(await library.search("notes", Query(question)), list)


async def test_a_stopped_adding_leaves_a_whole_collection_and_the_next_one_goes_on(tmp_path: Path) -> None:
    folder, library = fill(tmp_path / "docs", **{f"file{number}": f"topic{number}" for number in range(200)}), Library(tmp_path / "library")
    begun = asyncio.Event()

    def step(_: Step) -> None:
        begun.set()

    adding = asyncio.create_task(library.add("notes", find([folder]), on_step=step))
    await begun.wait()
    adding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await adding
    await library.add("notes", find([folder]))
    assert await is_whole(library, folder)


async def test_collections_are_apart_and_go_as_a_whole(tmp_path: Path) -> None:
    library = Library(tmp_path / "library")
    await library.add("notes", [Document("a", text("heron"))])
    await library.add("other", [Document("b", text("train"))])
    assert library.names() == ["notes", "other"]
    assert await library.delete("notes", ["a", "nothing"]) == 1
    assert await library.delete("other") == 1
    assert library.names() == ["notes"]
    with pytest.raises(NotFound, match="There is no collection 'other'"):
        await library.search("other", Query("train"))
    with pytest.raises(UsageError, match="cannot be the name"):
        await library.add("../x", [Document("a", "text")])


async def _process(library: Path, folder: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(library), str(folder), cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


@pytest.mark.slow
async def test_a_killed_writer_leaves_nothing_double_and_nothing_stale(tmp_path: Path) -> None:
    """Killed while it adds, replaces and deletes, at other instants each time."""
    folder, place, chance = tmp_path / "docs", tmp_path / "library", random.Random(7)
    for round_ in range(5):
        fill(folder, round_, **{f"file{number}": f"topic{number} of round {round_}" for number in range(round_, 60 + round_)})
        (folder / f"file{round_}.md").unlink()
        writer = await _process(place, folder)
        try:
            await asyncio.wait_for(writer.wait(), 1.0 + chance.random() * 1.2)
        except TimeoutError:
            writer.send_signal(signal.SIGKILL)
            await writer.wait()
    library = Library(place)
    await library.add("notes", find([folder]))
    assert await is_whole(library, folder)


@pytest.mark.slow
async def test_three_writers_at_once_double_nothing_and_a_search_beside_them_never_fails(tmp_path: Path) -> None:
    folder, place = fill(tmp_path / "docs", **{f"file{number}": f"topic{number}" for number in range(40)}), tmp_path / "library"
    await Library(place).add("notes", [Document("first", text("heron"))])
    writers = [await _process(place, folder) for _ in range(3)]
    ended = asyncio.gather(*(writer.communicate() for writer in writers))
    library, searches = Library(place), 0
    while not ended.done():
        assert "first" in [one.source for one in await library.search("notes", Query("heron on shelf 2"))]
        searches += 1
        await asyncio.sleep(0)
    assert [writer.returncode for writer in writers] == [0, 0, 0], [err.decode()[-300:] for _, err in ended.result()]
    assert searches > 5
    rows = await library.rows("notes")
    assert len(rows) == len({row.id for row in rows})
    await library.delete("notes", ["first"])
    assert await is_whole(library, folder)
