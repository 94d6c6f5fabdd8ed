"""Reads and fills the texts of `prompts/`. It knows who reads each text, which places it may have, and whether it is the user's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mmos.config.sources import is_file, is_folder
from mmos.config.wording import nearest, perhaps, shown
from mmos.errors import ConfigError, Problem, UsageError
from mmos.fences import widened
from mmos.files import MOST_TEXT, content, text_of

_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_COMMENTS = re.compile(r"\A\s*(?:<!--.*?-->\s*)+", re.DOTALL)
_PACKAGE = Path(__file__).parent.parent
_NOTES = "readme"
"""The start of a file name that may be in the folder besides the texts."""


Source = Literal["built_in", "small", "own"]


@dataclass(frozen=True)
class Text:
    """One text: who reads it, and the places that it may have."""

    reader: str
    use: str
    places: Mapping[str, str] = field(default_factory=dict)
    """What MMOS puts into each `{{ place }}`."""


_TASK = "the user's own words"
_FILE = "the name of the file"

TEXTS: Mapping[str, Text] = {
    "arbiter": Text("arbiter", "its system text", {"specialists": "one line for each specialist: its name and its description"}),
    "specialist": Text(
        "specialists", "the system text of each", {"role": "the name of the role", "purpose": "its description in the configuration"}
    ),
    "synthesizer": Text("synthesizer", "its system text"),
    "interpreter": Text("interpreter", "its system text, when its model is not FunctionGemma"),
    "functiongemma": Text("interpreter", "its system text, when its model is FunctionGemma"),
    "brief": Text(
        "specialists",
        "the message that a consultation begins with",
        {
            "task": _TASK,
            "asker": "the role that consults",
            "query": "what that role asks",
            "context": "the facts that it adds, under a heading; empty when it adds none",
        },
    ),
    "digest": Text(
        "the role that consulted",
        "in place of an answer that is longer than `limits: answer_chars`",
        {
            "artifact": "the reference to the whole answer",
            "length": "how many characters the whole answer has",
            "digest": "the answer in short",
        },
    ),
    "synthesis": Text(
        "synthesizer",
        "the message of `synthesize_responses`",
        {
            "task": _TASK,
            "responses": "the answers, numbered, each between lines of its own",
            "instruction": "what is wanted of the one answer",
        },
    ),
    "mediation": Text(
        "synthesizer",
        "the message of `mediate`",
        {
            "task": _TASK,
            "response": "the text to reword",
            "reader": "the role that will read it",
            "instruction": "what matters to the reader",
        },
    ),
    "schema": Text(
        "roles on the `schema` channel", "the end of the system text", {"tools": "one entry for each tool: its name and its parameters"}
    ),
    "again": Text(
        "a role whose reply could not be read",
        "the message that asks for the reply once more, as JSON",
        {"unclear": "what the role wrote, and what was wrong with it"},
    ),
    "clarify": Text(
        "interpreter",
        "the message about a call that failed",
        {"task": _TASK, "call": "the call, as JSON", "fault": "why it failed"},
    ),
    "shape": Text(
        "a role whose answer must fit a schema",
        "the message that asks for the final answer as JSON",
        {"schema": "the schema"},
    ),
    "shape_again": Text(
        "a role whose answer must fit a schema",
        "the message that asks again, when the answer did not fit",
        {"problems": "what did not fit, one line for each problem", "schema": "the schema"},
    ),
    "file": Text(
        "every role that gets the task",
        "the end of the task, once for each attached text",
        {"name": _FILE, "text": "what the file holds", "fence": "a code fence that does not occur in the text"},
    ),
    "image": Text("every role that sees", "the end of the task, once for each attached image", {"name": _FILE}),
    "image_consult": Text(
        "a role that does not see",
        "the same, when it can consult a role that does",
        {"name": _FILE, "specialists": "the names of the specialists that see"},
    ),
    "image_unseen": Text("a role that does not see", "the same, when it can consult none that does", {"name": _FILE}),
}
"""Every text that MMOS reads, by the name of its file."""


def _shipped() -> Path:
    """The folder of the built-in texts: inside the package in a wheel, beside the package in a checkout."""
    inside = _PACKAGE / "prompts"
    return inside if inside.is_dir() else _PACKAGE.parent / "prompts"


def set_of(name: str) -> Path:
    """The folder of a built-in set of texts, such as `small`."""
    return _shipped() / name


def fill(text: str, /, **values: str) -> str:
    """Put values into `{{ name }}` places. Values are data: a place inside a value stays as it is, and no value ends the fence around it."""
    return _PLACE.sub(lambda place: values[place.group(1)], widened(text, values.values()))


@dataclass(frozen=True)
class Templates:
    """The texts of the user's folder, and the built-in texts for the rest."""

    folder: Path | None = None
    _read: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def text(self, name: str) -> str:
        """The text of `NAME.md` without the comments at its head. Raises `ConfigError` for a place that MMOS does not fill."""
        if name not in self._read:
            self._read[name] = self._load(name)
        return self._read[name]

    def fill(self, name: str, /, **values: str) -> str:
        return fill(self.text(name), **values).strip()

    def path(self, name: str) -> Path:
        """The file that MMOS uses for this text."""
        if self.folder is not None and is_file(own := self.folder / f"{name}.md"):
            return own
        return self.shipped(name)

    def shipped(self, name: str) -> Path:
        """The built-in file, also when a file of the user replaces it."""
        return _shipped() / f"{name}.md"

    def whole(self, name: str) -> str:
        """The content of the file that MMOS uses, with its comments."""
        return _content(self.path(name))

    def source(self, name: str) -> Source:
        """Where the text comes from."""
        path = self.path(name)
        if path == self.shipped(name):
            return "built_in"
        return "small" if path.parent == set_of("small") else "own"

    def held(self, name: str) -> tuple[str, ...]:
        """The places in the text, known or not, in their order."""
        return tuple(dict.fromkeys(_PLACE.findall(self._body(name)[1])))

    # ---------------------------------------------------------------- what is wrong with the user's folder

    def problems(self) -> list[Problem]:
        """The texts that MMOS cannot use: they cannot be read, or they have a place that MMOS does not fill."""
        found: list[Problem] = []
        for name in TEXTS:
            try:
                self.text(name)
            except ConfigError as error:
                found += error.problems
        return found

    def unused(self) -> list[Problem]:
        """The files of the user's folder that MMOS never reads, because no text has their name."""
        folder = self.folder
        if folder is None or not is_folder(folder):
            return []
        try:
            names = sorted(entry.name for entry in folder.iterdir())
        except OSError as error:
            return [Problem(str(folder), "", f"the folder cannot be listed: {error.strerror}")]
        return [
            Problem(str(folder / shown(name)), "", _stray(name))
            for name in names
            if not (_is_read(folder, name) or name.startswith(".") or name.lower().startswith(_NOTES))
        ]

    def _load(self, name: str) -> str:
        above, text = self._body(name)
        unknown = list(_unknown(self.path(name), text, above, TEXTS[name].places))
        if unknown:
            raise ConfigError(unknown)
        return _PLACE.sub(r"{{ \1 }}", text)  # whatever spaces the file has inside the braces

    def _body(self, name: str) -> tuple[int, str]:
        """The number of lines that the comments at the head take, and the text below them."""
        raw = self.whole(name)
        text = _COMMENTS.sub("", raw)
        return raw.count("\n", 0, len(raw) - len(text)), text


