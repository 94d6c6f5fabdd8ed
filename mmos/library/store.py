"""Keeps collections in LanceDB: pieces, their sources, and what is known of the whole."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from collections.abc import Collection as Some
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from mmos.errors import UsageError
from mmos.library import faults
from mmos.library.locking import is_address
from mmos.library.passages import ANYWHERE, Filter
from mmos.library.rows import (
    COLUMNS,
    Kept,
    Prepared,
    Row,
    about_schema,
    among,
    condition,
    indexed,
    kept_of,
    kept_row,
    pieces_schema,
    pieces_table,
    quoted,
    row_of,
    sources_schema,
    sources_table,
)
from mmos.library.words import is_unspaced
from mmos.threads import on_thread

__all__ = ["Kept", "Prepared", "Row", "Shelf", "Store", "indexed", "names_in"]

T = TypeVar("T")

PIECES, SOURCES, ABOUT = ".pieces", ".sources", ".about"
FORMAT = 1
"""The format of the tables. A collection of a newer one is not touched."""
UNINDEXED = 500
"""So many pieces may wait for the index: a search scans them."""
FRAGMENTS = 64
"""So many files may a table have: each write makes one."""
_ENDING = f"{PIECES}.lance"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_INDEXED = "indexed"
_WORDS = {"stem": True, "remove_stop_words": False, "with_position": False}
"""How the full-text index reads texts."""
_SPLITTING = "splitting"
"""The key under which a collection keeps how its texts are split into words, if not at spaces."""
_SAMPLE = 200
_MOST_ROWS = 5_000
"""Rows that are written at once."""
_MOST_NAMES = 500
"""Names in one condition."""
_MOST_TEXT = 16_384
"""Characters of a question that are looked up."""
_OLD = timedelta(minutes=10)
"""Versions of a table that are older are deleted. A search that works on one has ended by then."""
_TRIES = 5


def names_in(place: str | Path) -> list[str]:
    """The collections in a folder, or below the address of an object store. In a folder it reads only the names of files, so it is cheap."""
    if is_address(str(place)):
        lancedb = _lancedb()
        with faults.told(str(place)):
            return _collections(lancedb.connect(str(place)).list_tables().tables)
    folder = Path(place)
    return _collections(path.name.removesuffix(".lance") for path in folder.glob(f"*{_ENDING}")) if folder.is_dir() else []


def _collections(tables: Any) -> list[str]:
    return sorted(name.removesuffix(PIECES) for name in tables if name.endswith(PIECES))


def _lancedb() -> Any:
    os.environ.setdefault("LANCE_LOG", "error")  # otherwise it writes warnings between the lines of a command
    try:
        import lancedb
    except ImportError as fault:
        raise faults.no_lancedb(fault) from fault
    return lancedb


def checked(name: str) -> str:
    """The name of a collection. It is also a part of the names of files."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a collection.",
            next_step="Use at most 64 letters, digits, '_' and '-', and begin with a letter or a digit.",
        )
    return name


class Store:
    """The collections in a folder, or below the address of an object store."""

    def __init__(self, place: str) -> None:
        self.place = place
        self._database: Any = None

    async def database(self) -> Any:
        if self._database is None:
            lancedb = await on_thread(_lancedb)
            with faults.told(self.place):
                # With this interval, each search sees what other processes have written.
                self._database = await lancedb.connect_async(self.place, read_consistency_interval=timedelta(0))
        return self._database

    async def names(self) -> list[str]:
        if not is_address(self.place):
            return names_in(self.place)
        database = await self.database()
        with faults.told(self.place):
            return _collections((await database.list_tables()).tables)

    async def open(self, name: str) -> Shelf:
        """A collection that is there."""
        database = await self.database()
        with faults.told(self.place):
            shelf = Shelf(name, self.place, *[await database.open_table(f"{name}{part}") for part in (PIECES, SOURCES, ABOUT)])
        if int(await shelf.get("format") or FORMAT) > FORMAT:
            raise faults.too_new(self.place, name)
        return shelf

    async def make(self, name: str) -> Shelf:
        """A collection, made when it is new. Only who holds the lock may call this."""
        if checked(name) in await self.names():
            shelf = await self.open(name)
        else:
            await self.drop(name)  # what a process left that was killed
            shelf = await self._new(name)
        await shelf.index()
        return shelf

    async def _new(self, name: str) -> Shelf:
        database = await self.database()
        schemas = ((ABOUT, about_schema()), (SOURCES, sources_schema()), (PIECES, pieces_schema()))
        with faults.told(self.place):
            # The pieces come last: a collection is there when they are.
            made = {part: await database.create_table(f"{name}{part}", schema=schema, exist_ok=True) for part, schema in schemas}
        shelf = Shelf(name, self.place, made[PIECES], made[SOURCES], made[ABOUT])
        await shelf.set("format", str(FORMAT).encode())
        return shelf

    async def drop(self, name: str) -> None:
        """Delete a collection with all of its files."""
        if not is_address(self.place):
            with faults.told(self.place):
                await on_thread(drop_files, self.place, name)
            return
        database = await self.database()
        with faults.told(self.place):
            found = (await database.list_tables()).tables
            for table in sorted(one for one in found if one.startswith(f"{name}.")):  # .about first would leave pieces without it
                await database.drop_table(table, ignore_missing=True)


