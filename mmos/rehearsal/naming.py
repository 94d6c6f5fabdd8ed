"""Finds the offered tools that a text names, and their arguments. A rehearsed persona calls a tool that the task names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mmos.rehearsal.parsing import first_object
from mmos.rehearsal.pieces import Call
from mmos.rehearsal.prompt import Prompt, ToolSpec
from mmos.rehearsal.schema import least

NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")
PAIR = re.compile(r"""([A-Za-z_][\w-]*)\s*[=:]\s*("(?:[^"\\]|\\.)*"|'[^']*'|`[^`]*`|\[[^\]]*\]|\{[^}]*\}|[^\s,;)]+)""")
FILE = re.compile(r"(?<![\w./-])(?:[\w-][\w.-]*/)*[\w-][\w.-]*\.[A-Za-z]\w{0,7}(?![\w/-])")
"""A word that looks like the path of a file."""
FORBIDDEN = re.compile(r"(?:\bnot|n't|\bwithout|\bnever)\s+(?:(?:use|using|call|calling)\s+)?[`'\"]?\Z", re.IGNORECASE)
"""Words before the name of a tool that the user does not want called."""


def named_calls(prompt: Prompt) -> list[Call]:
    """The calls that the user's newest message asks for by name, in its order, without those that were already made."""
    requests: list[Call] = []
    for tool, segment in mentions(prompt.user_text, prompt.toolbox):
        call = Call(tool.name, fill(tool.parameters, segment, prompt.user_text))
        if call not in requests:  # a brief contains the user's words a second time
            requests.append(call)
    counts = dict(prompt.call_counts)
    calls = []
    for call in requests:
        if counts.get(call.tool, 0) > 0:
            counts[call.tool] -= 1
        else:
            calls.append(call)
    return calls


def mentions(text: str, toolbox: Mapping[str, ToolSpec]) -> Iterator[tuple[ToolSpec, str]]:
    """Each offered tool that a text names, with the part of the text that follows it, up to the next name."""
    if not toolbox:
        return
    names = sorted(toolbox, key=len, reverse=True)  # the longest name wins
    found = list(re.finditer(rf"(?<![\w.-])({'|'.join(map(re.escape, names))})(?![\w-])", text))
    matches = [match for match in found if not FORBIDDEN.search(text[: match.start()])]
    for place, match in enumerate(matches):
        end = matches[place + 1].start() if place + 1 < len(matches) else len(text)
        yield toolbox[match.group(1)], text[match.end() : end]


def fill(parameters: Mapping[str, Any], segment: str, text: str) -> dict[str, Any]:
    """The arguments: from JSON after the name, or from `key=value` or `key: value`. A missing required one comes from the text."""
    properties: Mapping[str, Any] = parameters.get("properties") or {}
    inline, _ = first_object(segment) or (None, 0)
    arguments = inline if isinstance(inline, dict) else _pairs(properties, segment)
    numbers = NUMBER.findall(segment)
    for name in parameters.get("required") or ():
        if name not in arguments:
            schema = properties.get(name) or {}
            files = FILE.findall(text) if name in ("path", "paths") else []
            arguments[name] = (files if schema.get("type") == "array" else files[0]) if files else _guess(schema, text, numbers)
    return arguments


def _pairs(properties: Mapping[str, Any], segment: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, raw in PAIR.findall(segment):
        if key in properties or (not properties and f"{key}=" in segment.replace(" ", "")):
            found.setdefault(key, _value(properties.get(key) or {}, raw))
    return found


def _value(schema: Mapping[str, Any], raw: str) -> Any:
    """The value in the wanted type if it can be converted. Otherwise as written."""
    quoted = raw[0] in "\"'`" and len(raw) > 1 and raw[-1] == raw[0]
    text = raw[1:-1] if quoted else raw.rstrip(".,;:!?")
    kind = schema.get("type")
    if kind == "string" or (kind is None and quoted):
        return text
    if kind == "array" and not text.startswith("["):
        return [text]
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return {"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text)
    return int(value) if kind == "integer" and isinstance(value, float) else value


def _guess(schema: Mapping[str, Any], text: str, numbers: list[str]) -> Any:
    kind = schema.get("type", "string")
    if "enum" in schema or "const" in schema:
        return least(schema, text)
    if kind == "string":
        return text
    if kind in ("integer", "number"):
        if not numbers:
            return least(schema)
        number = float(numbers.pop(0))
        return int(number) if kind == "integer" or number.is_integer() else number
    if kind == "boolean":
        return True
    if kind == "array" and (schema.get("items") or {}).get("type") == "string":
        return [text]
    return least(schema, text)
