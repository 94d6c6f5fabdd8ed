"""Keeps what was said in earlier runs as a collection of the library, so that passages are found in it. It is made from the journal."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from mmos.errors import NotFound, UsageError
from mmos.journal import Journal, faults, new_id
from mmos.journal.process import FileLock
from mmos.threads import on_thread
from mmos.views.run_texts import ENDS, KINDS, RunTexts

if TYPE_CHECKING:
    from mmos.library.library import Library
    from mmos.library.passages import Document, Passage, Query

RUNS = "runs"
"""The collection. Users cannot add documents to it."""
FOLDER = "library"
"""The folder in the state folder. The archive is always there, also when other collections are elsewhere: who deletes a run must reach it."""
RUN, REHEARSED = "run", "rehearsed"
"""The languages of its sources: those of runs with real models, and with scripted ones."""
_AT_ONCE = 200
"""Runs that are read and added at once."""
_LOCK, _MARK = "archive.lock", f"{RUNS}.journal.json"
_AWAY = f".deleted-{RUNS}-"
"""How names of files begin that are being deleted."""


@dataclass(frozen=True)
class Mark:
    """How much of the journal is in the collection."""

    seq: int
    deletions: int
    """After another deletion in the journal, all is made anew. A library that only deletes rows has their words for a while."""


class Archive:
    """The earlier runs of a state folder, for searches.

    Example::

        archive = Archive(app.journal, state)
        for passage in await archive.search(mmos.library.Query("What did we say about mutexes?")):
            print(passage.source, passage.text)
    """

    def __init__(self, journal: Journal, state: Path, library: Library | None = None) -> None:
        from mmos.library.library import Library

        self._journal, self._folder = journal, state / FOLDER
        self.library = library or Library(self._folder)
        self._turn = asyncio.Lock()

    async def search(self, query: Query, *, rehearsed: bool | None = None) -> list[Passage]:
        """The passages of ended runs that fit a question, the best first. `rehearsed`: only runs with scripted models, or only the others. None: all."""
        await self.refresh()
        if rehearsed is not None and not query.where.language:
            query = replace(query, where=replace(query.where, language=REHEARSED if rehearsed else RUN))
        with suppress(NotFound):  # no run has ended yet
            return await self.library.search(RUNS, query)
        return []

    async def refresh(self) -> None:
        """Add the runs that have ended since the last time, and delete those that no longer count."""
        newest, deletions = await self._journal.state()
        if _mark_in(self._folder) == Mark(newest, deletions):
            return
        with faults.told(self._folder):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            async with self._turn, _held(FileLock(self._folder / _LOCK)):
                await self._fill()

    async def _fill(self) -> None:
        newest, deletions = await self._journal.state()
        mark = _mark_in(self._folder)
        if mark is None or mark.deletions != deletions or mark.seq > newest:
            _wipe(self._folder)
            mark = Mark(0, deletions)
        seq = mark.seq
        while seq < newest:
            ends = await self._journal.read(kinds=ENDS, after=seq, limit=_AT_ONCE)
            await self._keep(dict.fromkeys(entry.run for entry in ends))
            seq = ends[-1].seq if len(ends) == _AT_ONCE else newest
            (self._folder / _MARK).write_bytes(orjson.dumps([seq, deletions]))

    async def _keep(self, runs: Iterable[str]) -> None:
        """Bring what is kept of these runs up to date."""
        texts = [RunTexts.of(run, await self._journal.read(run=run, kinds=KINDS)) for run in runs]
        documents = [document for one in texts if one.counts for document in _documents(one)]
        if documents:
            await self.library.add(RUNS, documents)
        if gone := [source for one in texts if not one.counts for source in _sources(one)]:
            with suppress(NotFound):
                await self.library.delete(RUNS, gone)


@asynccontextmanager
async def _held(lock: FileLock) -> AsyncIterator[None]:
    """Hold a lock. A caller that is cancelled while it waits releases it as soon as it gets it."""
    taking = asyncio.ensure_future(on_thread(lock.take, wait=True))
    try:
        await asyncio.shield(taking)
        yield
    finally:
        taking.add_done_callback(lambda _: lock.release())


def _sources(texts: RunTexts) -> list[str]:
    return [f"run:{texts.run}", *(f"artifact:{texts.run}/{name}" for name in texts.artifacts)]


def _documents(texts: RunTexts) -> Iterator[Document]:
    from mmos.library.passages import Document

    contents = [texts.text, *(artifact.text for artifact in texts.artifacts.values())]
    for source, text in zip(_sources(texts), contents, strict=True):
        yield Document(source, text, texts.title, REHEARSED if texts.rehearsed else RUN, "", texts.ended, len(text.encode()))


# ---------------------------------------------------------------- deleting


def forget(state: Path | None) -> bool:
    """Delete all that the library keeps of runs, and return whether there was something. The next search makes it anew from the journal.

    It removes files and needs no package. Call it before runs are deleted, so that it can still fail, and after it, because another process may
    have added one in between.
    """
    folder = state / FOLDER if state is not None else None
    if folder is None or not folder.is_dir():
        return False
    lock = FileLock(folder / _LOCK)
    with faults.told(folder):
        if lock.path.exists():  # without it nobody has ever filled the archive. A full disk has no room for a new file.
            lock.take(wait=True)
        try:
            return _wipe(folder)
        finally:
            lock.release()


def _wipe(folder: Path) -> bool:
    """Delete the files of the collection, but not its locks: if these went, two processes could hold two files of the same name."""
    (folder / _MARK).unlink(missing_ok=True)  # first: half an archive without it is made anew
    found = sorted((path for path in folder.glob(f"{RUNS}.*") if path.suffix != ".lock"), key=lambda path: not path.match("*.pieces.lance"))
    for path in found:
        path.rename(folder / f"{_AWAY}{new_id()}")  # in one step, so that nobody reads the half of a table
    for path in folder.glob(f"{_AWAY}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    return bool(found)


def _mark_in(folder: Path) -> Mark | None:
    try:
        seq, deletions = orjson.loads((folder / _MARK).read_bytes())
    except (OSError, ValueError, TypeError):  # it was never written, or not to its end
        return None
    return Mark(seq, deletions) if type(seq) is type(deletions) is int else None


def check_free(collection: str) -> None:
    """Raise `UsageError` if users cannot add documents to a collection of this name."""
    if collection == RUNS:
        raise UsageError(f"The collection {RUNS!r} is made of your earlier runs.", next_step="Name another one with -C.")
