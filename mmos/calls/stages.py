"""What a turn may contain: which tools, how many calls at least, and whether an answer is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import orjson

from mmos.calls.spec import Spec

MOST_CALLS = 8
"""How many calls one turn of schema mode may hold."""

_MOST_CHOICES = 32
"""Sets of distinct tools that a grammar spells out; beyond that it names each tool for each call."""

_CHARS_A_TOKEN = 3
"""Fewer than most texts have: what is counted by it ends before the tokens do."""

_CALL_TOKENS = 36
"""What a call takes beside its texts."""

_LEAST_TOKENS = 8
"""What a text has at least, however little there is."""

_LONGEST_BOUND = 2000
"""llama.cpp counts no further in a grammar."""


@dataclass(frozen=True)
class Stage:
    """What a turn may hold."""

    only: frozenset[str] | None = None
    """The only tools that may be called; None: all that are offered."""
    least: int = 0
    """Calls that have to be made, each of another tool; at 0 an answer may come instead."""
    most: int = MOST_CALLS
    """At 0 an answer is all that may come."""

    def offered(self, specs: Sequence[Spec]) -> list[Spec]:
        return [spec for spec in specs if self.most and (self.only is None or spec.name in self.only)]


FREE = Stage()
ANSWER = Stage(most=0)


def form(specs: Sequence[Spec], stage: Stage = FREE, tokens: int | None = None) -> bytes:
    """The schema of one turn: `{"calls": […]}` or `{"answer": "…"}`, or the one of them that makes sense.

    Where `tokens` is what the turn may have, texts are bounded so that the JSON comes to its end before they are spent.
    """
    answer = _object(answer=_text(tokens or 0))
    offered = stage.offered(specs)
    if not offered:
        return orjson.dumps(answer)
    calls = [_object(calls=calls) for calls in _calls(offered, stage, tokens)]
    choices = calls if stage.least else [*calls, answer]
    return orjson.dumps(choices[0] if len(choices) == 1 else {"anyOf": choices})


def _calls(specs: Sequence[Spec], stage: Stage, tokens: int | None) -> list[dict[str, Any]]:
    """The forms of the list of calls; where calls are due, no tool stands in it twice."""
    if not stage.least:
        return [_list({"anyOf": [_call(spec, None) for spec in specs]}, 1, stage.most)]
    whole = tokens if tokens and tokens > 0 else None
    least, most = min(stage.least, len(specs)), min(stage.most, len(specs))
    sets = [chosen for size in range(least, most + 1) for chosen in combinations(specs, size)]
    if len(sets) > _MOST_CHOICES:
        return [_list({"anyOf": [_call(spec, whole and whole // most) for spec in specs]}, least, most)]
    return [_tuple([_call(spec, whole and whole // len(chosen)) for spec in chosen]) for chosen in sets]


def _call(spec: Spec, tokens: int | None) -> dict[str, Any]:
    arguments = spec.parameters if tokens is None else _bounded(spec.parameters, max(_LEAST_TOKENS, tokens - _CALL_TOKENS))
    return _object(tool={"type": "string", "enum": [spec.name]}, arguments=arguments)


def _bounded(parameters: Mapping[str, Any], tokens: int) -> Mapping[str, Any]:
    """With few tokens to spend: what is required, and texts that end in time."""
    required = parameters.get("required", ())
    if not required or "maxLength" not in _text(tokens):
        return parameters
    properties = {name: part for name, part in parameters.get("properties", {}).items() if name in required}
    share = max(_LEAST_TOKENS, tokens // max(1, len(properties)))
    bounded = {name: {**part, **_line(share)} if _is_free(part) else part for name, part in properties.items()}
    return {**parameters, "properties": bounded}


def _is_free(part: Mapping[str, Any]) -> bool:
    return part.get("type") == "string" and not part.keys() & {"enum", "const", "format", "pattern", "maxLength"}


def _text(tokens: int) -> dict[str, Any]:
    longest = tokens * _CHARS_A_TOKEN
    return {"type": "string", "maxLength": longest} if 0 < longest <= _LONGEST_BOUND else {"type": "string"}


def _line(tokens: int) -> dict[str, Any]:
    """One line of plain words: a small model that may write brackets here goes on with the JSON around it."""
    return {"type": "string", "pattern": rf'^[^"\\{{}}\n\r\t]{{1,{tokens * _CHARS_A_TOKEN}}}$'}


def _list(item: dict[str, Any], least: int, most: int) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": least, "maxItems": most}


def _tuple(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
