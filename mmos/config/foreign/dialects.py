"""Recognises the files of other tools, and reads them in our keys."""

from __future__ import annotations

from pathlib import Path

from mmos.config.document import Document, read_file

OWN_KEY = "orchestration"
CAMUS_KEYS = frozenset({"backends", "pipelines"})
OPENCODE_KEYS = frozenset({"multi_model_patterns"})


def read_configuration(path: Path, name: str, *, cure: str = "") -> Document:
    """A file in our keys, whatever tool it belongs to. `cure` says what helps if it cannot be read."""
    if path.suffix == ".toml":
        from mmos.config.foreign import opencode, toml  # only such a file needs them

        return opencode.translated(read_file(path, name, cure=cure, read=toml.read_text))
    return in_our_keys(read_file(path, name, cure=cure))


def in_our_keys(document: Document) -> Document:
    """The same document, if it has our keys."""
    keys = document.data.keys() if isinstance(document.data, dict) else frozenset()
    if OWN_KEY in keys or not keys & (CAMUS_KEYS | OPENCODE_KEYS):
        return document
    if keys & OPENCODE_KEYS:
        from mmos.config.foreign import opencode

        return opencode.translated(document)
    from mmos.config.foreign import camus

    return camus.translated(document)
