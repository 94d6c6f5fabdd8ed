"""Searches a text for tags, remembers the results, and counts the work."""

from __future__ import annotations

import re

from mmos.calls.patience import SCANNED_A_STEP, Patience


class Sheet:
    """Readers ask for the next tag from many places. The text is searched only once."""

    def __init__(self, text: str, patience: Patience | None = None) -> None:
        self.text = text
        self.patience = patience or Patience(len(text))
        self._tags: dict[int, tuple[int, re.Match[str] | None]] = {}
        """By the identity of the pattern, because its hash is slow."""
        self._words: dict[str, tuple[int, int]] = {}

    def tag(self, pattern: re.Pattern[str], at: int, limit: int) -> re.Match[str] | None:
        """The next match of a pattern from this place on."""
        start, found = self._tags.get(id(pattern)) or (at + 1, None)
        if at < start or (found is not None and found.start() < at):
            found = pattern.search(self.text, at)
            self._tags[id(pattern)] = at, found
            self.patience.lasts(((found.end() if found else len(self.text)) - at) // SCANNED_A_STEP)
        return found if found is not None and found.end() <= limit else None

    def word(self, word: str, at: int, limit: int) -> int:
        """The next place of a word. -1: there is none."""
        start, found = self._words.get(word, (len(self.text) + 1, -1))
        if at < start or -1 < found < at:
            found = self.text.find(word, at)
            self._words[word] = at, found
            self.patience.lasts(((found if found >= 0 else len(self.text)) - at) // SCANNED_A_STEP)
        return found if found + len(word) <= limit else -1
