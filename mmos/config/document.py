"""Reads YAML as plain data, with the line of every key and a problem for everything that a configuration must not contain."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mmos.config.environment import has_reference
from mmos.config.scalars import plain
from mmos.config.wording import Place, dotted, shown, with_type
from mmos.errors import ConfigError, Problem

MOST_BYTES = 1 << 20
MOST_VALUES = 10_000
MOST_PROBLEMS = 100
"""The most that one report shows."""
DEEPEST = 40

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class Document:
    """The data of a file, the line of each key, and the problems so far."""

    name: str
    text: str
    data: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    origins: dict[Place, Place] = field(default_factory=dict)
    """If the file is of another tool: the places in the file that our keys come from."""
    notes: list[Problem] = field(default_factory=list)
    """Warnings of the file itself."""
    comments: dict[Place, str] = field(default_factory=dict)
    """What a reader of our keys should know, if the file is of another tool."""
    tool: str = ""
    """The other tool."""

    def where(self, place: Place) -> str:
        """FILE:LINE of a place, or of the nearest place around it that the file contains."""
        for length in range(len(place), -1, -1):
            if place[:length] in self.lines:
                return f"{self.name}:{self.lines[place[:length]]}"
        return self.name

    def problem(self, place: Place, message: str) -> Problem:
        return Problem(self.where(place), self.named(place), message)

    def named(self, place: Place) -> str:
        """The key at a place, as the file spells it."""
        return dotted(self._origin(place))

    def _origin(self, place: Place) -> Place:
        """The place as the file spells it. A place that is in no file of another tool is named as ours."""
        found = (place[:length] for length in range(len(place), 0, -1) if place[:length] in self.origins)
        return next((self.origins[known] for known in found), place)

    def display(self, place: Place, value: str) -> str:
        """A text for people: if it refers to the environment, as the file has it."""
        raw = self.at(place)
        return shown(raw if isinstance(raw, str) and has_reference(raw) else value, 200)

    def at(self, place: Place) -> Any:
        """The value that the file has at a place; None if it has none."""
        value = self.data
        for step in place:
            inside = isinstance(value, dict) or (isinstance(value, list) and isinstance(step, int) and step < len(value))
            value = (value.get(step) if isinstance(value, dict) else value[step]) if inside else None
        return value


@dataclass(slots=True)
class _Node:
    """A value as it was read. Aliases share it, so it counts the values that it expands to."""

    line: int
    value: Any
    text: str | None = None
    """The text of a scalar."""
    size: int = 1
    height: int = 1


@dataclass(slots=True)
class _Open:
    """A list or mapping that is still being read."""

    node: _Node
    anchor: str | None
    key: str | None = None
    key_line: int = 0


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


class _Composer:
    """Builds the tree from the parser's events, without recursion and without expanding aliases."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self.root: _Node | None = None
        self._done = False
        self._line = 1
        """The line that the parser has reached."""
        self._open: list[_Open] = []
        self._anchors: dict[str, _Node | None] = {}
        self._take = {
            yaml.DocumentStartEvent: self._document,
            yaml.MappingStartEvent: self._start,
            yaml.SequenceStartEvent: self._start,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
        }

    def compose(self, text: str) -> None:
        try:
            for event in yaml.parse(text, Loader=_LOADER):
                self._line = _line(event)
                take = self._take.get(type(event))
                if take:
                    take(event)
                if self._done:
                    break  # the part read so far is checked, too
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._give_up((mark.line + 1) if mark else 1, _reason(error, text))
        except yaml.YAMLError:
            self._give_up(1, "it contains a character that is not allowed")

    def _give_up(self, line: int, reason: str) -> None:
        self.problems.append(Problem(f"{self.name}:{line}", "", f"this is not valid YAML: {reason}"))
        self.root = None

    def _complain(self, line: int, message: str) -> None:
        self.problems.append(Problem(f"{self.name}:{line}", dotted(self._place()), message))
        self._done = self._done or len(self.problems) >= MOST_PROBLEMS

    def _place(self) -> Place:
        steps = (len(open_.node.value) if isinstance(open_.node.value, list) else open_.key for open_ in self._open)
        return tuple(step for step in steps if step is not None)

    def _document(self, event: Any) -> None:
        if self.root is not None:
            self._complain(_line(event), "'---' starts a second document here; a configuration must be one document")
            self._done = True

    def _check_tag(self, event: Any) -> None:
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._complain(_line(event), f"the YAML tag {shown(tag)} is not allowed; write the value without it")

    def _start(self, event: Any) -> None:
        self._check_tag(event)
        if len(self._open) >= DEEPEST:
            self._complain(_line(event), f"this is nested more than {DEEPEST} levels deep")
            self._done = True
        if event.anchor:
            self._anchors[event.anchor] = None
        empty: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._open.append(_Open(_Node(_line(event), empty), event.anchor))

    def _end(self, _event: Any) -> None:
        level = self._open.pop()
        if isinstance(level.node.value, dict):
            _merge(level.node)
        self._finish(level.node, level.anchor)

    def _scalar(self, event: Any) -> None:
        self._check_tag(event)
        value = plain(event.value) if not event.style else event.value
        self._finish(_Node(_line(event), value, event.value), event.anchor)

    def _alias(self, event: Any) -> None:
        node = self._anchors.get(event.anchor)
        if node is None:
            fault = "refers to itself" if event.anchor in self._anchors else "has no anchor before it"
            self._complain(_line(event), f"the alias *{shown(event.anchor)} {fault}")
            node = _Node(_line(event), None, "")
        self._finish(node, None)

    def _finish(self, node: _Node, anchor: str | None) -> None:
        if anchor:
            self._anchors[anchor] = node
        if not self._open:
            self.root = node
            return
        around = self._open[-1]
        around.node.size += node.size
        around.node.height = max(around.node.height, node.height + 1)
        if around.node.size > MOST_VALUES or around.node.height > DEEPEST:  # before it is merged into more
            self._complain(
                self._line, f"here the file expands to more than {MOST_VALUES:,} values or {DEEPEST} levels; use fewer aliases (*name)"
            )
            self._done = True
        if isinstance(around.node.value, list):
            around.node.value.append(node)
        elif around.key is None:
            self._key(around, node)
        else:
            self._enter(around, node)

    def _key(self, around: _Open, node: _Node) -> None:
        if node.text is None:
            self._complain(node.line, "a list or a mapping cannot be a key; write one word")
        around.key, around.key_line = node.text or "", node.line

    def _enter(self, around: _Open, node: _Node) -> None:
        key, line = around.key or "", around.key_line
        first = around.node.value.get(key)
        if first is None:
            around.node.value[key] = (line, node)
        else:
            self._complain(line, f"'{shown(key)}' appears twice, first on line {first[0]}; keep one of them")
        around.key = None


