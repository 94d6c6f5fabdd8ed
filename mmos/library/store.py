"""Keeps collections in LanceDB: pieces, their sources, and what is known of the whole."""

from __future__ import annotations

import json
from collections.abc import Collection as Some
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmos.library.passages import ANYWHERE, Document, Filter, Piece

PIECES, SOURCES, ABOUT = ".pieces", ".sources", ".about"
_ENDING = f"{PIECES}.lance"


@dataclass(frozen=True)
class Prepared:
    """A document that is cut and ready to be kept."""

    document: Document
    pieces: Sequence[Piece]


@dataclass(frozen=True)
class Kept:
    """A source of a collection."""

    source: str
    title: str = ""
    language: str = ""
    root: str = ""
    changed: float = 0.0
    size: int = 0
    digest: str = ""
    pieces: int = 0
    added: float = 0.0
    """When it was added, in seconds since 1970."""


@dataclass(frozen=True)
class Row:
    """A piece that the full-text index found."""

    id: str
    source: str
    start: int
    end: int
    text: str
    title: str
    path: str
    language: str
    content: str
    """The digest of its text. Vectors are kept by it."""
    score: float = 0.0
    """What the index gives it."""


def names_in(place: str | Path) -> list[str]:
    """The collections in a folder. It reads only the names of files, so it is cheap."""
    folder = Path(place)
    return sorted(path.name.removesuffix(_ENDING) for path in folder.glob(f"*{_ENDING}")) if folder.is_dir() else []


class Store:
    """The collections in a folder, or below the address of an object store."""

    def __init__(self, place: str) -> None:
        self.place = place
        self._database: Any = None

    async def database(self) -> Any:
        if self._database is None:
            import lancedb

            self._database = await lancedb.connect_async(self.place)
        return self._database

    async def names(self) -> list[str]:
        database = await self.database()
        found = await database.list_tables()
        return sorted(name.removesuffix(PIECES) for name in found.tables if name.endswith(PIECES))

    async def open(self, name: str) -> Shelf:
        """A collection that is there."""
        database = await self.database()
        return Shelf(name, *[await database.open_table(f"{name}{part}") for part in (PIECES, SOURCES, ABOUT)])

    async def make(self, name: str) -> Shelf:
        """A collection, made when it is new."""
        import pyarrow as pa
        from lancedb.index import FTS

        database, text = await self.database(), pa.string()
        key = pa.field("id", text, nullable=False)
        columns = [pa.field(one, text) for one in ("source", "text", "indexed", "title", "path", "language", "content")]
        spans = [pa.field("start", pa.int64()), pa.field("end", pa.int64()), pa.field("changed", pa.float64())]
        pieces = await database.create_table(f"{name}{PIECES}", schema=pa.schema([key, *columns, *spans]), exist_ok=True)
        fields = [*(pa.field(one, text) for one in ("title", "language", "root", "digest"))]
        numbers = [
            pa.field("changed", pa.float64()),
            pa.field("size", pa.int64()),
            pa.field("pieces", pa.int64()),
            pa.field("added", pa.float64()),
        ]
        source = pa.field("source", text, nullable=False)
        sources = await database.create_table(f"{name}{SOURCES}", schema=pa.schema([source, *fields, *numbers]), exist_ok=True)
        about = await database.create_table(
            f"{name}{ABOUT}", schema=pa.schema([pa.field("key", text, nullable=False), pa.field("value", pa.binary())]), exist_ok=True
        )
        if not await pieces.list_indices():
            await pieces.create_index("indexed", config=FTS(stem=True, remove_stop_words=False, with_position=False))
        return Shelf(name, pieces, sources, about)

    async def drop(self, name: str) -> None:
        database = await self.database()
        for part in (ABOUT, SOURCES, PIECES):
            await database.drop_table(f"{name}{part}", ignore_missing=True)


