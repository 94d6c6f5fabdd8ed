"""Finds the tools that a JSON schema offers, and makes a value of the schema for what the model wants to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmos.rehearsal.pieces import Call

NAMING = ("tool", "tool_name", "name", "function", "action")
ARGUMENTS = ("arguments", "args", "parameters", "params", "input")
ANSWERING = ("answer", "final_answer", "final", "reply", "respond", "response", "none", "no_tool", "done")
"""Values of a naming property that are no tools. They mean a plain answer."""
TELLING = ("answer", "response", "final_answer", "final", "reply", "text", "content", "message", "result", "summary")
"""Properties that hold the text of an answer, the most likely first."""
DEEPEST = 16
LINE = re.compile(r"\{1,(\d+)\}\$\Z")
"""The end of a pattern that allows one line with this many characters."""
FORBIDDEN = re.compile(r'["\\{}\s]+')


def _children(schema: Mapping[str, Any]) -> Iterator[Any]:
    for word in ("anyOf", "oneOf", "allOf", "prefixItems"):
        yield from schema.get(word) or ()
    for word in ("properties", "$defs", "definitions"):
        yield from (schema.get(word) or {}).values()
    yield schema.get("items")


def _listed_values(schema: Any) -> Sequence[Any]:
    """The values that a schema lists."""
    if not isinstance(schema, Mapping):
        return ()
    return [schema["const"]] if "const" in schema else list(schema.get("enum") or ())


def _naming(schema: Mapping[str, Any]) -> tuple[str, str] | None:
    """The properties with a call's tool and arguments. None: the object is no call."""
    properties = schema.get("properties") or {}
    name = next((word for word in NAMING if _listed_values(properties.get(word))), None)
    arguments = next((word for word in ARGUMENTS if word in properties), None)
    return (name, arguments) if name and arguments else None


def tools_in(schema: Any, depth: int = 0) -> dict[str, Mapping[str, Any]]:
    """The tools that a schema lets a model call, each with the schema of its arguments."""
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    if keys := _naming(schema):
        properties = schema["properties"]
        names = [name for name in _listed_values(properties[keys[0]]) if isinstance(name, str) and name not in ANSWERING]
        found.update(dict.fromkeys(names, properties[keys[1]]))
    for child in _children(schema):
        found.update(tools_in(child, depth + 1))
    return found


def express(schema: Mapping[str, Any], calls: Sequence[Call], text: str) -> Any:
    """A value of the schema that makes these calls, or has this text when there are no calls."""
    return _Writer(schema, calls, text).write(schema)[1]


def least(schema: Any, hint: str = "") -> Any:
    """The smallest value of a schema. Of several listed values, the one that the hint names."""
    return _Writer(schema if isinstance(schema, Mapping) else {}, (), hint).least(schema)


