"""Adds documents to a collection: reads what has changed, keeps it, and deletes what is no longer there."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from collections.abc import Collection as Some
from dataclasses import dataclass, field, replace
from hashlib import file_digest, sha256
from itertools import chain
from pathlib import Path
from typing import Any

from mmos.library.counting import Counting
from mmos.library.cutting import cut
from mmos.library.finding import Found, PassedOver
from mmos.library.passages import Document
from mmos.library.reading.files import Unreadable, read
from mmos.library.rows import Kept, Prepared, kept_of
from mmos.library.store import Shelf
from mmos.threads import on_thread

BATCH = 1_000
"""Pieces that are kept at once."""
_GROUP = 64
"""Sources that one thread reads at once."""
_GROUP_SIZE = 1_000_000
"""Bytes of these sources, about."""
_SETTLED = 2.0
"""A file that changed so many seconds before it was read may have changed again without a new time."""
_SAVE_EVERY = 60.0
"""Seconds after which a long ingest brings the index up to date."""

Source = Found | PassedOver | Document


@dataclass
class Added:
    """What came of adding documents."""

    sources: int = 0
    """Sources that are new or have changed."""
    pieces: int = 0
    unchanged: int = 0
    deleted: int = 0
    """Sources that are no longer in an added folder."""
    passed_over: list[PassedOver] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """How far the adding of documents is."""

    done: int
    """Files that were looked at."""
    all: int
    """0: not known yet."""
    pieces: int
    source: str


@dataclass(frozen=True)
class _Unread:
    """A file without a text."""

    path: str
    why: str
    lost: bool
    """Whether it can be read, and has no text any more. If it cannot be read now, what was kept of it stays."""


_Outcome = Prepared | Kept | _Unread | None
_Batch = dict[str, Prepared | Kept]


@dataclass
class Ingest:
    """One adding of documents. Only who holds the lock of the collection may do it."""

    shelf: Shelf
    counting: Counting
    on_step: Callable[[Step], None] | None = None
    folders: set[str] = field(default_factory=set)
    """Folders that were looked through."""
    added: Added = field(default_factory=Added)
    _kept: dict[str, Kept] = field(default_factory=dict)
    """As it will be when all batches are kept."""
    _there: set[str] = field(default_factory=set)
    """Sources that have pieces."""
    _found: dict[str, set[str]] = field(default_factory=dict)
    """The folders in which each file was found."""
    _lost: set[str] = field(default_factory=set)
    _step: Step = Step(0, 0, 0, "")
    _saved: float = field(default_factory=time.monotonic)

    async def add(self, sources: Iterable[Source]) -> Added:
        before = await self.shelf.sources()
        self._kept, self._there = dict(before), set(before)
        try:
            await self._keep_all(await on_thread(self._groups, sources))
            await to_end(self._follow(before))
        finally:
            await to_end(self.counting.end())
        if self.added.sources:
            await self.shelf.suit()
        if self.added.sources or self.added.deleted:
            await self.shelf.upkeep(always=False)
        return self.added

    # ---------------------------------------------------------------- reading, on a thread

    def _groups(self, sources: Iterable[Source]) -> Iterator[list[Source]]:
        """Files are listed before the first one is read. Texts of the caller are taken one by one, because they may be more than fit into memory."""
        rest = iter(sources)
        files: dict[str, Source] = {}
        text = None
        for one in rest:
            if isinstance(one, Document):
                text = one
                break
            self._see(one)
            files[one.path] = one  # the last one wins
        if text is None:
            self._step = replace(self._step, all=len(files))
            return _grouped(files.values())
        return _grouped(chain(files.values(), [text], map(self._see, rest)))

    def _see(self, one: Source) -> Source:
        if isinstance(one, Found):
            self._found.setdefault(one.path, set()).add(one.root)
            self.folders |= {one.root} - {""}
        return one

    def _read(self, groups: Iterator[list[Source]]) -> tuple[list[Source], list[_Outcome]]:
        group = next(groups, [])
        return group, [self._outcome(one) for one in group]

    def _outcome(self, one: Source) -> _Outcome:
        """What is to be kept. None: nothing, because it has not changed."""
        if isinstance(one, PassedOver):
            return _Unread(one.path, one.why, lost=False)
        if isinstance(one, Document):
            return _of_text(one, self._kept.get(one.source))
        known = self._kept.get(one.path)
        roots = tuple(sorted(self._found[one.path] | set(known.roots if known else ())))
        try:
            if known is not None and _is_same(one, known):
                now = replace(known, roots=roots, size=one.size, changed=one.changed)
                return now if now != known else None
            return _prepared(read(one), roots)
        except (Unreadable, OSError) as error:
            lost = not isinstance(error, OSError) and not isinstance(error.__cause__, OSError)
            return _Unread(one.path, str(error), lost)

    # ---------------------------------------------------------------- keeping

    async def _keep_all(self, groups: Iterator[list[Source]]) -> None:
        """The next batch is read while the last one is written."""
        reading = asyncio.create_task(self._batch(groups))
        try:
            while batch := await reading:
                reading = asyncio.create_task(self._batch(groups))
                await to_end(self._keep(batch))
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _batch(self, groups: Iterator[list[Source]]) -> _Batch:
        """Empty: all has been read."""
        batch: _Batch = {}
        weight = 0
        while weight < BATCH:
            group, outcomes = await on_thread(self._read, groups)
            if not group:
                break
            weight += sum(self._take(outcome, batch) for outcome in outcomes)
            self._tell(group)
        return batch

    def _take(self, outcome: _Outcome, batch: _Batch) -> int:
        match outcome:
            case None:
                self.added.unchanged += 1
            case _Unread(path, why, lost):
                self.added.passed_over.append(PassedOver(path, why))
                if lost and path in self._kept:
                    self._lost.add(path)
            case Kept():
                self.added.unchanged += 1
                batch[outcome.source] = self._kept[outcome.source] = outcome
                return 1
            case Prepared():
                source, pieces = outcome.document.source, len(outcome.pieces)
                batch[source] = outcome
                self._kept[source] = kept_of(outcome, time.time())
                self._step = replace(self._step, pieces=self._step.pieces + pieces)
                return max(1, pieces)
        return 0

    def _tell(self, group: list[Source]) -> None:
        last = group[-1]
        name = last.source if isinstance(last, Document) else last.path
        self._step = replace(self._step, done=self._step.done + len(group), source=name)
        if self.on_step is not None:
            self.on_step(self._step)

    async def _keep(self, batch: _Batch) -> None:
        prepared = [one for one in batch.values() if isinstance(one, Prepared)]
        names = {one.document.source for one in prepared}
        await self.counting.begin()
        if prepared:
            await self.counting.gone(await self.shelf.texts(names & self._there))
            known = None if self.counting.recount else self._there  # a killed process may have left pieces of any source
            await asyncio.gather(self.shelf.put(prepared, time.time(), known=known), self.counting.came(prepared))
            self._there |= names
            self.added.sources += len(prepared)
            self.added.pieces += sum(len(one.pieces) for one in prepared)
        await self.shelf.note([one for one in batch.values() if isinstance(one, Kept)])
        if time.monotonic() > self._saved + _SAVE_EVERY:
            await self.counting.save()
            await self.shelf.upkeep(always=False)
            self._saved = time.monotonic()

    async def _follow(self, before: dict[str, Kept]) -> None:
        """Delete the sources of the added folders that are no longer there."""
        unread = {one.path for one in self.added.passed_over if one.path} - self._lost
        gone, stay = await on_thread(_gone, before, self._found, self.folders, unread)
        names = {*gone, *self._lost}
        if stay or names:
            await self.counting.begin()
            await self.shelf.note(stay)
        await remove(self.shelf, self.counting, names)
        self.added.deleted = len(names)


async def remove(shelf: Shelf, counting: Counting, sources: Some[str]) -> None:
    if sources:
        await counting.begin()
        await counting.gone(await shelf.texts(sources))
        await shelf.remove(sources)


async def to_end(work: Coroutine[Any, Any, None]) -> None:
    """Do the work to its end. If the caller is cancelled meanwhile, the cancellation goes on after it: LanceDB does not undo half a write."""
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
    task.result()
    if cancelled:
        raise asyncio.CancelledError


def absolute(path: str | Path) -> str:
    """As it was named: links are not followed."""
    return os.path.abspath(path)  # noqa: PTH100  # `Path.resolve` follows links


def _grouped(sources: Iterable[Source]) -> Iterator[list[Source]]:
    group: list[Source] = []
    size = 0
    for one in sources:
        group.append(one)
        size += len(one.text) if isinstance(one, Document) else one.size if isinstance(one, Found) else 0
        if len(group) >= _GROUP or size >= _GROUP_SIZE:
            yield group
            group, size = [], 0
    if group:
        yield group


def _is_same(found: Found, kept: Kept) -> bool:
    """Whether the file has not changed: its size and time are as before, or its bytes."""
    if found.size != kept.size:
        return False
    if found.changed == kept.changed and found.changed < kept.added - _SETTLED:
        return True
    with Path(found.path).open("rb") as file:
        return file_digest(file, "sha256").hexdigest() == kept.digest


def _of_text(document: Document, kept: Kept | None) -> Prepared | None:
    """A text of the caller. No folder has it, so no folder takes it away."""
    data = document.text.encode(errors="surrogatepass")
    digest = document.digest or sha256(data).hexdigest()
    if kept and (kept.digest, kept.title, kept.language, kept.roots) == (digest, document.title, document.language, ()):
        return None
    return _prepared(replace(document, digest=digest, size=document.size or len(data), changed=document.changed or time.time()), ())


def _prepared(document: Document, roots: tuple[str, ...]) -> Prepared:
    return Prepared(document, cut(document.text, document.language), roots)


def _gone(before: Mapping[str, Kept], found: Some[str], folders: set[str], unread: Some[str]) -> tuple[list[str], list[Kept]]:
    """The sources that are no longer in the folders, and those that only another folder has now."""
    gone, stay = [], []
    for source, one in before.items():
        if source in found or not one.roots or not _is_below(source, folders) or source in unread or _is_below(source, unread):
            continue
        left = tuple(root for root in one.roots if root not in folders)
        if not left or not os.path.lexists(source):
            gone.append(source)
        elif left != one.roots:
            stay.append(replace(one, roots=left))
    return gone, stay


def _is_below(source: str, folders: Some[str]) -> bool:
    return bool(folders) and any(str(parent) in folders for parent in Path(source).parents)
