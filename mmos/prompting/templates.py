"""Reads and fills the texts of `prompts/`, whole files and sections. It knows who reads each text, its places, and whether it is the user's own."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

from mmos.calls.reading import Unclear
from mmos.config.sources import is_file, is_folder
from mmos.config.wording import nearest, perhaps, shown
from mmos.errors import ConfigError, Problem, UsageError
from mmos.fences import widened
from mmos.files import MOST_TEXT, content, text_of
from mmos.prompting.front_matter import described, faults, without_head
from mmos.prompting.sections import Place, Section, sections

_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_MARKUP = re.compile(r"\{[{%#]")
_PACKAGE = Path(__file__).parent.parent
_NOTES = "readme"
"""The start of a file name that may be in the folder besides the texts."""


Source = Literal["built_in", "small", "own"]


@dataclass(frozen=True)
class Text:
    """Describes one text: who reads it, and the places that it may have."""

    reader: str
    use: str
    places: Mapping[str, str] = field(default_factory=dict)
    """What MMOS puts into each `{{ place }}`."""
    file: str = ""

    @property
    def section(self) -> bool:
        return self.file in SECTIONED


_WHOLE = (
    "arbiter", "specialist", "synthesizer", "interpreter", "functiongemma", "brief", "digest", "synthesis", "mediation", "schema", "again", "clarify", "shape", "shape_again", "file", "image", "image_consult", "image_unseen", "diagnosis", "diagnose", "diagnose_again", "recovery", "reinterpretation", "preference", "judge", "judge_answer", "judge_two", "revise", "offer", "modify", "modify_again", "commit", "commit_again",
)  # fmt: skip
"""The files that are one text each."""

SECTIONED = ("system", "replies", "tools", "ready_tools", "patterns", "library")
"""The files that consist of sections."""

_CARRIED = {
    "brief": ("query",), "digest": ("digest",), "synthesis": ("responses",), "mediation": ("response",), "schema": ("tools",), "file": ("text",),
    "shape": ("schema",), "diagnose": ("log",), "reinterpretation": ("original",), "preference": ("first", "second"), "offer": ("task",),
    "judge_answer": ("question", "answer"), "judge_two": ("question", "one", "two"), "revise": ("findings",),
    "modify": ("text", "instruction"), "modify_again": ("problem",), "commit": ("diff",), "commit_again": ("problem",),
    "part": ("text",), "part_rewritten": ("text",), "part_followed": ("text",), "parts_read": ("notes",), "summarise": ("text",), "step_next": ("previous_output",), "advice_of": ("text",),
}  # fmt: skip
"""What each of these texts is there to tell a model."""

NAMES = (*_WHOLE, *SECTIONED)
"""The names of all files."""


@cache
def texts() -> Mapping[str, Text]:
    """Every text that MMOS reads, by its name, as the front matter of the built-in files describes them."""
    return {name: _description(section, file) for file in NAMES for name, section in _built_in_texts(file).items()}


@cache
def _built_in_texts(file: str) -> Mapping[str, Section]:
    return _by_name(file, _content(_built_in_folder() / f"{file}.md"))


def _by_name(file: str, raw: str) -> Mapping[str, Section]:
    """The texts of a file, by name. A file without sections is one text."""
    if file not in SECTIONED:
        return {file: Section(file, 0, raw, raw)}
    return {section.name: section for section in sections(raw) if section.name}


def _description(section: Section, file: str) -> Text:
    """What the front matter of a built-in text says."""
    keys = described(section.text)
    return Text(keys["reader"], keys["use"], keys.get("places", {}), file)


@cache
def _built_in_folder() -> Path:
    """The folder of the built-in texts: inside the package in a wheel, beside the package in a checkout."""
    inside = _PACKAGE / "prompts"
    return inside if inside.is_dir() else _PACKAGE.parent / "prompts"


def set_of(name: str) -> Path:
    """The folder of a built-in set of texts, such as `small`."""
    return _built_in_folder() / name


@lru_cache(maxsize=1024)
def is_plain(text: str) -> bool:
    """Whether a text has no other markup than places, as nearly all have. Then Jinja is neither needed nor imported: its import takes longer than a run."""
    return not _MARKUP.search(_PLACE.sub("\0", text))


def fill(text: str, /, **values: str) -> str:
    """Put values into `{{ name }}` places. Values are data: a place inside a value stays as it is, and no value ends the fence around it."""
    if not is_plain(text):
        from mmos.prompting.language import render

        return render(text, values)
    return _PLACE.sub(lambda place: values[place.group(1)], widened(text, values.values()))


@dataclass(frozen=True)
class Templates:
    """The texts of the user's folder, and the built-in texts for the rest."""

    folder: Path | None = None
    given: Mapping[str, str] = field(default_factory=dict)
    """Texts in place of those of the files. They have no places to fill."""
    roles: tuple[str, ...] = ()
    """The specialists. A file of the user's folder with the name of one is its text, in place of `specialist.md`."""
    _read: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)
    _split: dict[Path, Mapping[str, Section]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def text(self, name: str) -> str:
        """The text of `NAME.md` without its head. Raises `ConfigError` for a place that MMOS does not fill."""
        if name in self.given:
            return self.given[name]
        if name not in self._read:
            self._read[name] = self._load(name)
        return self._read[name]

    def fill(self, name: str, /, **values: str) -> str:
        return self.given[name] if name in self.given else fill(self.text(name), **values).strip()

    def has_role(self, role: str) -> bool:
        """Whether the user has a file for this role."""
        return role in self.roles and role not in NAMES and self.own(role) is not None

    def fill_role(self, name: str, /, *, role: str, purpose: str) -> str:
        """The user's text for a role. It has the places of `specialist.md`."""
        return fill(self.text(name), role=role, purpose=purpose).strip()

    @property
    def described(self) -> Mapping[str, Text]:
        """Every text that may be used: those of MMOS, and the user's texts for single roles."""
        own = [role for role in self.roles if self.has_role(role)]
        places = texts()["specialist"].places if own else {}
        return {**texts(), **{role: Text(role, "its system text, in place of `specialist.md`", places, role) for role in own}}

    def about(self, name: str) -> Text:
        return texts()[name] if name in texts() else self.described[name]

    def explain(self, unclear: Unclear) -> str:
        """What a model reads about its unclear reply. Empty for a clear one."""
        return self.fill(unclear.text, **unclear.places) if unclear else ""

    def path(self, name: str) -> Path:
        """The file that MMOS uses for this text."""
        text = self.about(name)
        own = self.own(text.file)
        return own if own is not None and (not text.section or name in self._sections(own)) else self.shipped(name)

    def own(self, file: str) -> Path | None:
        """The user's file of this name, if there is one."""
        return own if self.folder is not None and is_file(own := self.folder / f"{file}.md") else None

    def shipped(self, name: str) -> Path:
        """The built-in file, also when a file of the user replaces it."""
        return _built_in_folder() / f"{texts()[self.replaces(name)].file}.md"

    def replaces(self, name: str) -> str:
        """The built-in text in whose place this one stands: itself, or that of all specialists."""
        return name if name in texts() else "specialist"

    def whole(self, name: str) -> str:
        """The content of the file that MMOS uses, or the section of it, with its head."""
        return self._section(name).raw

    def body(self, name: str) -> str:
        """The text as the file has it, without its head."""
        return self._body(name)[1]

    def source(self, name: str) -> Source:
        """Where the text comes from."""
        path = self.path(name)
        if path == self.shipped(name):
            return "built_in"
        return "small" if path.parent == set_of("small") else "own"

    def places_in(self, name: str) -> tuple[str, ...]:
        """The places in the text, known or not, in their order."""
        return tuple(dict.fromkeys(place.name for place in _places(self.body(name))))

    # ---------------------------------------------------------------- what is wrong with the user's folder

    def problems(self) -> list[Problem]:
        """The texts that MMOS cannot use: they cannot be read, or they have a place that MMOS does not fill, or no section has their name."""
        problems = dict.fromkeys(problem for file in SECTIONED for problem in self._strays(file))
        for name in self.described:
            try:
                self.text(name)
            except ConfigError as error:
                problems.update(dict.fromkeys(error.problems))
        return list(problems)

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
            Problem(str(folder / shown(name)), "", _stray(name, self.roles))
            for name in names
            if not (_is_read(folder, name, self.roles) or name.startswith(".") or name.lower().startswith(_NOTES))
        ]

    def lacking(self) -> list[Problem]:
        """The user's files without a text, and the user's texts that leave out what they are there to tell."""
        return [
            problem for name in self.described if name not in self.given and self.source(name) == "own" for problem in self._lacking(name)
        ]

    def _lacking(self, name: str) -> Iterator[Problem]:
        try:
            text, places = self.text(name), self.places_in(name)
        except ConfigError:  # a problem
            return
        if not text.strip():
            yield Problem(str(self.path(name)), "", "this file has no text, so models read nothing; remove it to use the built-in one")
            return
        for place in _CARRIED.get(name, ()):
            if place not in places:
                meaning = self.about(name).places[place]
                yield Problem(str(self.path(name)), "", f"the text '{name}' has no {{{{ {place} }}}}, so models never read {meaning}")

    def _load(self, name: str) -> str:
        above, text = self._body(name)
        path, places, section = self.path(name), self.about(name).places, self._section(name)
        if wrong := [*_unknown(path, text, above, places), *_faults(path, text, above), *_wrong_head(path, section, places)]:
            raise ConfigError(wrong)
        return _PLACE.sub(r"{{ \1 }}", text) if is_plain(text) else text  # whatever spaces the file has inside the braces

    def _body(self, name: str) -> tuple[int, str]:
        """The number of lines above the text, its head included, and the text."""
        section = self._section(name)
        text = without_head(section.text)
        return section.above + section.text.count("\n", 0, len(section.text) - len(text)), text

    def _section(self, name: str) -> Section:
        return self._sections(self.path(name))[name]

    def _sections(self, path: Path) -> Mapping[str, Section]:
        """The texts of a file. It is read once."""
        if path.parent == _built_in_folder():
            return _built_in_texts(path.stem)
        if path not in self._split:
            self._split[path] = _by_name(path.stem, _content(path))
        return self._split[path]

    def _strays(self, file: str) -> Iterator[Problem]:
        """The parts of the user's file that MMOS cannot use: text outside sections, sections without a text, and unknown or double ones."""
        path = self.own(file)
        if path is None:
            return
        try:
            first, *rest = sections(_content(path))
        except ConfigError as error:
            yield from error.problems
            return
        known, seen = _built_in_texts(file), set()
        if without_head(first.text).strip():
            yield Problem(f"{path}:1", "", f"this text is in no section; write a line above it, such as '## {next(iter(known))}'")
        for section in rest:
            name, where = section.name, f"{path}:{section.above}"
            if name not in known:
                yield Problem(
                    where, "", f"'{shown(name)}' is not a section of {file}.md{perhaps(name, known) or '; see `mmos prompts list`'}"
                )
            elif name in seen:
                yield Problem(where, "", f"the section '{name}' is in this file twice")
            elif not without_head(section.text).strip():
                yield Problem(where, "", f"the section '{name}' has no text; remove it to use the built-in one")
            seen.add(name)


