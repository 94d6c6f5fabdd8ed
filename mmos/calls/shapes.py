"""Finds drafts of calls in a parsed value, for every shape of object and list that models use for calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mmos.calls.naming import Names
from mmos.calls.patience import Misread, Patience
from mmos.calls.values import NAME, PythonCall, read_value

NAME_KEYS = (
    "name", "tool_name", "function_name", "toolName", "functionName", "tool", "function", "func", "func_name", "action",
    "recipient_name", "api_name", "api", "tool_call", "function_call", "call",
)  # fmt: skip
ARGUMENT_KEYS = (
    "arguments", "parameters", "params", "args", "input", "inputs", "kwargs", "tool_input", "action_input", "tool_arguments", "toolInput",
    "tool_args", "tool_parameters", "function_arguments", "function_args", "arguments_json", "named_arguments", "argument", "parameter", "arg", "param",
)  # fmt: skip
LIST_KEYS = (
    "tool_calls", "toolCalls", "function_calls", "functionCalls", "tool_uses", "calls", "tools", "functions", "actions",
    "tool_call", "function_call",
)  # fmt: skip
BESIDE = ("id", "type", "index", "call_id", "tool_call_id", "callId", "description", "thought", "thoughts", "reasoning", "explanation")
"""Keys beside a call that are none of its arguments."""

_KEYS = frozenset((*NAME_KEYS, *ARGUMENT_KEYS, *LIST_KEYS))

WRAPPERS = ("print", "str", "display", "json.dumps", "list", "await", "asyncio.run")
"""Python functions around a call that do not change it."""

DEEPEST = 8


@dataclass(frozen=True)
class Draft:
    """A call as the model wrote it, before the check of its name and arguments."""

    name: str
    arguments: Any = None
    positional: tuple[Any, ...] = ()
    beside: Mapping[str, Any] = field(default_factory=dict)
    """The values beside the arguments, or in their place."""
    shape: str = ""
    """What is unusual about the form."""


@dataclass(frozen=True)
class _Search:
    """What the search for calls in a value needs."""

    names: Names
    patience: Patience


def drafts(value: Any, names: Names, patience: Patience | None = None) -> list[Draft]:
    """The calls in a value. Empty: there are none, or the value is too large."""
    try:
        return _drafts(value, _Search(names, patience or Patience()), 0)
    except Misread:
        return []


def _drafts(value: Any, search: _Search, depth: int) -> list[Draft]:
    if depth > DEEPEST:
        return []
    search.patience.spend()
    if isinstance(value, PythonCall):
        if value.name in WRAPPERS and len(value.positional) == 1 and isinstance(value.positional[0], PythonCall):
            return _drafts(value.positional[0], search, depth + 1)
        return [Draft(value.name, dict(value.keywords), value.positional)]
    if isinstance(value, Mapping):
        return _of_object(value, search, depth)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _of_list(value, search, depth)
    return _of_text(value, search, depth) if isinstance(value, str) and depth else []


def _of_text(text: str, search: _Search, depth: int) -> list[Draft]:
    """A call in quotes, or a name alone in a list."""
    stripped = text.strip()
    if search.names.sure(stripped).spec:
        return [Draft(stripped)]
    name = NAME.match(stripped)
    if not stripped or not (stripped[0] in "{[" or (name and stripped[name.end() :].lstrip()[:1] == "(")):
        return []
    try:
        value = read_value(stripped, 0, patience=search.patience).value
        return [replace(draft, shape="a call in quotes") for draft in _drafts(value, search, depth + 1)]
    except Misread:
        return []


def _of_list(items: Sequence[Any], search: _Search, depth: int) -> list[Draft]:
    found: list[Draft] = []
    names = search.names
    place = 0
    while place < len(items):
        item, after = items[place], items[place + 1] if place + 1 < len(items) else None
        if isinstance(item, str) and isinstance(after, Mapping) and not _name_of(after, names) and names.sure(item).spec:
            found.append(Draft(item, dict(after), shape="name and arguments as a pair"))
            place += 2
            continue
        if place == 0 and isinstance(item, str) and names.sure(item).spec and len(items) > 1 and not _also_calls(items[1:], names):
            return [Draft(item, None, tuple(items[1:]), shape="name and arguments as a list")]
        found += _drafts(item, search, depth + 1)
        place += 1
    return found


def _also_calls(items: Sequence[Any], names: Names) -> bool:
    return any(
        isinstance(item, Mapping | PythonCall | list) or (isinstance(item, str) and names.sure(item).spec is not None) for item in items
    )


def _of_object(value: Mapping[str, Any], search: _Search, depth: int) -> list[Draft]:
    search.patience.spend(len(value))
    value = _plain_keys(value)
    key = _name_of(value, search.names)
    inner = value.get(key) if key else None
    if isinstance(inner, Mapping):
        return [_beside(draft, value, key) for draft in _drafts(inner, search, depth + 1)]
    if not key or not _arguments_key(value, key):
        for wrapper in LIST_KEYS:
            inner_value = value.get(wrapper)
            if isinstance(inner_value, list | Mapping) and (found := _drafts(inner_value, search, depth + 1)):
                return found
    if key:
        return [_with_name(str(inner), value, key)]
    if found := _by_tool(value, search.names):
        return found
    return _without_name(value, search, depth)


def _plain_keys(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The value with `name` for ` Name `, and the like, if it does not have that key already."""
    plain = {key: key.strip().lower() for key in value if isinstance(key, str)}
    return {plain[key] if plain.get(key) in _KEYS and plain[key] not in value else key: each for key, each in value.items()}


