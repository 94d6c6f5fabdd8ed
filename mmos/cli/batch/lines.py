"""Reads the tasks of a batch, one JSON value a line, and writes a line of results."""

from __future__ import annotations

import json
from array import array
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from typing import Any, BinaryIO

import orjson

from mmos.app import Answer, RunOptions, Task
from mmos.cli.members import members, shallow
from mmos.errors import UsageError
from mmos.messages import File
from mmos.views.document import failure

LONGEST = 32 << 20
"""The bytes of the longest line."""
DEEPEST = 200
"""Levels of lists and objects in a line."""
OPTIONS = frozenset(spec.name for spec in fields(RunOptions)) - {"tools", "folder"}
"""The options that a line may have. Tools come from the command line: `tools` of a line is often part of a set of test data."""
READ = OPTIONS | {"task", "id", "thread", "files"}
"""What MMOS reads of a line. It carries all other fields to the line of results."""
WRITTEN = frozenset(failure("", "")) | {"line", "digest", "id", "error", "extracted"}
"""What a line of results has of its own."""
PREFIX = "input_"
"""What the name of a carried field begins with if the line of results has a field of this name."""
NO_TASK = 'This line is neither a JSON object with a "task" nor a JSON string.'


@dataclass(frozen=True)
class Line:
    """A line of the file, and what of it goes to its result."""

    number: int
    """From 1."""
    digest: str
    id: str = "null"
    """As it is written."""
    carried: str = ""
    """Other fields as they are written, each with a comma at the end."""


@dataclass(frozen=True)
class LineTask(Task):
    """The task of a line."""

    line: Line = Line(0, "")
    before: tuple[int, int] = (0, 0)
    """The model calls and the tokens that its run has had."""


@dataclass(frozen=True)
class BadLine:
    """A line without a task that can run."""

    line: Line
    error: str


@dataclass(frozen=True)
class Defaults:
    """What holds for lines that do not say it."""

    options: RunOptions
    files: Sequence[File] = ()
    thread: str | None = None


def digest_of(text: bytes) -> int:
    return int.from_bytes(blake2b(text, digest_size=8).digest()) or 1


def lines_of(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The number and the text of each line that is not blank. Of one that is too long it gives one byte too many, and skips the rest."""
    number = 0
    while text := file.readline(LONGEST + 1):
        number += 1
        rest = text
        while len(rest) > LONGEST and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST + 1)
        text = (text.removeprefix(BOM_UTF8) if number == 1 else text)[: LONGEST + 1]
        if text := text.strip():
            yield number, text


def digests_of(file: BinaryIO) -> array[int]:
    """The digest of each line, 0 of a blank one: eight bytes a line, so that a long file needs little memory."""
    digests = array("Q")
    for number, text in lines_of(file):
        digests.extend([0] * (number - 1 - len(digests)))
        digests.append(digest_of(text))
    return digests


# ---------------------------------------------------------------- a line in


def read_line(number: int, text: bytes, defaults: Defaults) -> LineTask | BadLine:
    """The task of a line, or why it has none."""
    line = Line(number, f"{digest_of(text):016x}")
    if len(text) > LONGEST:
        return BadLine(line, f"This line has more than {LONGEST >> 20} MB. Put long texts into files, and name them in `files`.")
    try:
        written = text.decode()
        if written.startswith('"'):
            return LineTask(_text(json.loads(written)), defaults.thread, defaults.files, defaults.options, line=line)
        found = members(written)
        if found is None:
            return BadLine(line, NO_TASK)
        line = _carrying(line, found)
        return _task(
            line, {name: value for key, raw in found if (name := json.loads(key)) in READ if (value := _value(raw)) is not None}, defaults
        )
    except UsageError as error:
        return BadLine(line, f"{error.message.removeprefix('RunOptions: ')} {error.next_step}".strip())
    except (ValueError, RecursionError):  # no UTF-8, half of a character, or a number that is too long
        return BadLine(line, NO_TASK)


def _task(line: Line, given: Mapping[str, Any], defaults: Defaults) -> LineTask:
    options, files, thread = defaults.options, given.get("files", defaults.files), given.get("thread", defaults.thread)
    if chosen := {name: value for name, value in given.items() if name in OPTIONS}:
        options = RunOptions.of_facts({**options.as_facts(), **chosen})
    if isinstance(files, str):
        files = [files]
    if not isinstance(files, Sequence) or not all(isinstance(file, str | File) for file in files):
        raise UsageError('"files" must be a list of paths.')
    if thread is not None and not isinstance(thread, str):
        raise UsageError('"thread" must be a text.')
    return LineTask(_text(given.get("task")), thread, files, options, line=line)


def _text(task: Any) -> str:
    if not isinstance(task, str):
        raise UsageError(NO_TASK)
    if not task.strip():
        raise UsageError("The task is empty.")
    return task


def _value(written: str) -> Any:
    return json.loads(shallow(written, DEEPEST))


def _carrying(line: Line, found: list[tuple[str, str]]) -> Line:
    """The line with its id and the fields that it carries. A name that the result has, too, gets a prefix."""
    kept: dict[str, str] = {}
    given = {json.loads(key): raw for key, raw in found}
    for name, raw in given.items():
        if name in READ:
            continue
        target = name
        while target in WRITTEN or (target != name and (target in given or target in kept)):
            target = PREFIX + target
        kept[target] = shallow(raw, DEEPEST)
    carried = "".join(f"{json.dumps(name)}:{raw}," for name, raw in kept.items())
    return replace(line, id=shallow(given.get("id", "null"), DEEPEST), carried=carried)


# ---------------------------------------------------------------- a line out


def line_of_answer(line: Line, answer: Answer, more: Mapping[str, Any]) -> bytes:
    """The result of a line: the document of its run, with what identifies the line."""
    if not answer.run and answer.reason is not None:
        more = {**more, "error": answer.reason.message}
    return _line(line, {**answer.document(), **more})


def line_of_error(bad: BadLine) -> bytes:
    return _line(bad.line, {**failure("usage", bad.error), "error": bad.error})


def _line(line: Line, document: Mapping[str, Any]) -> bytes:
    try:
        text = orjson.dumps(document)
    except TypeError:  # half a character
        text = json.dumps(document, ensure_ascii=False).encode(errors="replace")
    head = f'{{"line":{line.number},"digest":"{line.digest}","id":{line.id},{line.carried}'
    return head.encode(errors="replace") + text[1:] + b"\n"
