"""Defines the rows of a collection: pieces and sources, as they are kept and as they are found."""

from __future__ import annotations

import json
import math
from collections.abc import Collection as Some
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from typing import Any

from mmos.library.passages import Document, Filter, Piece

_KEY = {b"lance-schema:unenforced-primary-key:position": b"1"}
"""Declares a primary key. Without it, two processes that merge the same new rows at once keep them twice."""


@dataclass(frozen=True)
class Prepared:
    """A document that is cut and ready to be kept."""

    document: Document
    pieces: Sequence[Piece]
    roots: tuple[str, ...] = ()
    """The folders that were added and have it. An empty name: the file itself was named."""


@dataclass(frozen=True)
class Kept:
    """A source of a collection."""

    source: str
    title: str = ""
    language: str = ""
    roots: tuple[str, ...] = ()
    """As in `Prepared`. None at all: a text that the caller gave."""
    changed: float = 0.0
    size: int = 0
    digest: str = ""
    pieces: int = 0
    added: float = 0.0
    """When it was added, in seconds since 1970."""

    @property
    def root(self) -> str:
        """The first folder that was added and has it."""
        return next(filter(None, self.roots), "")


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
    gap: str = ""
    """The text between the piece before and this one, which is in neither."""


COLUMNS = ("id", "source", "start", "end", "indexed", "head", "title", "path", "language", "content")
"""What is read of a piece that was found."""


def pieces_schema() -> Any:
    import pyarrow as pa

    # The text of a piece stands in `indexed`, after `head` characters of title and headings. It is not kept twice.
    texts = [pa.field(name, pa.string()) for name in ("source", "indexed", "title", "path", "language", "content", "gap")]
    numbers = [*(pa.field(name, pa.int64()) for name in ("start", "end", "head")), pa.field("changed", pa.float64())]
    return pa.schema([key_field("id"), *texts, *numbers])


def sources_schema() -> Any:
    import pyarrow as pa

    texts = [pa.field(name, pa.string()) for name in ("title", "language", "digest")]
    numbers = [
        pa.field("changed", pa.float64()),
        pa.field("size", pa.int64()),
        pa.field("pieces", pa.int64()),
        pa.field("added", pa.float64()),
    ]
    return pa.schema([key_field("source"), *texts, pa.field("roots", pa.list_(pa.string())), *numbers])


def about_schema() -> Any:
    import pyarrow as pa

    return pa.schema([key_field("key"), pa.field("value", pa.binary())])


def key_field(name: str) -> Any:
    import pyarrow as pa

    return pa.field(name, pa.string(), nullable=False, metadata=_KEY)


def indexed(title: str, path: str) -> str:
    """What is searched before the text of a piece: its title and its headings."""
    head = " > ".join(filter(None, (title, path)))
    return f"{head}\n" if head else ""


def pieces_of(prepared: Prepared) -> Iterator[dict[str, Any]]:
    """The rows of a document."""
    one, done = prepared.document, 0
    for piece in prepared.pieces:
        text = one.text[piece.start : piece.end]
        content = sha256(text.encode(errors="surrogatepass")).hexdigest()
        head = indexed(one.title, piece.path)
        yield {
            "id": sha256(json.dumps([one.source, piece.start, piece.end, content]).encode()).hexdigest(),
            "source": one.source, "indexed": head + text, "head": len(head), "title": one.title, "path": piece.path, "language": one.language,
            "content": content, "gap": one.text[done : piece.start], "start": piece.start, "end": piece.end, "changed": one.changed,
        }  # fmt: skip
        done = max(done, piece.end)


def kept_of(prepared: Prepared, now: float) -> Kept:
    one = prepared.document
    return Kept(one.source, one.title, one.language, prepared.roots, one.changed, one.size, one.digest, len(prepared.pieces), now)


def pieces_table(documents: Iterable[Prepared]) -> Any:
    """Rows for LanceDB. Two pieces with one id are one row."""
    import pyarrow as pa

    rows = {row["id"]: row for one in documents for row in pieces_of(one)}
    return pa.Table.from_pylist(list(rows.values()), schema=pieces_schema())


def sources_table(kept: Iterable[Kept]) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist([asdict(one) for one in kept], schema=sources_schema())


def row_of(found: Mapping[str, Any]) -> Row:
    return Row(
        found["id"], found["source"], found["start"], found["end"], found["indexed"][found["head"] :], found["title"], found["path"],
        found["language"], found["content"], found.get("_score") or 0.0, found.get("gap") or "",
    )  # fmt: skip


_KEPT = [one.name for one in fields(Kept)]


def kept_row(found: Mapping[str, Any]) -> Kept:
    values = {name: found[name] for name in _KEPT}
    return Kept(**{**values, "roots": tuple(values["roots"] or ())})


# ---------------------------------------------------------------- conditions


def quoted(text: str) -> str:
    """A text as a literal of SQL. A null character would end it."""
    return "'" + text.replace("\0", "").replace("'", "''") + "'"


def among(sources: Some[str]) -> str:
    return f"source IN ({', '.join(map(quoted, sources))})"


def condition(where: Filter) -> str:
    """The filter in SQL. Empty: everything is allowed."""
    parts = []
    if where.source:
        parts.append(_of_source(where.source))
    if where.path:
        parts.append(f"lower(path) LIKE {quoted(f'%{_literally(where.path.lower())}%')}")
    if where.language:
        parts.append(f"lower(language) = {quoted(where.language.lower())}")
    for sign, moment in ((">=", where.since), ("<=", where.until)):
        if moment is not None and not math.isnan(moment):
            parts.append(f"changed {sign} {min(max(moment, -1e300), 1e300)!r}")
    return " AND ".join(parts)


def _of_source(source: str) -> str:
    """A source by its name, or all that fit a pattern. A pattern that does not begin with `/` fits the end of a path, too."""
    same = f"source = {quoted(source)}"
    if not any(sign in source for sign in "*?"):
        return same
    pattern = _literally(source).replace("*", "%").replace("?", "_")
    return f"({same} OR source LIKE {quoted(pattern)} OR source LIKE {quoted(f'%/{pattern}')})"


def _literally(text: str) -> str:
    for sign in ("\\", "%", "_"):
        text = text.replace(sign, f"\\{sign}")
    return text