def _content(path: Path) -> str:
    try:
        return text_of(path.name, content(path, MOST_TEXT + 1))
    except (OSError, UsageError) as error:
        raise ConfigError([Problem(str(path), "prompts", f"cannot be read: {error}")]) from error


def _places(text: str) -> Iterator[Place]:
    """The places in a text, known or not, in their order."""
    if is_plain(text):
        yield from _plain_places(text)
        return
    from mmos.prompting.language import check

    yield from check(text).uses


def _plain_places(text: str) -> Iterator[Place]:
    line, counted = 1, 0
    for place in _PLACE.finditer(text):
        line, counted = line + text.count("\n", counted, place.start()), place.start()
        yield Place(line, place.group(1))


def _unknown(path: Path, text: str, above: int, known: Mapping[str, str]) -> Iterator[Problem]:
    """The places that MMOS does not fill, with the line of each."""
    for line, name in _places(text):
        if name not in known:
            listed = ", ".join(known) or "none"
            yield Problem(
                f"{path}:{above + line}", "", f"'{shown(name)}' is not a place here{perhaps(name, known) or '.'} Allowed: {listed}"
            )


def _faults(path: Path, text: str, above: int) -> Iterator[Problem]:
    """What is wrong with the conditions and loops of a text."""
    if not is_plain(text):
        from mmos.prompting.language import check

        yield from (Problem(f"{path}:{above + fault.line}", "", shown(fault.message, 300)) for fault in check(text).faults)


def _wrong_head(path: Path, section: Section, places: Mapping[str, str]) -> Iterator[Problem]:
    """What is wrong with the front matter of a text of the user."""
    if path.parent != _built_in_folder():
        yield from (Problem(f"{path}:{section.above + fault.line}", "", fault.message) for fault in faults(section.text, places))


def _is_read(folder: Path, name: str, roles: Collection[str]) -> bool:
    """Whether MMOS reads this file. The case of the name counts only if it counts for the file system."""
    name = name.lower()
    return name.endswith(".md") and name.removesuffix(".md") in (*NAMES, *roles) and (folder / name).is_file()


def _stray(name: str, roles: Collection[str]) -> str:
    if name.removesuffix(".md") in (*NAMES, *roles):
        return "mmos cannot read this: it is not a file"
    near = nearest(name.rpartition(".")[0] or name, [*NAMES, *roles])
    hint = f"did you mean {near}.md?" if near else f"mmos reads {', '.join(f'{file}.md' for file in (*NAMES, *roles))}"
    return f"mmos never reads this file; {hint}"