class Shelf:
    """One collection."""

    def __init__(self, name: str, pieces: Any, sources: Any, about: Any) -> None:
        self.name = name
        self._pieces, self._sources, self._about = pieces, sources, about

    async def put(self, documents: Sequence[Prepared], now: float) -> None:
        """Keep documents, each in place of what was kept of its source."""
        import pyarrow as pa

        rows = [row for one in documents for row in _rows(one)]
        names = [one.document.source for one in documents]
        merge = self._pieces.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        await merge.when_not_matched_by_source_delete(_among(names)).execute(pa.Table.from_pylist(rows, schema=await self._pieces.schema()))
        kept = [asdict(_kept(one, now)) for one in documents]
        await (
            self._sources.merge_insert("source")
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .execute(pa.Table.from_pylist(kept, schema=await self._sources.schema()))
        )

    async def remove(self, sources: Some[str]) -> None:
        if sources:
            await self._pieces.delete(_among(sources))
            await self._sources.delete(_among(sources))

    async def sources(self) -> dict[str, Kept]:
        return {row["source"]: Kept(**row) for row in await self._sources.query().to_list()}

    async def texts(self, sources: Some[str]) -> list[Row]:
        """The pieces of these sources, in their order."""
        found = await self._pieces.query().where(_among(sources)).to_list()
        return sorted((_row(one) for one in found), key=lambda row: (row.source, row.start))

    async def candidates(self, text: str, where: Filter = ANYWHERE, count: int = 50) -> list[Row]:
        """The pieces that the full-text index finds for a text, the best first."""
        columns = ["id", "source", "start", "end", "text", "title", "path", "language", "content", "_score"]
        query = self._pieces.query().nearest_to_text(text).limit(count).select(columns)
        if condition := _condition(where):
            query = query.where(condition)
        return [_row(one) for one in await query.to_list()]

    async def count(self) -> int:
        return int(await self._pieces.count_rows())

    async def upkeep(self) -> None:
        """Bring the index up to date."""
        await self._pieces.optimize()

    async def get(self, key: str) -> bytes | None:
        """What is known of the collection under a key."""
        found = await self._about.query().where(f"key = {_quoted(key)}").to_list()
        return found[0]["value"] if found else None

    async def set(self, key: str, value: bytes) -> None:
        import pyarrow as pa

        table = pa.Table.from_pylist([{"key": key, "value": value}], schema=await self._about.schema())
        await self._about.merge_insert("key").when_matched_update_all().when_not_matched_insert_all().execute(table)


def _rows(prepared: Prepared) -> list[dict[str, Any]]:
    from hashlib import sha256

    one, rows = prepared.document, []
    for piece in prepared.pieces:
        text = one.text[piece.start : piece.end]
        content = sha256(text.encode()).hexdigest()
        place = sha256(json.dumps([one.source, piece.start, piece.end, content]).encode()).hexdigest()
        rows.append(
            {
                "id": place, "source": one.source, "text": text, "indexed": f"{indexed(one.title, piece.path)}{text}", "title": one.title,
                "path": piece.path, "language": one.language, "content": content, "start": piece.start, "end": piece.end, "changed": one.changed,
            }
        )  # fmt: skip
    return rows


def indexed(title: str, path: str) -> str:
    """What is searched before the text of a piece: its title and its headings."""
    head = " > ".join(filter(None, (title, path)))
    return f"{head}\n" if head else ""


def _kept(prepared: Prepared, now: float) -> Kept:
    one = prepared.document
    return Kept(one.source, one.title, one.language, one.root, one.changed, one.size, one.digest, len(prepared.pieces), now)


def _row(found: Mapping[str, Any]) -> Row:
    return Row(
        found["id"], found["source"], found["start"], found["end"], found["text"], found["title"], found["path"], found["language"],
        found["content"], found.get("_score") or 0.0,
    )  # fmt: skip


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _among(sources: Some[str]) -> str:
    return f"source IN ({', '.join(map(_quoted, sources))})"


def _condition(where: Filter) -> str:
    parts = [f"source = {_quoted(where.source)}" if where.source else "", f"language = {_quoted(where.language)}" if where.language else ""]
    return " AND ".join(filter(None, parts))
