"""Reads documents that are no files: a text on stdin, and lines of JSON."""

from __future__ import annotations

import time
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

from mmos.cli.lines import lines_of
from mmos.cli.text import flat
from mmos.errors import UsageError

if TYPE_CHECKING:
    from mmos.library.finding import PassedOver
    from mmos.library.passages import Document

STDIN = "-"
HINT = 'Give it lines like {"source": "faq/1", "text": "…"}: mmos rag add --jsonl documents.jsonl -C notes'
FIELDS = ("source", "text", "title", "language")
LONGEST_NAME = 1_000


def on_stdin(name: str, title: str) -> Document:
    """The text on stdin as one document."""
    from mmos.cli.task import read_stdin

    try:
        text = read_stdin().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"What is on stdin is no text in UTF-8 (byte {error.start}).", next_step="Give a file: mmos rag add FILE"
        ) from None
    if not text.strip():
        raise UsageError("The text on stdin is empty.", next_step="Does the command before the pipe print anything?")
    return document(name, text, title)


def document(source: str, text: str, title: str = "", language: str = "") -> Document:
    from mmos.library.passages import Document

    data = text.encode(errors="surrogatepass")
    return Document(source, text, title, language or "text", "", time.time(), len(data), sha256(data).hexdigest())


def in_lines(files: Sequence[str]) -> Iterator[Document | PassedOver]:
    """The documents in files of JSON lines, and why a line is none. Without files: on stdin."""
    for file in files or (STDIN,):
        with lines_of(None if file == STDIN else file, HINT) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _read(f"{'stdin' if file == STDIN else file}:{number}", line)


def _read(place: str, line: bytes) -> Document | PassedOver:
    from mmos.library.finding import PassedOver

    try:
        fields = orjson.loads(line.removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError:
        fields = None
    if not isinstance(fields, dict):
        return PassedOver(place, "this line is no JSON object")
    source, text, title, language = (fields.get(name) or "" for name in FIELDS)
    if not all(isinstance(one, str) for one in (source, text, title, language)) or not (source.strip() and text.strip()):
        return PassedOver(place, 'this line has no "source" and "text", or one of its fields is no text')
    if flat(source) != source or len(source) > LONGEST_NAME:
        return PassedOver(place, f'"source" must be one line of at most {LONGEST_NAME:,} characters')
    return document(source, text, title, language)