def _merge(node: _Node) -> None:
    """`<<: *defaults` adds the keys that the mapping does not have."""
    _, source = node.value.get("<<", (0, None))
    sources = [] if source is None else source.value if isinstance(source.value, list) else [source]
    if not sources or not all(isinstance(one.value, dict) for one in sources):
        return
    del node.value["<<"]
    for one in sources:
        for key, entry in one.value.items():
            node.value.setdefault(key, entry)


def _reason(error: yaml.MarkedYAMLError, text: str) -> str:
    reason = error.problem or "it cannot be read"
    lines = text.splitlines()
    at = error.problem_mark.line if error.problem_mark else -1
    if 0 <= at < len(lines) and "\t" in lines[at][: len(lines[at]) - len(lines[at].lstrip())]:
        return f"{reason}; indent with spaces, not with tabs"
    if 0 <= at < len(lines) and re.search(r"[{\[,:] *\$\{", lines[at]):
        return f"{reason}; put quotes around a ${{NAME}} within {{ }} or [ ]"
    if "mapping values are not allowed" in reason:
        return f"{reason}; check the indentation, and put quotes around a text that contains ': '"
    return reason


def read_text(text: str, name: str) -> Document:
    """The document in `text`. Text that cannot be read raises an error; other problems are noted in the document."""
    text = text.removeprefix("\ufeff")
    bad = _UNPRINTABLE.search(text)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        raise ConfigError([Problem(f"{name}:{line}", "", f"the character U+{ord(bad.group()):04X} is not allowed in YAML; remove it")])
    composer = _Composer(name)
    composer.compose(text)
    document = Document(name, text, problems=composer.problems)
    if composer.root is None and composer.problems:
        raise ConfigError(composer.problems)
    _unfold_root(document, composer.root)
    return document


