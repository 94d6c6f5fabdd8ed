"""Says which files `.gitignore` leaves out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

MOST_RULES = 2_000
"""Lines of one file that count."""
MOST_PARTS = 40
"""A longer path or rule is not compared."""


@dataclass(frozen=True)
class Rule:
    """One line of a `.gitignore`."""

    parts: tuple[str, ...]
    folder: bool
    """Whether it names folders only."""
    anchored: bool
    """Whether it begins at the folder of its file."""
    keeps: bool
    """Whether it takes a file back (`!name`)."""

    def fits(self, path: Sequence[str], *, folder: bool) -> bool:
        """Whether it names this path, which is relative to the folder of its file."""
        if self.folder and not folder:
            return False
        return fits_path(path, self.parts) if self.anchored else fnmatchcase(path[-1], self.parts[0])


def rules_of(text: str) -> tuple[Rule, ...]:
    return tuple(filter(None, (_rule(line) for line in text.splitlines()[:MOST_RULES])))


def _rule(line: str) -> Rule | None:
    keeps = line.startswith("!")
    words = line.removeprefix("!").rstrip()
    if not words or line.startswith("#"):
        return None
    if words.startswith(("\\#", "\\!")):
        words = words[1:]
    parts = tuple(part for part in words.split("/") if part)
    if not parts or len(parts) > MOST_PARTS:
        return None
    return Rule(parts, words.endswith("/"), "/" in words.rstrip("/"), keeps)


def fits_path(path: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether the parts of a path fit those of a pattern. `**` stands for any number of parts."""
    places = {0}
    for part in parts:
        if part == "**":
            places = set(range(min(places), len(path) + 1)) if places else set()
        else:
            places = {at + 1 for at in places if at < len(path) and fnmatchcase(path[at], part)}
    return len(path) in places


def is_ignored(path: Sequence[str], rules: Iterable[tuple[int, Sequence[Rule]]], *, folder: bool) -> bool:
    """Whether the last rule that names a path leaves it out. `rules`: from the outer folder to the inner one, each with its depth."""
    ignored = False
    for depth, several in rules:
        inner = path[depth:]
        for rule in several if 0 < len(inner) <= MOST_PARTS else ():
            if rule.keeps == ignored and rule.fits(inner, folder=folder):
                ignored = not rule.keeps
    return ignored