class _Writer:
    """Writes one value. Each step reports how much of the intention its value has."""

    def __init__(self, root: Mapping[str, Any], calls: Sequence[Call], text: str) -> None:
        self._root = root
        self._calls = list(calls)
        self._text = text

    def write(self, schema: Any, depth: int = 0) -> tuple[int, Any]:
        schema = self._resolve(schema)
        if depth > DEEPEST:
            return 0, None
        if alternatives := [*(schema.get("anyOf") or ()), *(schema.get("oneOf") or ())]:
            return max((self.write(alternative, depth + 1) for alternative in alternatives), key=lambda pair: pair[0])
        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(schema, depth)
        if kind == "string" and not _listed_values(schema) and not self._calls:
            return 1, self._text[: schema.get("maxLength", len(self._text))] or self.least(schema)
        return 0, self.least(schema)

    def _object(self, schema: Mapping[str, Any], depth: int) -> tuple[int, Any]:
        keys = _naming(schema)
        if keys and self._calls:
            return self._call(schema, *keys)
        properties: Mapping[str, Any] = schema.get("properties") or {}
        telling = self._teller(properties) if not self._calls else None
        required = schema.get("required") or ()
        total = 0
        value: dict[str, Any] = {}
        for name, part in properties.items():
            has_text = self._calls or telling in (name, None) or (keys is not None and name in keys)
            weight, inner = self.write(part, depth + 1) if has_text else (0, self.least(part))
            if keys and name == keys[0]:
                inner = next((word for word in _listed_values(part) if word in ANSWERING), inner)
            if weight or name in required:
                value[name] = inner
                total += weight
        return total + (keys is None and telling in TELLING), value

    def _call(self, schema: Mapping[str, Any], name: str, arguments: str) -> tuple[int, Any]:
        call = next((call for call in self._calls if call.tool in _listed_values(schema["properties"][name])), None)
        if call is None:
            return 0, self.least(schema)
        value = {word: self.least(part) for word, part in schema["properties"].items() if word in (schema.get("required") or ())}
        return 10, value | {name: call.tool, arguments: _within(call.arguments, schema["properties"][arguments])}

    def _array(self, schema: Mapping[str, Any], depth: int) -> tuple[int, Any]:
        if not self._calls:
            return 0, self.least(schema)
        if places := schema.get("prefixItems"):
            pairs = [self.write(place, depth + 1) for place in places]
            return sum(weight for weight, _ in pairs), [row for _, row in pairs]
        rows = []
        for call in self._calls[: schema.get("maxItems", len(self._calls))]:
            weight, row = _Writer(self._root, [call], self._text).write(schema.get("items") or {}, depth + 1)
            if weight:
                rows.append((weight, row))
        # a list can have all calls, so it counts more than an object with one
        return sum(weight for weight, _ in rows) + bool(rows), [row for _, row in rows] or self.least(schema)

    def _teller(self, properties: Mapping[str, Any]) -> str | None:
        free = [name for name, part in properties.items() if _kind(self._resolve(part)) == "string" and not _listed_values(part)]
        return next((name for name in TELLING if name in free), free[0] if free else None)

    def _resolve(self, schema: Any) -> Mapping[str, Any]:
        """The schema with local references resolved and `allOf` merged."""
        for _ in range(DEEPEST):
            if not isinstance(schema, Mapping) or not isinstance(schema.get("$ref"), str):
                break
            target: Any = self._root
            for step in schema["$ref"].lstrip("#/").split("/"):
                target = target.get(step, {}) if step and isinstance(target, Mapping) else target
            schema = target
        if not isinstance(schema, Mapping):
            return {}
        result = dict(schema)
        for part in schema.get("allOf") or ():
            result |= self._resolve(part)
        return result

    def least(self, schema: Any, depth: int = 0) -> Any:
        schema = self._resolve(schema)
        if depth > DEEPEST:
            return None
        if allowed := _listed_values(schema):
            return next((value for value in allowed if isinstance(value, str) and value.lower() in self._text.lower()), allowed[0])
        if alternatives := [*(schema.get("anyOf") or ()), *(schema.get("oneOf") or ())]:
            return self.least(alternatives[0], depth + 1)
        kind = _kind(schema)
        if kind == "object":
            required = schema.get("required") or ()
            return {name: self.least(part, depth + 1) for name, part in (schema.get("properties") or {}).items() if name in required}
        if kind == "array":
            places = schema.get("prefixItems") or [schema.get("items")] * schema.get("minItems", 0)
            return [self.least(place, depth + 1) for place in places]
        return _least_plain(kind, schema)


def _within(arguments: Mapping[str, Any], schema: Any) -> dict[str, Any]:
    """The arguments of a call that the schema has, with texts cut to its limits."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not properties:
        return dict(arguments)
    return {name: _cut(value, properties[name]) for name, value in arguments.items() if name in properties}


def _cut(value: Any, schema: Any) -> Any:
    if not isinstance(value, str) or not isinstance(schema, Mapping):
        return value
    line = LINE.search(schema.get("pattern", ""))
    longest = int(line.group(1)) if line else schema.get("maxLength", len(value))
    return (" ".join(FORBIDDEN.sub(" ", value).split()) if line else value)[:longest]


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "array" if "items" in schema else "string"


def _least_plain(kind: str, schema: Mapping[str, Any]) -> Any:
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema["exclusiveMinimum"] + 1 if "exclusiveMinimum" in schema else 0)
        return min(low, schema["maximum"]) if "maximum" in schema else low
    if kind == "boolean":
        return False
    return None if kind == "null" else "-" * schema.get("minLength", 0)
