"""Reads JSON lines and prints one for each: in the same order, with the fields that the command does not know."""

from __future__ import annotations

import json
import sys
from codecs import BOM_UTF8
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import orjson

from mmos.cli.members import members, shallow
from mmos.cli.options import AnyPath, Command
from mmos.cli.output import write_json
from mmos.cli.text import harmless
from mmos.errors import UsageError
from mmos.threads import on_thread

STDIN = "-"
DEEPEST = 200
"""A value that is nested deeper counts as null."""


@dataclass(frozen=True)
class Form:
    """What a command reads of a line, and what it writes."""

    needs: str
    """The field that must be a text. Empty: none must."""
    reads: frozenset[str]
    writes: frozenset[str]
    raw: frozenset[str] = frozenset()
    """The fields that the command gets as they are written."""


Answer = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Makes the answer to the fields of a line. It raises UsageError for a line that it cannot use."""
SlowAnswer = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""The same, and it waits for something."""


def jsonl_option(what: str) -> Callable[[Command], Command]:
    """The option `--jsonl [FILE]` of a command. `what`: what it reads."""
    return click.option(
        "--jsonl",
        type=AnyPath(),
        is_flag=False,
        flag_value=STDIN,
        metavar="[FILE]",
        help=f"{what}, and print one line for each. Default: stdin.",
    )


@contextmanager
def lines_of(file: str | Path | None, hint: str) -> Iterator[Iterable[bytes]]:
    """The lines of a file. None and `-`: of stdin."""
    if file is None and sys.stdin.isatty():
        raise UsageError("There is nothing to read.", next_step=hint)
    if file is None or str(file) == STDIN:
        yield sys.stdin.buffer
        return
    try:
        lines = Path(file).open("rb")  # noqa: SIM115  # closed below: only opening may fail so
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise UsageError(f"{harmless(str(file))} cannot be read: {why.lower()}.", next_step=hint) from error
    with lines:
        yield lines


def answer_lines(lines: Iterable[bytes], form: Form, answer: Answer) -> int:
    """Answer each line as it comes. Return 1 if one of them was bad."""
    code = 0
    for line in lines:
        if not line.strip():
            continue
        answered, carried = _answered(line.removeprefix(BOM_UTF8), form, answer)
        code = code or int("error" in answered)
        print_line(answered, carried)
    return code


async def answer_each(lines: Iterable[bytes], form: Form, answer: SlowAnswer, at_once: int) -> int:
    """Answer each line as it comes, some of them at once. Return 1 if one of them was bad."""
    import asyncio  # slow to import, and help and completion do not need it

    begun: asyncio.Queue[asyncio.Task[tuple[dict[str, Any], Mapping[str, str]]] | None] = asyncio.Queue(max(1, at_once - 1))
    tasks: set[asyncio.Task[Any]] = set()

    async def begin() -> None:
        rest = iter(lines)
        try:
            while line := await on_thread(next, rest, b""):
                if line.strip():
                    tasks.add(task := asyncio.create_task(_answered_slowly(line.removeprefix(BOM_UTF8), form, answer)))
                    task.add_done_callback(tasks.discard)
                    await begun.put(task)
        finally:
            await begun.put(None)

    code, reading = 0, asyncio.create_task(begin())
    try:
        while (task := await begun.get()) is not None:
            answered, carried = await task
            code = code or int("error" in answered)
            print_line(answered, carried)
        await reading
    finally:
        for one in (left := [reading, *tasks]):
            one.cancel()
        await asyncio.gather(*left, return_exceptions=True)
    return code


async def _answered_slowly(line: bytes, form: Form, answer: SlowAnswer) -> tuple[dict[str, Any], Mapping[str, str]]:
    fields, carried = _members(line, form)
    if fault := _fault(fields, form):
        return fault, {}
    try:
        return await answer(fields), carried
    except UsageError as error:
        return {"error": error.message}, {}


def _answered(line: bytes, form: Form, answer: Answer) -> tuple[dict[str, Any], Mapping[str, str]]:
    """The answer to a line, and what it carries through."""
    fields, carried = _members(line, form)
    if fault := _fault(fields, form):
        return fault, {}
    try:
        return answer(fields), carried
    except UsageError as error:
        return {"error": error.message}, {}


def _fault(fields: Mapping[str, Any], form: Form) -> dict[str, Any]:
    """What is answered to a line that is bad. Empty: it is good."""
    if not form.needs or isinstance(fields.get(form.needs), str):
        return {}
    return {"error": f'This line is not a JSON object with the text "{form.needs}".'}


def _members(line: bytes, form: Form) -> tuple[dict[str, Any], dict[str, str]]:
    """What is read of a line, and all other members as they were written, names and values."""
    fields: dict[str, Any] = {}
    carried: dict[str, str] = {}
    try:
        found = members(line.decode()) or ()
    except UnicodeDecodeError:
        return {}, {}
    for written, value in found:
        name = json.loads(written)
        if name in form.reads:
            fields[name] = value if name in form.raw else value_of(value)
        elif name not in form.writes:
            carried[written] = value
    return fields, carried


def value_of(written: str) -> Any:
    try:
        return orjson.loads(written)
    except orjson.JSONDecodeError:  # half characters and any depth are JSON, too
        return json.loads(shallow(written, DEEPEST), parse_int=float)


def print_line(answer: Mapping[str, Any], carried: Mapping[str, str]) -> None:
    """Write a line of JSON. JSON escapes control characters, so texts of models cannot steer the terminal."""
    try:
        line = orjson.dumps(answer).decode()
    except orjson.JSONEncodeError:  # half characters
        line = json.dumps(answer, separators=(",", ":"))
    members_text = "".join(f"{name}:{value}," for name, value in carried.items())
    write_json(f"{{{members_text}{line[1:]}\n")
    sys.stdout.flush()
