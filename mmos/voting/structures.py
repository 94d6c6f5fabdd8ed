"""Brings calls of tools and JSON values into a form in which equal ones are the same text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_SIGNS = re.compile(r"[\s,./\-_*^()\"']+")
_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)
_DEEPEST = 40


def calls_of(answer: Any) -> str | None:
    """The calls, in any order. Empty: no call. None: something that is no list of calls."""
    if answer is None:
        return None
    if isinstance(answer, str):
        return ""
    calls = [_call(call) for call in answer]
    return None if None in calls else "; ".join(sorted(str(call) for call in calls))


def _call(call: Any) -> str | None:
    if not isinstance(call, Mapping):
        return None
    function = call.get("function")
    inner: Mapping[str, Any] = function if isinstance(function, Mapping) else call
    name, arguments = inner.get("name"), inner.get("arguments", {})
    if isinstance(arguments, str):
        arguments = _parsed(arguments)
    if not isinstance(name, str) or not isinstance(arguments, Mapping):
        return None
    told = ", ".join(f"{key}={shape}" for key, value in sorted(arguments.items()) if (shape := _shape(value, 0)) != "null")
    return f"{_name(name)}({told})"


def is_expectation(truth: Any) -> bool:
    """Whether a truth says what each argument may be: `[{NAME: {ARGUMENT: [values]}}]`, with an empty text where it may be left out."""
    return (
        isinstance(truth, list) and bool(truth) and all(isinstance(one, Mapping) and len(one) == 1 and "name" not in one for one in truth)
    )


def is_met(truth: Sequence[Mapping[str, Any]], answer: Any) -> bool:
    """Whether calls are as expected, in any order."""
    calls, left = answer if isinstance(answer, list) else [], list(truth)
    if len(calls) != len(left):
        return False
    for call in calls:
        met = next((one for one in left if isinstance(call, Mapping) and _meets(call, *next(iter(one.items())))), None)
        if met is None:
            return False
        left.remove(met)
    return True


def _meets(call: Mapping[str, Any], name: str, expected: Any) -> bool:
    function = call.get("function", call)
    arguments = function.get("arguments", {})
    arguments = _parsed(arguments) if isinstance(arguments, str) else arguments
    if _name(str(function.get("name"))) != _name(name) or not isinstance(arguments, Mapping) or not isinstance(expected, Mapping):
        return False
    if any(key not in expected for key in arguments):
        return False
    return all(
        _shape(arguments[key], 0) in {_shape(value, 0) for value in values} if key in arguments else "" in values
        for key, values in expected.items()
    )


def _name(name: str) -> str:
    return re.sub(r"[.:-]", "_", name.strip()).lower()


def json_of(text: str) -> str | None:
    """A JSON object or list in a normal form. None: the answer is no such value."""
    fences = _FENCE.findall(text)
    value = _parsed(fences[0] if len(fences) == 1 else text)
    return _shape(value, 0) if isinstance(value, dict | list) else None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _shape(value: Any, depth: int) -> str:
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{key}={_shape(each, depth + 1)}" for key, each in sorted(value.items(), key=lambda pair: str(pair[0]))) + "}"
        )
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(_shape(each, depth + 1) for each in value) + "]"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | float):
        return f"{float(value):.9g}" if abs(value) < 1e300 else str(value)
    return '"' + _SIGNS.sub("", str(value)).lower() + '"'
