"""Shows a scripted model its request: the messages, the offered tools, the results so far, and the required form of the answer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson

from mmos.rehearsal.schema import tools_in

RESULT = re.compile(r"\AResult of [`'\"]?([\w.:-]+)[`'\"]?\s*:\s*", re.IGNORECASE)
"""The start of a tool's result that comes as a user message."""
WHOLE = re.compile(r"\A\[[^\]]*?(artifact:[\w-]+)[^\]]*\]")
"""The start of a response that is the digest of a longer one."""
OPENING = re.compile(r"^(<{3,})\n", re.MULTILINE)
"""How a quoted text begins; a line with as many of `>` ends it."""
INTRODUCTION = re.compile(r"\A(?:\[[^\]\n]{1,100}:\]\n)?(?=<<<)")
DOCUMENT = re.compile(r"^\[(\d{1,4})\] [^\n]*\n(<{3,})\n", re.MULTILINE)
"""How a numbered passage of a document begins. It ends like a quoted text."""
NOTE = re.compile(r"\A\[[A-Z].*?\.\]\n\n", re.DOTALL)
"""Sentences in brackets, in a paragraph of their own before the user's words. A note may name tools that nobody asks for."""
FAILURE = re.compile(r"\A\W{0,3}(?:error|failed|unknown tool|no such|there is no|invalid)\b", re.IGNORECASE)


@dataclass(frozen=True)
class ToolSpec:
    """A tool that the model may call."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """The result of a tool."""

    tool: str
    text: str

    @cached_property
    def fields(self) -> Mapping[str, Any]:
        """The result as an object. Empty: it is none."""
        if not self.text.lstrip().startswith("{"):
            return {}
        try:
            value = orjson.loads(self.text)
        except orjson.JSONDecodeError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def failed(self) -> bool:
        return self.fields.get("success") is False or bool(self.fields.get("error")) or bool(FAILURE.match(self.text))

    @property
    def words(self) -> str:
        """The text of the result: a specialist's `response`, the reference to the whole response, or the text as it came."""
        response = self.fields.get("response")
        if not isinstance(response, str):
            return self.text
        if whole := WHOLE.match(response):
            return whole.group(1)
        references = [value for value in self.fields.values() if isinstance(value, str) and value.startswith("artifact:")]
        return "\n".join([response, *(reference for reference in references if reference not in response)])


@dataclass(frozen=True)
class Prompt:
    """A request as its model sees it."""

    model: str
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[ToolSpec] = ()
    format: Any = None
    """None, "json", or a JSON schema."""
    number: int = 0
    """How many answers this model gave before this one."""
    seed: int = 0
    """The random numbers for this answer."""
    think: bool | str | None = None
    """Whether, or how hard, the model should think. None: the request does not say."""

    @cached_property
    def system(self) -> str:
        return "\n".join(text_of(message) for message in self.messages if message.get("role") == "system")

    @cached_property
    def last_role(self) -> str:
        last = self.messages[-1]
        return "tool" if is_result(last) else str(last.get("role", ""))

    @cached_property
    def _task_place(self) -> int:
        """The index of the user's newest message. -1: there is none."""
        for place in range(len(self.messages) - 1, -1, -1):
            message = self.messages[place]
            if message.get("role") == "user" and not is_result(message):
                return place
        return -1

    @cached_property
    def user_text(self) -> str:
        """The newest message of the user, without a note that a program put before it, and without passages of documents."""
        return NOTE.sub("", self._documented[1]) if self._task_place >= 0 else ""

    @property
    def documents(self) -> Mapping[int, str]:
        """The passages of documents before the task, by their numbers."""
        return self._documented[0]

    @cached_property
    def _documented(self) -> tuple[dict[int, str], str]:
        return documents_in(text_of(self.messages[self._task_place])) if self._task_place >= 0 else ({}, "")

    @property
    def task(self) -> str:
        """The user's task, without the brief around it."""
        return quoted(self.user_text)[0] or self.user_text

    @cached_property
    def turn(self) -> int:
        """How many messages the user sent. Results do not count."""
        return sum(message.get("role") == "user" and not is_result(message) for message in self.messages)

    @cached_property
    def toolbox(self) -> Mapping[str, ToolSpec]:
        """The tools that the model may call, by name. In schema mode, the tools of the schema."""
        if self.tools:
            return {tool.name: tool for tool in self.tools}
        if isinstance(self.format, Mapping):
            return {name: ToolSpec(name, "", parameters) for name, parameters in tools_in(self.format).items()}
        return {}

    @cached_property
    def results(self) -> Sequence[Result]:
        """The results of tools since the user's newest message, oldest first."""
        found: list[Result] = []
        names: list[tuple[str, str]] = []
        for message in self.messages[self._task_place + 1 :]:
            if message.get("role") == "assistant":
                names = calls_in(message)
            elif is_result(message):
                found.append(_result(message, names))
        return found

    @cached_property
    def call_counts(self) -> Counter[str]:
        """How often each tool was called since the user's newest message."""
        since = self.messages[self._task_place + 1 :]
        counts = Counter(name for message in since if message.get("role") == "assistant" for _, name in calls_in(message))
        return counts | Counter(result.tool for result in self.results)


def text_of(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    return content if isinstance(content, str) else ""


def quoted(text: str) -> tuple[str, str]:
    """The first text between lines of `<<<` and `>>>`, such as the user's own words in a brief, and what follows; empty where there is none."""
    opening = OPENING.search(text)
    if opening is None:
        return "", ""
    inner, closed, rest = text[opening.end() :].partition("\n" + ">" * len(opening.group(1)))
    return (inner, rest) if closed else ("", "")


def documents_in(text: str) -> tuple[dict[int, str], str]:
    """The numbered passages that a text begins with, after some sentences about them, and what follows them."""
    found: dict[int, str] = {}
    rest = text
    while (begins := DOCUMENT.search(rest)) is not None and (not found or not rest[: begins.start()].strip()):
        inner, closed, after = rest[begins.end() :].partition("\n" + ">" * len(begins[2]))
        if not closed:
            break
        found[int(begins[1])], rest = inner, after.lstrip(">")
    return found, rest.strip() if found else text


def unquoted(text: str) -> str:
    """A text without the lines around it."""
    introduction = INTRODUCTION.match(text)
    inner, rest = quoted(text[introduction.end() :]) if introduction else ("", "")
    return text if not inner or rest.strip() else inner


def is_result(message: Mapping[str, Any]) -> bool:
    role = message.get("role")
    return role == "tool" or (role == "user" and RESULT.match(text_of(message)) is not None)


def calls_in(message: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The id and the name of each call in a message of the model."""
    return [(str(call.get("id", "")), str((call.get("function") or {}).get("name", ""))) for call in message.get("tool_calls") or ()]


def _result(message: Mapping[str, Any], names: list[tuple[str, str]]) -> Result:
    """A result with the name of its tool: from the message, from the id of the call, or from its place."""
    text = text_of(message)
    if message.get("role") == "user" and (head := RESULT.match(text)):
        return Result(head.group(1), unquoted(text[head.end() :]))
    by_id = next((call for call in names if call[0] and call[0] == message.get("tool_call_id")), None)
    found = by_id or (names[0] if names else ("", ""))
    if found in names:
        names.remove(found)
    return Result(str(message.get("tool_name") or found[1] or "tool"), unquoted(text))
