"""Says what one reply may contain: which tools, how many calls at least, and whether an answer is allowed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import orjson

from mmos.calls.spec import Spec

MOST_CALLS = 8
"""Most calls in one reply on the schema channel."""

_MOST_CHOICES = 32
"""Most sets of different tools that a grammar lists. With more sets, the grammar allows every tool in every call."""

_CHARS_A_TOKEN = 3
"""Most texts have more. So a text with a limit in characters ends before the tokens do."""

_CALL_TOKENS = 36
"""Tokens of a call besides its texts."""

_LEAST_TOKENS = 8
"""Fewest tokens for one text."""

_LONGEST_BOUND = 2000
"""The largest count in a grammar of llama.cpp."""


@dataclass(frozen=True)
class ToolChoice:
    """What one reply may contain."""

    only: frozenset[str] | None = None
    """The tools that the model may call. None: all tools."""
    least: int = 0
    """How many different tools the model must call. 0: it may answer in place of a call."""
    most: int = MOST_CALLS
    """0: only an answer is allowed."""
    prose: bool = False
    """Whether a text in place of the calls counts as the answer, where no grammar forbids it."""

    def allowed(self, specs: Sequence[Spec]) -> list[Spec]:
        return [spec for spec in specs if self.most and (self.only is None or spec.name in self.only)]

    def at_most(self, most: int | None) -> ToolChoice:
        """The same choice, with no more calls than that, unless the model must make more. None: as it is."""
        return self if most is None or most >= self.most else replace(self, most=max(most, self.least))

    def within(self, permitted: Collection[str], names: Collection[str]) -> ToolChoice:
        """The same choice, of a model that has the tools `names`, among the permitted ones alone."""
        only = (frozenset(names) if self.only is None else self.only) & frozenset(permitted)
        if len(permitted) == len(names) or not self.most:
            return self
        return replace(self, only=only, least=min(self.least, len(only))) if only else ANSWER_ONLY


AUTO = ToolChoice()
ANSWER_ONLY = ToolChoice(most=0)


def form(specs: Sequence[Spec], choice: ToolChoice = AUTO, tokens: int | None = None) -> bytes:
    """The schema of one reply: `{"calls": […]}`, `{"answer": "…"}`, or either of them.

    With `tokens`, the texts have a limit, so that the JSON is complete before the reply has that many tokens.
    """
    answer = _object(answer=_text(tokens or 0))
    allowed = choice.allowed(specs)
    if not allowed:
        return orjson.dumps(answer)
    calls = [_object(calls=calls) for calls in _calls(allowed, choice, tokens)]
    choices = calls if choice.least else [*calls, answer]
    return orjson.dumps(choices[0] if len(choices) == 1 else {"anyOf": choices})


def _calls(specs: Sequence[Spec], choice: ToolChoice, tokens: int | None) -> list[dict[str, Any]]:
    """The forms of the list of calls. When the model must call tools, each tool is in a list once at most."""
    if not choice.least:
        return [_list({"anyOf": [_call(spec, None) for spec in specs]}, 1, choice.most)]
    whole = tokens if tokens and tokens > 0 else None
    least, most = min(choice.least, len(specs)), min(choice.most, len(specs))
    sets = [tools for size in range(least, most + 1) for tools in combinations(specs, size)]
    if len(sets) > _MOST_CHOICES:
        return [_list({"anyOf": [_call(spec, whole and whole // most) for spec in specs]}, least, most)]
    return [_tuple([_call(spec, whole and whole // len(tools)) for spec in tools]) for tools in sets]


def _call(spec: Spec, tokens: int | None) -> dict[str, Any]:
    arguments = spec.parameters if tokens is None else _shortened(spec.parameters, max(_LEAST_TOKENS, tokens - _CALL_TOKENS))
    return _object(tool={"type": "string", "enum": [spec.name]}, arguments=arguments)


def _shortened(parameters: Mapping[str, Any], tokens: int) -> Mapping[str, Any]:
    """The parameters for a reply with few tokens: only the required ones, with short texts."""
    required = parameters.get("required", ())
    if not required or "maxLength" not in _text(tokens):
        return parameters
    properties = {name: part for name, part in parameters.get("properties", {}).items() if name in required}
    share = max(_LEAST_TOKENS, tokens // max(1, len(properties)))
    limited = {name: {**part, **_line(share)} if _is_free(part) else part for name, part in properties.items()}
    return {**parameters, "properties": limited}


def _is_free(part: Mapping[str, Any]) -> bool:
    return part.get("type") == "string" and not part.keys() & {"enum", "const", "format", "pattern", "maxLength"}


def _text(tokens: int) -> dict[str, Any]:
    longest = tokens * _CHARS_A_TOKEN
    return {"type": "string", "maxLength": longest} if 0 < longest <= _LONGEST_BOUND else {"type": "string"}


def _line(tokens: int) -> dict[str, Any]:
    """One line of plain words. A small model that may write brackets here writes the JSON around it instead of a text."""
    return {"type": "string", "pattern": rf'^[^"\\{{}}\n\r\t]{{1,{tokens * _CHARS_A_TOKEN}}}$'}


def _list(item: dict[str, Any], least: int, most: int) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": least, "maxItems": most}


def _tuple(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