def _name_of(value: Mapping[str, Any], names: Names) -> str:
    """The key with the name of the tool. A key with the name of an offered tool comes first."""
    there = [key for key in NAME_KEYS if isinstance(value.get(key), str | Mapping) and value[key]]
    texts = [key for key in there if isinstance(value[key], str)]
    known = [key for key in texts if names.sure(value[key]).spec]
    nested = [key for key in there if isinstance(value[key], Mapping) and _looks_called(value[key], names)]
    if known or nested:
        return (known or nested)[0]
    if isinstance(value.get("type"), str) and names.sure(value["type"]).spec:
        return "type"
    return next((key for key in texts if _arguments_key(value, key)), "")


def _looks_called(value: Mapping[str, Any], names: Names) -> bool:
    return any(isinstance(value.get(key), str) for key in NAME_KEYS) or any(names.sure(key).spec for key in value)


def _arguments_key(value: Mapping[str, Any], name_key: str) -> str:
    return next((key for key in ARGUMENT_KEYS if key in value and key != name_key), "")


def _with_name(name: str, value: Mapping[str, Any], key: str) -> Draft:
    spot = _arguments_key(value, key)
    rest = {other: value[other] for other in value if other not in (key, spot)}
    if spot:
        return Draft(name, value[spot], (), rest, "" if spot == "arguments" else f"arguments under `{spot}`")
    return Draft(name, None, (), rest, "arguments beside the name" if rest.keys() - set(BESIDE) else "")


def _beside(draft: Draft, value: Mapping[str, Any], key: str) -> Draft:
    """`{"function": {"name": …}, "arguments": {…}}`"""
    spot = _arguments_key(value, key)
    if draft.arguments in (None, {}) and spot and not draft.beside:
        return Draft(draft.name, value[spot], draft.positional, {}, "arguments beside the name")
    return draft


def _by_tool(value: Mapping[str, Any], names: Names) -> list[Draft]:
    """`{"get_weather": {"city": "Paris"}}`"""
    if value and all(isinstance(each, Mapping | list | None) and names.sure(str(key)).spec for key, each in value.items()):
        return [
            Draft(str(key), one, shape="the name as a key")
            for key, each in value.items()
            for one in (each if isinstance(each, list) and all(isinstance(part, Mapping) for part in each) and each else [each])
        ]
    return []


def _without_name(value: Mapping[str, Any], search: _Search, depth: int) -> list[Draft]:
    """The call if its name is inside the arguments, or missing."""
    names = search.names
    spot = _arguments_key(value, "")
    inner = value.get(spot) if spot else None
    if isinstance(inner, Mapping) and (key := _name_of(inner, names)) and isinstance(inner.get(key), str) and names.sure(inner[key]).spec:
        return [replace(draft, shape="name inside the arguments") for draft in _drafts(inner, search, depth + 1)]
    if spot and isinstance(inner, Mapping) and value.keys() <= {spot, *NAME_KEYS, *BESIDE}:
        return [Draft("", inner)]
    return []