def _content(path: Path) -> str:
    try:
        return text_of(path.name, content(path, MOST_TEXT + 1))
    except (OSError, UsageError) as error:
        raise ConfigError([Problem(str(path), "prompts", f"cannot be read: {error}")]) from error


def _unknown(path: Path, text: str, above: int, known: Mapping[str, str]) -> Iterator[Problem]:
    """The places that MMOS does not fill, with the line of each."""
    for place in _PLACE.finditer(text):
        name = place.group(1)
        if name not in known:
            line = above + text.count("\n", 0, place.start()) + 1
            listed = ", ".join(known) or "none"
            yield Problem(f"{path}:{line}", "", f"'{shown(name)}' is not a place here{perhaps(name, known) or '.'} Allowed: {listed}")


def _is_read(folder: Path, name: str) -> bool:
    """Whether MMOS reads this file. The case of the name counts only if it counts for the file system."""
    name = name.lower()
    return name.endswith(".md") and name.removesuffix(".md") in TEXTS and (folder / name).is_file()


def _stray(name: str) -> str:
    if name.removesuffix(".md") in TEXTS:
        return "mmos cannot read this: it is not a file"
    near = nearest(name.rpartition(".")[0] or name, TEXTS)
    hint = f"did you mean {near}.md?" if near else f"mmos reads {', '.join(f'{text}.md' for text in TEXTS)}"
    return f"mmos never reads this file; {hint}"
