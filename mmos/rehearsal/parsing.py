"""Parses the raw text of a model as Ollama's parsers do, with their failures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os.path import commonprefix
from typing import Any, Literal

from mmos.rehearsal.decoding import json_fault
from mmos.rehearsal.personas import Model
from mmos.rehearsal.pieces import Call
from mmos.rehearsal.prompt import ToolSpec
from mmos.rehearsal.schema import least
from mmos.rehearsal.tokens import split

THOUGHT = re.compile(r"\A\s*<think>\s*(.*?)</think>\s*", re.DOTALL)
FUNCTION = re.compile(r"<start_function_call>(.*?)<end_function_call>", re.DOTALL)
FUNCTION_CALL = re.compile(r"call:([^{]+)\{(.*)\}")
ESCAPE = "<escape>"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
NO_END = "unexpected end of JSON input"

Kind = Literal["text", "think", "call", "silence", "fail", "derail", "finish", "cut", "end", "stall"]


@dataclass(frozen=True, slots=True)
class Bit:
    """A part of an answer: its kind, and the number of its tokens."""

    kind: Kind
    value: Any
    cost: int = 1


@dataclass(frozen=True)
class Reading:
    """What a parser needs to know besides the text."""

    model: Model
    toolbox: Mapping[str, ToolSpec]
    thinks: bool
    strips_escape: bool = False


def read(text: str, reading: Reading) -> Iterator[Bit]:
    """The result of a parser."""
    thought = THOUGHT.match(text) if reading.thinks else None
    if thought:
        yield from (Bit("think", token) for token in split(thought.group(1)))
        text = text[thought.end() :]
    if reading.model.path == "functiongemma":
        yield from _functiongemma(text, reading)
    elif not reading.toolbox:
        yield from _text_bits(text)
    else:
        yield from {"native": _native, "strict": _strict}.get(reading.model.path, _template)(text, reading)


def _text_bits(text: str) -> Iterator[Bit]:
    return (Bit("text", token) for token in split(text))


def _cost(text: str) -> int:
    return len(split(text))


# ---------------------------------------------------------------- the server's parser for Go templates


def _template(text: str, reading: Reading) -> Iterator[Bit]:
    """Read everything after the tag as calls: the first known name and the first object. Other text is lost."""
    tag = reading.model.tag
    before, found, rest = text.partition(tag)
    if tag == "{" and before.strip(" \n\t["):
        found = ""  # without a tag, a call counts only at the start of the answer
    if not found:
        yield from _text_bits(text)
        return
    yield from _text_bits(before)
    buffer = found + rest
    while call := _next_call(buffer, reading.toolbox):
        tool_call, end = call
        yield Bit("call", tool_call, _cost(buffer[:end]))
        buffer = buffer[end:]
    if buffer:
        yield Bit("silence", "", _cost(buffer))


def _next_call(buffer: str, toolbox: Mapping[str, ToolSpec]) -> tuple[Call, int] | None:
    places = [(buffer.find(name), -len(name), name) for name in toolbox if name in buffer]
    found = first_object(buffer)
    if not places or found is None:
        return None
    place, _, name = min(places)  # the longest name wins
    value, end = found
    arguments = _arguments(value)
    return None if arguments is None else (Call(name, arguments), max(end, place + len(name)))


def first_object(buffer: str) -> tuple[Any, int] | None:
    """The first JSON object in a text, and where it ends."""
    start = buffer.find("{")
    if start < 0:
        return None
    try:
        return json.JSONDecoder().raw_decode(buffer, start)
    except json.JSONDecodeError:
        return None


def _arguments(value: Any) -> dict[str, Any] | None:
    """The arguments under either of two keys, as an object or as text of an object."""
    for key in ("arguments", "parameters"):
        found = value.get(key) if isinstance(value, dict) else None
        if isinstance(found, str):
            try:
                found = json.loads(found)
            except json.JSONDecodeError:
                found = None
        if isinstance(found, dict):
            return found
    return None


# ---------------------------------------------------------------- the engine with a grammar


def _native(text: str, reading: Reading) -> Iterator[Bit]:
    """Read calls with the engine's grammar: after the tag it allows only calls of offered tools. Text after a call is lost."""
    before, found, rest = text.partition(reading.model.tag)
    yield from _text_bits(before)
    for part in rest.split(reading.model.tag) if found else ():
        yield _bent(part, reading.toolbox)


