"""Reads what a case expects, in our own form and in those of common data sets."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from mmos.calls.dialect import specs_of
from mmos.calls.naming import Names
from mmos.calls.patterns import UnknownPattern, parse
from mmos.calls.shape import Shape
from mmos.calls.spec import Spec
from mmos.comparing import expectation as kinds
from mmos.comparing import final
from mmos.comparing.expectation import Expectation, every, one_of
from mmos.errors import UsageError

_LETTER = re.compile(r"\s*\(?([A-Za-z])[).:]?\s*")
_AFTER_WORK = re.compile(r"####\s{0,5}(\S[^\n]{0,200})\s*\Z")
"""How GSM8K ends the reasoning of an expected answer."""
_PLAIN_NUMBER = re.compile(r"\s*[-−+]?[$€£]?\s?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][-+]?\d{1,3})?\s?%?\s*")
_RATIO = re.compile(r"\s*[-−+]?\d+ ?/ ?\d+\s*")
_YES, _NO = frozenset({"yes", "true"}), frozenset({"no", "false"})


@dataclass(frozen=True)
class Question:
    """What of a case helps to read its expectation."""

    options: Mapping[str, str]
    tools: Any = None


def expectation_of(value: Any, question: Question) -> Expectation:
    """The expectation that a value means. Raises `UsageError` if it means none."""
    if isinstance(value, bool):
        return kinds.Verdict(value)
    if isinstance(value, int | float):
        return _indexed(value, question) or kinds.Number(_finite(value))
    if isinstance(value, str):
        return _of_text(value, question)
    if isinstance(value, Mapping):
        return _calls(value, question) if _is_call(value) else _of_keys(value, question)
    if isinstance(value, Sequence) and value:
        if all(isinstance(one, Mapping) and _is_call(one) for one in value):
            return _calls(value, question)
        return one_of([expectation_of(one, question) for one in value])
    raise UsageError(
        '"expect" is empty.' if value == [] else f'"expect" is {value!r:.40}: it may be a text, a number, a list or an object.'
    )


def _of_text(text: str, question: Question) -> Expectation:
    """A text may be a letter of a multiple choice, a number, yes or no, or words."""
    if not text.strip():
        raise UsageError('"expect" is an empty text.')
    if worked := _AFTER_WORK.search(text):
        text = worked[1]
    letter = _LETTER.fullmatch(text)
    if letter and question.options and letter[1].upper() in question.options:
        return kinds.Choice(letter[1].upper(), question.options)
    if text.strip().casefold() in _YES | _NO:
        return kinds.Verdict(text.strip().casefold() in _YES)
    if len(text) < SHORT and (_PLAIN_NUMBER.fullmatch(text) or _RATIO.fullmatch(text)) and (found := final.numbers(text)):
        return kinds.Number(found[0][0])
    chosen = [letter for letter, option in question.options.items() if final.plain(option) == final.plain(text)]
    return kinds.Choice(chosen[0], question.options) if len(chosen) == 1 else kinds.Words(text)


SHORT = 60


def _indexed(value: float, question: Question) -> Expectation | None:
    """The option with this number, from 0. Data sets write the right option like this."""
    letters = list(question.options)
    named = [letter for letter, option in question.options.items() if final.plain(option) == f"{value:g}"]
    if named or not letters or value not in range(len(letters)):
        return kinds.Choice(named[0], question.options) if named else None
    return kinds.Choice(letters[int(value)], question.options)


def _finite(value: Any) -> float:
    if isinstance(value, str) and (found := final.numbers(value)):
        value = found[0][0]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{value!r:.40} is no number.")
    return float(value)


# ---------------------------------------------------------------- objects


def _of_keys(given: Mapping[str, Any], question: Question) -> Expectation:
    unknown = [key for key in given if key not in KEYS and key != "tolerance"]
    if unknown:
        near = get_close_matches(unknown[0], KEYS, n=1)
        hint = f'Did you mean "{near[0]}"?' if near else f"It may have: {', '.join(KEYS)}, tolerance."
        raise UsageError(f'"expect" has the key {unknown[0]!r:.60}. {hint}')
    if "tolerance" in given and "number" not in given:
        raise UsageError('"tolerance" goes with "number" only.')
    parts = [KEYS[key](value, given, question) for key, value in given.items() if key in KEYS]
    if not parts:
        raise UsageError('"expect" is an empty object.')
    return every(parts)


def _texts(value: Any) -> Sequence[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise UsageError(f"{value!r:.40} is neither a text nor a list of texts.")
    return texts


def _number(value: Any, given: Mapping[str, Any], _: Question) -> Expectation:
    tolerance = None if given.get("tolerance") is None else _finite(given["tolerance"])
    if tolerance is not None and tolerance < 0:
        raise UsageError('"tolerance" is less than 0.')
    return kinds.Number(_finite(value), tolerance)


def _pattern(value: Any, _: Mapping[str, Any], __: Question) -> Expectation:
    patterns = _texts(value)
    for pattern in patterns:
        try:
            parse(pattern)
        except UnknownPattern as error:
            raise UsageError(f"MMOS cannot match the pattern {pattern!r:.60} within a limit of work: {error}.") from None
    return one_of([kinds.Pattern(pattern) for pattern in patterns])


def _schema(value: Any, _: Mapping[str, Any], __: Question) -> Expectation:
    return kinds.Fits(Shape.of(value))


def _choice(value: Any, _: Mapping[str, Any], question: Question) -> Expectation:
    letter = _LETTER.fullmatch(value) if isinstance(value, str) else None
    if letter is None:
        raise UsageError(f"{value!r:.40} is no letter of a choice.")
    if question.options and letter[1].upper() not in question.options:
        raise UsageError(f"The task has no option {letter[1].upper()}.")
    return kinds.Choice(letter[1].upper(), question.options)


KEYS: Mapping[str, Callable[[Any, Mapping[str, Any], Question], Expectation]] = {
    "contains": lambda value, _, __: kinds.Contains(_texts(value)),
    "excludes": lambda value, _, __: kinds.Excludes(_texts(value)),
    "equals": lambda value, _, __: one_of([kinds.Equals(text) for text in _texts(value)]),
    "pattern": _pattern,
    "number": _number,
    "schema": _schema,
    "choice": _choice,
    "calls": lambda value, _, question: _calls(value, question),
}
"""What an object may expect. All its keys must hold."""


# ---------------------------------------------------------------- tool calls


def _is_call(value: Mapping[str, Any]) -> bool:
    """Whether this is `{"name", "arguments"}`, `{"function": {…}}`, or `{NAME: {ARGUMENT: [RIGHT VALUES]}}` as in BFCL."""
    if isinstance(value.get("function"), Mapping):
        return True
    if isinstance(value.get("name"), str) and value.keys() <= {"name", "arguments", "parameters", "args", "id", "type"}:
        return True
    (only, *more) = value.items() or [("", None)]
    return not more and only[0] not in KEYS and isinstance(only[1], Mapping)


def _calls(value: Any, question: Question) -> Expectation:
    listed = [value] if isinstance(value, Mapping) else value
    if not isinstance(listed, list) or not all(isinstance(call, Mapping) and _is_call(call) for call in listed):
        raise UsageError('"calls" must be a list of {"name", "arguments"}.')
    wanted = [_wanted(call) for call in listed]
    specs = specs_of(question.tools) or [Spec(name, "", {"type": "object"}) for name in dict.fromkeys(call.name for call in wanted)]
    missing = {call.name for call in wanted} - {spec.name for spec in specs}
    if missing:
        raise UsageError(f"The case expects a call of {min(missing)!r:.60}, which is not in its tools.")
    return kinds.Calls(wanted, Names(specs))


def _wanted(call: Mapping[str, Any]) -> kinds.WantedCall:
    if isinstance(call.get("function"), Mapping):
        call = call["function"]
    if not isinstance(call.get("name"), str):
        ((name, rights),) = call.items()
        values = {key: right if isinstance(right, list) else [right] for key, right in rights.items()}
        return kinds.WantedCall(name, values, frozenset(key for key, right in values.items() if "" in right))
    arguments: Any = next((call[key] for key in ("arguments", "parameters", "args") if key in call), {})
    if not isinstance(arguments, Mapping):
        raise UsageError(f"The arguments of the expected call of {call['name']!r:.60} are no object.")
    return kinds.WantedCall(call["name"], {key: [right] for key, right in arguments.items()})
