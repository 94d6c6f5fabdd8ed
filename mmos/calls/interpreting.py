"""Selects the tools that the interpreter sees, and decides whether to trust the call that it returns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from mmos.calls.coerce import coerce
from mmos.calls.converting import folded
from mmos.calls.references import resolved
from mmos.calls.spec import Spec
from mmos.messages import ToolCall

INTERPRETS = "reinterpret_with_functiongemma"
"""The name of the interpreter as a tool, for any model."""

MOST_TOOLS = 4
"""Tools that an interpreter sees. Small models choose well among few."""
LONGEST = 6000
"""Characters of a text for an interpreter. A longer text is no call."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_COMMON = frozenset(["a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "for", "from", "get", "has", "have", "i", "if", "in", "is", "it", "its", "me", "my", "of", "on", "one", "or", "please", "so", "that", "the", "this", "to", "use", "was", "what", "when", "will", "with", "you", "your", "tool", "tools", "call", "function", "name", "arguments", "json"])  # fmt: skip
_NAME_WEIGHT = 4
"""A word of a tool's name counts more than a word of its description."""


def relevant(text: str, specs: Sequence[Spec], most: int = MOST_TOOLS) -> list[Spec]:
    """The tools that a text may mean, the most likely first. All tools if there are few."""
    words, whole = _words(text), folded(text)
    scores = {spec.name: _score(spec, words, whole) for spec in specs}
    ranked = sorted(specs, key=lambda spec: -scores[spec.name])
    matches = [spec for spec in ranked if scores[spec.name]][:most]
    return matches or (ranked if len(ranked) <= most else [])


def spelled_out(spec: Spec) -> Spec:
    """The same tool with its allowed values in its descriptions, because some hosts drop `enum`."""
    properties = {
        name: _with_choices(part, resolved(part, spec.parameters)) for name, part in spec.parameters.get("properties", {}).items()
    }
    return replace(spec, parameters={**spec.parameters, "properties": properties})


def trusted(
    calls: Iterable[ToolCall], specs: Sequence[Spec], *, text: str, sources: Collection[str], bound: Collection[str]
) -> list[ToolCall] | str:
    """The calls with arguments that fit, or the reason why none of them counts. One wrong call makes the others doubtful.

    The tools in `bound` have effects. The values of their arguments must be in the `sources`.
    """
    known = {spec.name: spec for spec in specs}
    result: list[ToolCall] = []
    for call in calls:
        spec = known.get(call.name)
        if spec is None:
            return f"it named {call.name!r}, which was not offered" if call.name else "it made no decision"
        strangers = sorted(map(str, call.arguments.keys() - spec.parameters.get("properties", {}).keys()))
        if strangers:
            return f"it gave {spec.name} arguments that it does not take: {', '.join(strangers)[:100]}"
        if damage := _damage(call.arguments, spec, text):
            return f"it cut off a value of {spec.name}: {damage}"
        coercion = coerce(call.arguments, spec.parameters, spec.problems)
        if coercion.problems:
            return f"the arguments of {spec.name} do not fit: {'; '.join(coercion.problems)}"
        if spec.name in bound and (invention := _invention(coercion.arguments, spec, sources)):
            return f"it gave {spec.name} values that nobody named: {invention}"
        fixed = ToolCall("", spec.name, coercion.arguments)
        if fixed not in result:
            result.append(fixed)
    return result or "it made no call"


# ---------------------------------------------------------------- which tools


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)} - _COMMON


def _score(spec: Spec, words: set[str], whole: str) -> int:
    is_named = len(spec.name) > 3 and folded(spec.name) in whole
    return 100 * is_named + _NAME_WEIGHT * len(_words(spec.name) & words) + len(_words(spec.description) & words)


def _with_choices(part: Any, schema: Mapping[str, Any]) -> Any:
    entries = schema.get("items")
    values = schema.get("enum") or (entries.get("enum") if isinstance(entries, Mapping) else None)
    if not values or not isinstance(part, Mapping):
        return part
    choices = f"One of: {', '.join(value if isinstance(value, str) else orjson.dumps(value).decode() for value in values)}."
    description = str(schema.get("description", ""))
    return part if choices in description else {**part, "description": f"{description} {choices}".strip()}


# ---------------------------------------------------------------- what cannot be trusted


def _damage(arguments: Mapping[str, Any], spec: Spec, text: str) -> str:
    """The first number that should be a text, and that is only the beginning of a word of the text: 2024 of 2024-01-15."""
    for name, value in arguments.items():
        kinds = resolved(spec.parameters.get("properties", {}).get(name), spec.parameters).get("type")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or kinds != "string":
            continue
        number = re.escape(str(value))
        if re.search(rf"(?<![\w.]){number}[-:/.\w]*\w", text) and not re.search(rf"(?<![\w.]){number}(?![-:/.]?\w)", text):
            return f"{name} = {value}"
    return ""


def _invention(arguments: Mapping[str, Any], spec: Spec, sources: Collection[str]) -> str:
    """The first value that is not in the sources. Values that the schema of the tool lists are allowed."""
    text = folded(" ".join(sources))
    for name, value in arguments.items():
        schema = resolved(spec.parameters.get("properties", {}).get(name), spec.parameters)
        choices = [*schema.get("enum", ()), schema.get("const"), schema.get("default")]
        for leaf in _leaves(value):
            if leaf not in choices and folded(str(leaf)) not in text:
                return f"{name} = {str(leaf)[:60]!r}"
    return ""


def _leaves(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif value is not None and not isinstance(value, bool):
        yield value