def _bent(text: str, toolbox: Mapping[str, ToolSpec]) -> Bit:
    """A call as the grammar allows it. JSON that the model never closes continues until the limit."""
    match = re.search(r'"name"\s*:\s*"([^"]*)', text)
    name = _nearest(match.group(1) if match else "", toolbox)
    value = first_object(text)
    if value is None:
        return Bit("derail", f'llama-server returned invalid tool call arguments for "{name}": {NO_END}')
    arguments = _arguments(value[0])
    if arguments is None or (match and match.group(1) != name):
        arguments = least(toolbox[name].parameters, text) if arguments is None else arguments
    return Bit("call", Call(name, arguments), _cost(text) + 1)


def _nearest(name: str, toolbox: Mapping[str, ToolSpec]) -> str:
    return name if name in toolbox else max(toolbox, key=lambda known: len(commonprefix([known, name])))  # noqa: RUF071


# ---------------------------------------------------------------- parsers that fail hard


def _strict(text: str, reading: Reading) -> Iterator[Bit]:
    """Read calls between tags. Every tag must contain a readable call. Any name counts."""
    tag, end = reading.model.tag, reading.model.tag.replace("<", "</")
    while tag in text:
        before, _, rest = text.partition(tag)
        inner, _, text = rest.partition(end)
        yield from _text_bits(before)
        try:
            value = json.loads(inner)
        except json.JSONDecodeError as error:
            yield Bit("fail", _go_words(error, inner), 0)
            return
        name = value.get("name", "") if isinstance(value, dict) else ""
        yield Bit("call", Call(str(name), _arguments(value) or {}), _cost(inner) + 2)
    yield from _text_bits(text.lstrip("\n"))


def _go_words(error: json.JSONDecodeError, inner: str) -> str:
    return NO_END if error.pos >= len(inner.rstrip()) or error.msg.startswith(("Unterminated", "Invalid control")) else json_fault(error)


# ---------------------------------------------------------------- functiongemma


def _functiongemma(text: str, reading: Reading) -> Iterator[Bit]:
    """Read calls between two tags, offered or not. A call that cannot be read has no name."""
    if reading.model.special_escape and reading.strips_escape:
        head, last, tail = text.rpartition(ESCAPE)
        text = head.replace(ESCAPE, "") + last + tail
    place = 0
    for found in FUNCTION.finditer(text):
        yield from _text_bits(text[place : found.start()])
        call = FUNCTION_CALL.fullmatch(found.group(1)) if "\n" not in found.group(1) else None
        result = Call(call.group(1), _pairs(call.group(2))) if call else Call("", {})
        yield Bit("call", result, _cost(found.group()))
        place = found.end()
    before, cut, rest = text[place:].partition("<start_function_call>")
    yield from _text_bits(before)
    if cut:
        yield Bit("silence", "", _cost(cut + rest))


def _pairs(text: str) -> dict[str, Any]:
    pairs = [part.partition(":") for part in _parts(text) if ":" in part]
    return {key: _value(value) for key, _, value in pairs}


def _parts(text: str) -> Sequence[str]:
    """Split at commas outside of `<escape>` and of brackets."""
    parts, depth, quoted, start, place = [], 0, False, 0, 0
    while place < len(text):
        if text.startswith(ESCAPE, place):
            quoted = not quoted and ESCAPE in text[place + len(ESCAPE) :]
            place += len(ESCAPE)
            continue
        if not quoted:
            depth += (text[place] in "[{") - (text[place] in "]}")
            if text[place] == "," and depth == 0:
                parts.append(text[start:place])
                start = place + 1
        place += 1
    return [*parts, text[start:]] if text[start:] else parts


def _value(text: str) -> Any:
    if text.startswith(ESCAPE) and text.endswith(ESCAPE) and len(text) >= 2 * len(ESCAPE):
        return text[len(ESCAPE) : -len(ESCAPE)]
    if text in ("true", "false"):
        return text == "true"
    if text.startswith("[") and text.endswith("]"):
        return [_value(part) for part in _parts(text[1:-1])]
    if text.startswith("{") and text.endswith("}"):
        return _pairs(text[1:-1])
    number = NUMBER.match(text)  # the rest after the number is lost: 2024-01-15 is 2024
    if number is None:
        return text
    return float(number.group()) if "." in number.group() else int(number.group())
