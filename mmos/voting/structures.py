"""Brings calls of tools and JSON values into a form in which equal ones are the same text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_SIGNS = re.compile(r"[\s,./\-_*^()\"']+")
_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)
_NUMBER = re.compile(r"[-+]?\d{1,15}(?:\.\d{1,15})?")
_LARGEST = 1e300
_DEEPEST = 40


def calls_of(answer: Any) -> str | None:
    """The calls, in any order. Empty: no call. None: something that is no list of calls."""
    if isinstance(answer, str):
        return ""
    if not isinstance(answer, Sequence):
        return None
    calls = [_call(call) for call in answer]
    return None if None in calls else "; ".join(sorted(str(call) for call in calls))


def _call(call: Any) -> str | None:
    name, arguments = _parts(call)
    if name is None or arguments is None:
        return None
    told = ", ".join(f"{key}={shape}" for key, value in sorted(arguments.items()) if (shape := _shape(value)) != "null")
    return f"{_name(name)}({told})"


def is_call(value: Any) -> bool:
    return None not in _parts(value)


def _parts(call: Any) -> tuple[str | None, Mapping[str, Any] | None]:
    """The name and the arguments of a call, wrapped as servers wrap it or not. None: it has none."""
    inner = call.get("function", call) if isinstance(call, Mapping) else None
    if not isinstance(inner, Mapping):
        return None, None
    name, arguments = inner.get("name"), inner.get("arguments", {})
    if isinstance(arguments, str):
        arguments = parsed(arguments)
    return name if isinstance(name, str) else None, arguments if isinstance(arguments, Mapping) else None


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
        met = next((one for one in left if _meets(call, *next(iter(one.items())))), None)
        if met is None:
            return False
        left.remove(met)
    return True


def _meets(call: Any, expected_name: str, expected: Any) -> bool:
    name, arguments = _parts(call)
    if name is None or arguments is None or _name(name) != _name(expected_name) or not isinstance(expected, Mapping):
        return False
    return _fits(expected, arguments)


def _fits(expected: Mapping[str, Any], given: Mapping[str, Any], depth: int = 0) -> bool:
    """Whether each value is one of those that are expected. An empty text among them: it may be left out."""
    allowed = {key: values if isinstance(values, list) else [values] for key, values in expected.items()}
    return all(key in allowed for key in given) and all(
        any(_is_value(value, given[key], depth) for value in values) if key in given else "" in values for key, values in allowed.items()
    )


def _is_value(expected: Any, value: Any, depth: int) -> bool:
    if isinstance(expected, Mapping) and isinstance(value, Mapping) and depth < _DEEPEST and _fits(expected, value, depth + 1):
        return True
    return _shape(expected) == _shape(value)


def _name(name: str) -> str:
    return re.sub(r"[.:-]", "_", name.strip()).lower()


def json_of(text: str) -> str | None:
    """A JSON object or list in a normal form. None: the answer is no such value."""
    fences = _FENCE.findall(text)
    value = parsed(fences[0] if len(fences) == 1 else text)
    return _shape(value) if isinstance(value, dict | list) else None


def parsed(text: str) -> Any:
    """The value of a JSON text. None: it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _shape(value: Any, depth: int = 0) -> str:
    """A value in its normal form. A number or a truth value in quotes is the same as without: models mix them up."""
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        pairs = sorted((str(key), _shape(each, depth + 1)) for key, each in value.items())
        return f"{{{', '.join(f'{key}={each}' for key, each in pairs)}}}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(_shape(each, depth + 1) for each in value)}]"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int | float):
        return _number(value)
    return _word(str(value).strip())


def _number(value: float) -> str:
    return f"{float(value):.9g}" if abs(value) < _LARGEST else str(value)


def _word(text: str) -> str:
    if text.lower() in ("true", "false"):
        return text.lower()
    if _NUMBER.fullmatch(text):
        return _number(float(text))
    return f'"{_SIGNS.sub("", text).lower() or text}"'
