"""Finds the sources that a command names: by the whole name, the end of a path, a folder, or a pattern."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from mmos.errors import NotFound, UsageError

if TYPE_CHECKING:
    from mmos.library.store import Kept

SHOWN = 5
"""So many sources are named when a word may mean several."""
_SPAN = re.compile(r"(.+):(\d{1,12})-(\d{1,12})", re.DOTALL)


def one_source(word: str, kept: Sequence[Kept], collection: str) -> Kept:
    """The only source that a word means."""
    from mmos.config.wording import listed, shown

    found = _meant(word, kept)
    if not found:
        raise _unknown(word, kept, collection)
    if len(found) > 1:
        names = listed([shown(one.source, 200) for one in found[:SHOWN]] + ["…"] * (len(found) > SHOWN))
        raise UsageError(f"'{shown(word)}' may mean {len(found):,} sources: {names}", next_step="Give more of the path.")
    return found[0]


def some_sources(words: Sequence[str], kept: Sequence[Kept], collection: str) -> list[Kept]:
    """The sources that words mean: each a source, a folder, or a pattern with `*` and `?`."""
    found: dict[str, Kept] = {}
    for word in words:
        several = [one for one in kept if one.source == word] or [
            one for one in kept if _is_below(word, one.source) or _fits(word, one.source)
        ]
        found |= {one.source: one for one in several or [one_source(word, kept, collection)]}
    return list(found.values())


def with_span(word: str, kept: Sequence[Kept], collection: str) -> tuple[Kept, tuple[int, int] | None]:
    """The source that `SOURCE` or `SOURCE:START-END` means, and the span."""
    match = _SPAN.fullmatch(word)
    if match is None or _meant(word, kept):  # a name may look like a span
        return one_source(word, kept, collection), None
    return one_source(match[1], kept, collection), (int(match[2]), int(match[3]))


def _whole(word: str) -> str:
    """The word as the path of a source: links are not followed, as when the source was added."""
    return os.path.abspath(word) if "\0" not in word else word  # noqa: PTH100


def shortened(source: str) -> str:
    """The source as it is shown at a terminal: a file below this folder without the path to it."""
    here = os.path.join(os.getcwd(), "")  # noqa: PTH109, PTH118  # as `os.path.abspath` made the source
    return source.removeprefix(here) or source


def _meant(word: str, kept: Sequence[Kept]) -> list[Kept]:
    """The source with this name, or else this file, or else those whose path ends so."""
    for name in (word, _whole(word)):
        if exact := [one for one in kept if one.source == name]:
            return exact
    end = "/" + word.removeprefix("./").lstrip("/")
    return [one for one in kept if one.source.replace(os.sep, "/").endswith(end)]


def _is_below(word: str, source: str) -> bool:
    return source.startswith(os.path.join(_whole(word), ""))  # noqa: PTH118


def _fits(word: str, source: str) -> bool:
    return any(sign in word for sign in "*?") and (fnmatchcase(source, word) or fnmatchcase(source, f"*/{word}"))


def _unknown(word: str, kept: Sequence[Kept], collection: str) -> NotFound:
    from mmos.config.wording import nearest, shown

    names = {one.source.rpartition("/")[2]: one.source for one in kept}
    near = nearest(word.rpartition("/")[2], names)
    also = f"; did you mean '{shown(names[near], 200)}'?" if near else "."
    return NotFound(f"There is no source '{shown(word, 200)}' in {collection}{also}", next_step=f"See `mmos rag list -C {collection}`.")
