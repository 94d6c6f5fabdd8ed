"""Reads the cases of a comparison: a task, and what is expected of an answer to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from string import ascii_uppercase
from typing import Any

import orjson

from mmos.calls.dialect import specs_of
from mmos.comparing.expectation import Expectation
from mmos.comparing.expecting import Question, expectation_of
from mmos.comparing.final import options as options_in
from mmos.errors import UsageError
from mmos.plurals import counted

TASKS = ("task", "question", "prompt", "input", "instruction", "query")
"""The names under which a case may have its task. The first one that is there counts."""
EXPECTED = ("expect", "expected", "answer", "truth", "gold", "target", "ideal", "reference", "solution", "answerKey", "label")
IDS = ("id", "question_id", "qid", "task_id")
OPTIONS = ("choices", "options")
LONGEST = 4 << 20
"""The bytes of the longest line."""
MOST_NAMED = 5
"""The bad lines that an error names."""


@dataclass(frozen=True)
class Case:
    """A task that every side answers.

    Example::

        mmos.Case("What is 6 times 7?", expect=42)
    """

    task: str
    expect: Any = None
    """What is expected: a text, a number, a list of texts of which one will do, or an object such as `{"contains": ["mutex"]}`.
    None: a judge compares the answers."""
    id: str = ""
    """Its name in the results. Empty: its number, from 1."""
    files: Sequence[str] = ()
    type: str | None = None
    group: str | None = None
    tools: Any = None
    """The tools that it may call, as in `mmos calls read`. They are described in the task."""
    options: Mapping[str, str] | None = None
    """The options of a multiple choice, by their letters. None: those that the task lists."""
    expectation: Expectation | None = field(init=False, default=None, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.task, str) or not self.task.strip():
            raise UsageError("The case has no task.")
        specs_of(self.tools)  # tools that nobody could call are said now
        if self.expect is not None:
            question = Question(self.options or options_in(self.task), self.tools)
            object.__setattr__(self, "expectation", expectation_of(self.expect, question))

    @property
    def offer(self) -> str:
        """Its tools, each as JSON on a line of its own."""
        return "\n".join(orjson.dumps(spec.offer()["function"]).decode() for spec in specs_of(self.tools))

    def named(self, id: str) -> Case:  # noqa: A002
        """The same case under an id."""
        return self if id == self.id else replace(self, id=id)


class BadCases(UsageError):
    """Some lines are no cases."""


def cases_of(lines: Iterable[bytes], name: str) -> list[Case]:
    """The cases in JSON lines. Raises `BadCases`, which names the bad lines."""
    cases: dict[str, Case] = {}
    numbers: dict[str, int] = {}
    bad: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            case = case_of(fields_of(line), number)
            if case.id in cases:
                raise UsageError(f"The id {case.id!r:.60} is also that of line {numbers[case.id]}.")
            cases[case.id], numbers[case.id] = case, number
        except UsageError as error:
            bad.append(f"line {number}: {error.message}")
    check_lines(bad, name, "case")
    if not cases:
        raise BadCases(f"{name} has no cases.", next_step='Write one on each line: {"task": "What is 6 times 7?", "expect": 42}')
    return list(cases.values())


def check_lines(bad: Sequence[str], name: str, noun: str) -> None:
    """Raise `BadCases` if there are bad lines."""
    if bad:
        more = [f"and {counted(len(bad) - MOST_NAMED, 'more line')}"] if len(bad) > MOST_NAMED else []
        listed = "\n  ".join([*bad[:MOST_NAMED], *more])
        raise BadCases(f"{name}: {counted(len(bad), 'line')} of it can be no {noun}:\n  {listed}", next_step="Correct or remove them.")


def fields_of(line: bytes) -> dict[str, Any]:
    """The fields of a line of JSON."""
    if len(line) > LONGEST:
        raise UsageError(f"It has more than {LONGEST >> 20} MB.")
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        fields = _patiently(line)
    if not isinstance(fields, dict):
        raise UsageError("It is not a JSON object.")
    return fields


def _patiently(line: bytes) -> Any:
    """JSON that Python reads and orjson does not: NaN, a mark at the start, half characters. In place of these stands `?`, as no file can hold them."""
    try:
        text = json.dumps(json.loads(line.decode("utf-8-sig")), ensure_ascii=False)
        return json.loads(text.encode(errors="replace"))
    except (ValueError, RecursionError):
        raise UsageError("It is not JSON in UTF-8.") from None


def case_of(fields: Mapping[str, Any], number: int) -> Case:
    """The case that a line means."""
    task = _first(fields, TASKS)
    if isinstance(task, list):
        task = _conversation(task)
    if not isinstance(task, str) or not task.strip():
        raise UsageError('It has no "task".')
    given = _first(fields, OPTIONS)
    listed, labels = _listed(given), _labels(given)
    options = options_in(task) or listed
    if listed and not options_in(task):
        task = "\n".join([task.rstrip(), *(f"{letter}. {text}" for letter, text in listed.items())])
    files = fields.get("files") or ()
    files = [files] if isinstance(files, str) else files
    if not isinstance(files, list | tuple) or not all(isinstance(file, str) for file in files):
        raise UsageError('"files" must be a list of paths.')
    expected = _first(fields, (name for name in EXPECTED if name != "label" or listed))
    return Case(
        task,
        labels.get(str(expected).strip(), expected) if listed else expected,
        _id(fields, number),
        tuple(files),
        _text(fields.get("type")),
        _text(fields.get("group")),
        fields.get("tools"),
        options,
    )


def _first(fields: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _id(fields: Mapping[str, Any], number: int) -> str:
    given = _first(fields, IDS)
    return str(number) if given is None else given if isinstance(given, str) else json.dumps(given)


def _conversation(messages: Sequence[Any]) -> str:
    """The texts of messages `{"role", "content"}`, as OpenAI's evals have them."""
    texts = [message.get("content") for message in messages if isinstance(message, Mapping)]
    return "\n\n".join(text for text in texts if isinstance(text, str))


def _listed(given: Any) -> dict[str, str]:
    """The options of a multiple choice: a list, an object by letters, or `{"text": […], "label": […]}`."""
    if isinstance(given, Mapping) and isinstance(given.get("text"), list):
        given = given["text"]
    if isinstance(given, Mapping):
        given = list(given.values())
    if not isinstance(given, list) or not 1 < len(given) <= len(ascii_uppercase):
        return {}
    return {letter: str(text) for letter, text in zip(ascii_uppercase, given, strict=False)}


def _labels(given: Any) -> dict[str, str]:
    """The letters of options that have labels of their own, such as 1 to 4."""
    if not isinstance(given, Mapping):
        return {}
    labels = given.get("label") if isinstance(given.get("text"), list) else list(given)
    return {str(label): letter for label, letter in zip(labels, ascii_uppercase, strict=False)} if isinstance(labels, list) else {}