def drop_files(place: str, name: str) -> None:
    """Delete the files of a collection. It needs no LanceDB. The folder of the pieces goes away in one step, so there is never half a collection."""
    folder = Path(place)
    tables = [path for path in folder.glob(f"{checked(name)}.*.lance") if path.is_dir()]
    for left in folder.glob(f".deleted-{name}-*"):
        shutil.rmtree(left, ignore_errors=True)
    if not tables:
        return
    away = Path(tempfile.mkdtemp(prefix=f".deleted-{name}-", dir=folder))
    for path in sorted(tables, key=lambda path: not path.name.endswith(_ENDING)):
        path.rename(away / path.name)
    shutil.rmtree(away)


class Shelf:
    """One collection."""

    def __init__(self, name: str, place: str, pieces: Any, sources: Any, about: Any) -> None:
        self.name = name
        self.place = place
        self._pieces, self._sources, self._about = pieces, sources, about

    # ---------------------------------------------------------------- writing

    async def put(self, documents: Sequence[Prepared], now: float, *, known: Some[str] | None = None) -> None:
        """Keep documents, each in place of what was kept of its source. `known`: the sources that may have pieces. None: all of them."""
        names = [one.document.source for one in documents]
        table = await on_thread(pieces_table, documents)
        stale = [name for name in names if known is None or name in known]
        with faults.told(self.place):
            for start in range(0, max(1, table.num_rows), _MOST_ROWS):
                merge = self._pieces.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
                if stale and start == 0:  # Pieces that are no longer in their source go in the same step.
                    merge = merge.when_not_matched_by_source_delete(among(stale))
                await merge.execute(table.slice(start, _MOST_ROWS))
        # A source is kept after its pieces: if the process is killed in between, the source is added again.
        await self.note([kept_of(one, now) for one in documents])

    async def note(self, kept: Sequence[Kept]) -> None:
        """Keep what is known of sources."""
        if kept:
            await self._merge(self._sources, "source", await on_thread(sources_table, kept))

    async def remove(self, sources: Some[str]) -> None:
        for some in _in_parts(sources):
            with faults.told(self.place):
                await self._pieces.delete(among(some))
                await self._sources.delete(among(some))

    async def set(self, key: str, value: bytes) -> None:
        import pyarrow as pa

        await self._merge(self._about, "key", pa.Table.from_pylist([{"key": key, "value": value}], schema=about_schema()))

    async def forget(self, key: str) -> None:
        with faults.told(self.place):
            await self._about.delete(f"key = {quoted(key)}")

    async def _merge(self, table: Any, key: str, rows: Any) -> None:
        with faults.told(self.place):
            await table.merge_insert(key).when_matched_update_all().when_not_matched_insert_all().execute(rows)

    # ---------------------------------------------------------------- reading

    async def sources(self) -> dict[str, Kept]:
        found = await self._read(lambda: self._sources.query().to_list())
        return {row["source"]: kept_row(row) for row in found}

    async def texts(self, sources: Some[str]) -> list[Row]:
        """The pieces of these sources, in their order."""
        rows: list[Row] = []
        for some in _in_parts(sources):
            query = self._pieces.query().where(among(some)).select([*COLUMNS, "gap"])
            rows += map(row_of, await self._read(query.to_list))
        return sorted(rows, key=lambda row: (row.source, row.start, row.end))

    async def near(self, rows: Sequence[Row], reach: int) -> dict[str, list[Row]]:
        """By source, the pieces that are no more than `reach` characters away from one of these, in their order."""
        wanted = " OR ".join(
            f'(source = {quoted(row.source)} AND start <= {row.end + reach} AND "end" >= {row.start - reach})' for row in rows
        )
        found: dict[str, list[Row]] = {}
        if wanted:
            query = self._pieces.query().where(wanted).select([*COLUMNS, "gap"])
            for row in map(row_of, await self._read(query.to_list)):
                found.setdefault(row.source, []).append(row)
        return {source: sorted(some, key=lambda row: (row.start, row.end)) for source, some in found.items()}

    async def all(self) -> AsyncIterator[list[Row]]:
        """All pieces, some at a time."""
        with faults.told(self.place):
            async for some in await self._pieces.query().select([*COLUMNS]).to_batches(max_batch_length=1_000):
                yield [row_of(one) for one in some.to_pylist()]

    async def candidates(self, text: str, where: Filter = ANYWHERE, count: int = 50) -> list[Row]:
        """The pieces that the full-text index finds for a text, the best first."""
        wanted = condition(where)

        async def look() -> Any:
            query = self._pieces.query().nearest_to_text(text[:_MOST_TEXT]).limit(count).select([*COLUMNS, "_score"])
            return await (query.where(wanted) if wanted else query).to_list()

        return [row_of(one) for one in await self._read(look)]

    async def count(self) -> int:
        return int(await self._read(self._pieces.count_rows))

    async def get(self, key: str) -> bytes | None:
        """What is known of the collection under a key."""
        found = await self._read(lambda: self._about.query().where(f"key = {quoted(key)}").to_list())
        return found[0]["value"] if found else None

    async def version(self) -> tuple[int, int]:
        """Another one after each change."""
        return await self._read(self._pieces.version), await self._read(self._about.version)

    async def _read(self, look: Callable[[], Awaitable[T]]) -> T:
        """Read, and read again if upkeep in another process deleted an old file under the reader."""
        with faults.told(self.place):
            for _ in range(_TRIES - 1):
                try:
                    return await look()
                except RuntimeError as fault:
                    if not faults.is_gone(fault):
                        raise
                for table in (self._pieces, self._sources, self._about):
                    await table.checkout_latest()
            return await look()

    # ---------------------------------------------------------------- upkeep

    async def index(self) -> None:
        """Make the indices that are missing."""
        from lancedb.index import FTS, BTree

        with faults.told(self.place):
            there = {column for one in await self._pieces.list_indices() for column in one.columns}
            if _INDEXED not in there:
                await self._pieces.create_index(_INDEXED, config=FTS(**_WORDS))
            for column in ("id", "source"):
                if column not in there:
                    await self._pieces.create_index(column, config=BTree())

    async def suit(self) -> None:
        """Index anew by the words of the language, if the texts are in one that has no spaces between words."""
        if await self.get(_SPLITTING) is not None:
            return
        found = await self._read(lambda: self._pieces.query().select([_INDEXED]).limit(_SAMPLE).to_list())
        if not is_unspaced("".join(row[_INDEXED] for row in found)):
            return
        from lancedb.index import FTS

        with faults.told(self.place):
            await self._pieces.create_index(_INDEXED, config=FTS(base_tokenizer="icu", **_WORDS), replace=True)
        await self.set(_SPLITTING, b"icu")

    async def unindexed(self) -> int:
        """The pieces that the full-text index does not have yet."""
        with faults.told(self.place):
            name = next(one.name for one in await self._pieces.list_indices() if _INDEXED in one.columns)
            found = await self._pieces.index_stats(name)
        return int(found.num_unindexed_rows) if found is not None else 0

    async def upkeep(self, *, always: bool = True) -> None:
        """Bring the indices up to date, and delete old versions. `always=False`: only if it pays."""
        if not always and await self.unindexed() <= UNINDEXED and await self._fragments() <= FRAGMENTS:
            return
        with faults.told(self.place):
            for table in (self._pieces, self._sources, self._about):
                await table.optimize(cleanup_older_than=_OLD)

    async def _fragments(self) -> int:
        with faults.told(self.place):
            return int((await self._pieces.stats())["fragment_stats"]["num_fragments"])


def _in_parts(names: Some[str]) -> list[list[str]]:
    rest = iter(names)
    return list(iter(lambda: list(islice(rest, _MOST_NAMES)), []))
