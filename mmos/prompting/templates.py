"""The texts of `prompts/`: read once, filled in by name, every name spoken for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from mmos.errors import ConfigError, Problem

_PLACE = re.compile(r"\{\{ (\w+) \}\}")
_COMMENTS = re.compile(r"\A\s*(?:<!--.*?-->\s*)+", re.DOTALL)
_PACKAGE = Path(__file__).parent.parent


def _shipped() -> Path:
    """Inside the wheel the texts lie in the package; in a checkout beside it."""
    inside = _PACKAGE / "prompts"
    return inside if inside.is_dir() else _PACKAGE.parent / "prompts"


def set_of(name: str) -> Path:
    """The folder of a built-in set of texts, such as `small`."""
    return _shipped() / name


def fill(text: str, /, **values: str) -> str:
    """Put values into `{{ name }}` places. Values are data: a place inside a value stays as it is."""
    return _PLACE.sub(lambda place: values[place.group(1)], text)


@dataclass(frozen=True)
class Templates:
    """The shipped texts, with the user's own folder in front of them."""

    folder: Path | None = None
    _read: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def text(self, name: str) -> str:
        """The raw text `prompts/NAME.md`, comments at its head left out."""
        if name not in self._read:
            self._read[name] = self._load(name)
        return self._read[name]

    def fill(self, name: str, /, **values: str) -> str:
        text = self.text(name)
        unknown = set(_PLACE.findall(text)) - values.keys()
        if unknown:
            raise ConfigError(
                [Problem(str(self._path(name)), "", f"unknown place {sorted(unknown)}; known here: {', '.join(sorted(values))}")]
            )
        return fill(text, **values).strip()

    def _path(self, name: str) -> Path:
        if self.folder is not None and (own := self.folder / f"{name}.md").is_file():
            return own
        return _shipped() / f"{name}.md"

    def _load(self, name: str) -> str:
        path = self._path(name)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([Problem(str(path), "prompts", f"cannot be read: {error}")]) from error
        return _COMMENTS.sub("", text)