def _unfold_root(document: Document, root: _Node | None) -> None:
    fault = ""
    if root is None or root.value is None:
        fault = "the file is empty; `mmos config init` writes one to start from"
    elif not isinstance(root.value, dict):
        fault = f"found {with_type(root.value)}, allowed: a mapping that starts with 'orchestration:'"
    if fault or root is None:
        raise ConfigError([*document.problems, Problem(f"{document.name}:{root.line if root else 1}", "", fault)])
    document.data = _unfold(root, (), document.lines)


def _unfold(node: _Node, place: Place, lines: dict[Place, int]) -> Any:
    lines.setdefault(place, node.line)
    if isinstance(node.value, dict):
        for key, (line, _) in node.value.items():
            lines[(*place, key)] = line
        return {key: _unfold(child, (*place, key), lines) for key, (_, child) in node.value.items()}
    if isinstance(node.value, list):
        return [_unfold(child, (*place, index), lines) for index, child in enumerate(node.value)]
    return node.value


Reader = Callable[[str, str], Document]
"""Makes a document of a text and the name of its file."""


def read_file(path: Path, name: str, *, cure: str = "", next_step: str = "", read: Reader | None = None) -> Document:
    """The document in a file. `cure` and `next_step` say what helps if it cannot be read. `read`: what reads its text, if it is no YAML."""
    try:
        with path.open("rb") as file:
            return read_bytes(file.read(MOST_BYTES + 1), name, read)
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise ConfigError([Problem(name, "", f"{reason}{cure}")], next_step=next_step) from None


def read_bytes(content: bytes, name: str, read: Reader | None = None) -> Document:
    if len(content) > MOST_BYTES:
        raise ConfigError([Problem(name, "", f"the file is too large, allowed: at most {MOST_BYTES:,} bytes")])
    try:
        return (read or read_text)(content.decode("utf-8"), name)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"the byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        raise ConfigError([Problem(f"{name}:{line}", "", message)]) from None


def read_mapping(mapping: Mapping[str, Any], name: str = "") -> Document:
    """A configuration from a Python mapping: the same data, without lines."""
    document = Document(name, "")
    document.data = _plain_data(mapping, (), document)
    if document.problems:
        raise ConfigError(document.problems)
    document.text = yaml.safe_dump(document.data, sort_keys=False, allow_unicode=True)
    return document


def _plain_data(value: Any, place: Place, document: Document) -> Any:
    if len(place) > DEEPEST:
        document.problems.append(document.problem(place[:3], f"this is nested more than {DEEPEST} levels deep"))
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain_data(entry, (*place, str(key)), document) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_data(entry, (*place, index), document) for index, entry in enumerate(value)]
    if value is None or isinstance(value, bool):
        return value
    if hasattr(value, "__fspath__"):
        return str(value)
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind.__str__(value) if kind is str else kind(value)
    document.problems.append(document.problem(place, f"found {with_type(value)}, allowed: text, numbers, true, false, lists and mappings"))
    return None


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """The problems by their lines, each once."""

    def line(problem: Problem) -> int:
        number = problem.where.rpartition(":")[2]
        return int(number) if number.isdigit() else 0

    return sorted(dict.fromkeys(problems), key=line)
