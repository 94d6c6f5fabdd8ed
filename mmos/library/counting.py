"""Keeps the frequencies of a collection right while it is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mmos.library.frequencies import Frequencies
from mmos.library.rows import Prepared, Row, indexed
from mmos.library.store import Shelf
from mmos.threads import on_thread

FREQUENCIES = "frequencies"
_WRITING = "writing"
"""The key that is there while somebody writes. If a killed process left it, everything is counted again."""


async def frequencies_of(shelf: Shelf) -> Frequencies:
    kept = await shelf.get(FREQUENCIES)
    return await on_thread(Frequencies.of_bytes, kept) if kept else Frequencies()


@dataclass
class Counting:
    """Counts what comes and goes. Only who holds the lock of the collection may do so."""

    shelf: Shelf
    frequencies: Frequencies
    recount: bool = False
    begun: bool = False

    @classmethod
    async def of(cls, shelf: Shelf) -> Counting:
        return cls(shelf, await frequencies_of(shelf), recount=await shelf.get(_WRITING) is not None)

    async def begin(self) -> None:
        """Before each write."""
        if not self.begun:
            await self.shelf.set(_WRITING, b"1")
            self.begun = True

    async def gone(self, rows: Sequence[Row]) -> None:
        if rows and not self.recount:
            await on_thread(self.frequencies.add, [_text(row) for row in rows], -1)

    async def came(self, documents: Sequence[Prepared]) -> None:
        if not self.recount:
            await on_thread(self.frequencies.add, [*_texts(documents)])

    async def save(self) -> None:
        """Make them known to searches, before the end."""
        if not self.recount:
            await self.shelf.set(FREQUENCIES, await on_thread(self.frequencies.to_bytes))

    async def end(self) -> None:
        """Count again if the numbers may be wrong, and keep them."""
        if not (self.begun or self.recount):
            return
        if self.recount or self.frequencies.pieces != await self.shelf.count():
            self.frequencies = Frequencies()
            async for rows in self.shelf.all():
                await on_thread(self.frequencies.add, [_text(row) for row in rows])
        self.recount = False
        await self.save()
        await self.shelf.forget(_WRITING)
        self.begun = False


def _text(row: Row) -> str:
    return indexed(row.title, row.path) + row.text


def _texts(documents: Iterable[Prepared]) -> Iterable[str]:
    for one in documents:
        for start, end, path in {(piece.start, piece.end, piece.path) for piece in one.pieces}:
            yield indexed(one.document.title, path) + one.document.text[start:end]
