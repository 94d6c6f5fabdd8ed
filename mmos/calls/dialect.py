"""Turns tool descriptions in loose dialects (`dict`, `float`, `STRING`, `required` inside a property) into real JSON Schema."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from mmos.calls.references import without_circles
from mmos.calls.spec import Spec
from mmos.calls.type_names import is_kind, schema_of
from mmos.errors import UsageError

DEEPEST = 40
"""Deeper parts of a schema allow anything."""

_TEXTS = ("description", "title", "format", "contentEncoding", "contentMediaType", "$comment")
_LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains")
_CHOICES = ("anyOf", "oneOf", "allOf")
_PARTS = ("not", "additionalProperties", "contains", "propertyNames", "if", "then", "else", "unevaluatedProperties", "unevaluatedItems")
_OTHERS = (
    "type", "properties", "required", "items", "prefixItems", "enum", "const", "$ref", "$defs", "definitions", "patternProperties",
    "default", "examples", "pattern", "multipleOf", "uniqueItems", "nullable", "$schema",
)  # fmt: skip
_KEYWORDS = frozenset((*_TEXTS, *_LIMITS, *_COUNTS, *_CHOICES, *_PARTS, *_OTHERS))
_SCHEMA_PLACES = ("parameters", "inputSchema", "input_schema", "args_schema", "parameters_json_schema")
_REFERENCE = re.compile(r"#/(?:\$defs|definitions)/([^/]+)$")
_OBJECT: Mapping[str, Any] = {"type": "object", "properties": {}}


def specs_of(tools: Any) -> list[Spec]:
    """The tools of a list, each `{"name", "description", "parameters"}`, also in the format of OpenAI. Of two tools with one name the first counts."""
    if tools is None:
        return []
    if isinstance(tools, Mapping):
        tools = [tools]
    if not isinstance(tools, (list, tuple)):
        raise UsageError(f'`tools` is {_kind(tools)}, not a list of {{"name", "description", "parameters"}}.')
    found: dict[str, Spec] = {}
    for place, tool in enumerate(tools):
        spec = _spec(tool, f"tools[{place}]")
        found.setdefault(spec.name, spec)
    return list(found.values())


def normal(parameters: Any) -> dict[str, Any]:
    """The parameters of a tool as the JSON Schema of an object. Unknown parts allow anything."""
    if isinstance(parameters, (str, bytes)):
        parameters = _parse(parameters)
    if isinstance(parameters, (list, tuple)):
        parameters = {"properties": parameters}
    if not isinstance(parameters, Mapping):
        return {"type": "object", "properties": {}}
    definitions = {str(name) for place in ("$defs", "definitions") if isinstance(each := parameters.get(place), Mapping) for name in each}
    schema = _Dialect(definitions).root(parameters)
    return without_circles(schema)


def _spec(tool: Any, where: str) -> Spec:
    inner = tool.get("function") if isinstance(tool, Mapping) and isinstance(tool.get("function"), Mapping) else tool
    if not isinstance(inner, Mapping):
        raise UsageError(f'{where} is {_kind(tool)}, not a tool. Write it as {{"name", "description", "parameters"}}.')
    name = inner.get("name")
    if not isinstance(name, str) or not name.strip():
        raise UsageError(f'{where} has no name. Write it as {{"name", "description", "parameters"}}.')
    description = inner.get("description")
    parameters = next((inner[place] for place in _SCHEMA_PLACES if inner.get(place) is not None), None)
    return Spec(name, description if isinstance(description, str) else "", normal(parameters))


def _kind(value: Any) -> str:
    return {str: "a text", list: "a list", bool: "a yes or no", type(None): "null"}.get(type(value), f"a {type(value).__name__}")


def _parse(text: str | bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


class _Dialect:
    """Translates one schema, with the names that it defines."""

    def __init__(self, definitions: set[str]) -> None:
        self._definitions = definitions

    def root(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if not _is_schema(parameters):
            parameters = {"properties": parameters}
        elif "type" in parameters and not isinstance(parameters["type"], (str, list)):
            parameters = {"properties": parameters} if _is_schema(parameters["type"]) else {**parameters, "type": "object"}
        schema = self._schema(parameters, 0)
        return {**_OBJECT, **schema, "type": "object"}

    def _schema(self, part: Any, depth: int) -> dict[str, Any]:
        """The schema of a part. A text is the name of a type, and a list has the allowed values."""
        if isinstance(part, str):
            return schema_of(part) or {}
        if isinstance(part, (list, tuple)):
            return _enum(part) or {}
        if not isinstance(part, Mapping) or depth > DEEPEST:
            return {}
        schema: dict[str, Any] = {}
        self._type(part, schema, depth)
        self._words(part, schema)
        self._structure(part, schema, depth)
        self._values(part, schema)
        return schema

    def _type(self, part: Mapping[str, Any], schema: dict[str, Any], depth: int) -> None:
        kind_name = part.get("type")
        if isinstance(kind_name, (list, tuple)):
            kinds = [kind for each in kind_name if isinstance(each, str) and (kind := schema_of(each)) is not None]
            names = list(dict.fromkeys(kind["type"] for kind in kinds if isinstance(kind.get("type"), str)))
            if names and len(kinds) == len([each for each in kind_name if isinstance(each, str)]) and all(kinds):
                schema["type"] = names if len(names) > 1 else names[0]
        elif isinstance(kind_name, (str, Mapping)):
            schema.update(self._schema(kind_name, depth + 1))
        if "type" not in schema and isinstance(part.get("properties"), (Mapping, list, tuple)):
            schema["type"] = "object"
        if part.get("nullable") is True and "type" in schema:
            names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            schema["type"] = list(dict.fromkeys([*names, "null"]))

    def _words(self, part: Mapping[str, Any], schema: dict[str, Any]) -> None:
        for word in _TEXTS:
            if isinstance(part.get(word), str):
                schema[word] = part[word]
        for word in ("default", "const"):
            if word in part and _writable(part[word]):
                schema[word] = part[word]
        if isinstance(part.get("examples"), list) and _writable(part["examples"]):
            schema["examples"] = part["examples"]
        if isinstance(part.get("uniqueItems"), bool):
            schema["uniqueItems"] = part["uniqueItems"]
        _limits(part, schema)
        if isinstance(part.get("pattern"), str) and _compiles(part["pattern"]):
            schema["pattern"] = part["pattern"]
        reference = part.get("$ref")
        if isinstance(reference, str) and (found := _REFERENCE.match(reference)) and found[1] in self._definitions:
            schema["$ref"] = reference

    def _structure(self, part: Mapping[str, Any], schema: dict[str, Any], depth: int) -> None:
        if isinstance(part.get("properties"), (Mapping, list, tuple)):
            self._properties(part, schema, depth)
        elif required := _names(part.get("required")):
            schema["required"] = required
        if "items" in part:
            self._items(part["items"], schema, depth)
        if isinstance(part.get("prefixItems"), (list, tuple)) and part["prefixItems"]:
            schema["prefixItems"] = [self._schema(each, depth + 1) for each in part["prefixItems"]]
        for word in _PARTS:
            if isinstance(part.get(word), bool):
                schema[word] = part[word]
            elif isinstance(part.get(word), (Mapping, str)):
                schema[word] = self._schema(part[word], depth + 1)
        for word in _CHOICES:
            if isinstance(part.get(word), (list, tuple)) and part[word]:
                schema[word] = [self._schema(each, depth + 1) for each in part[word]]
        for word in ("$defs", "definitions", "patternProperties"):
            if isinstance(part.get(word), Mapping):
                schemas = {str(name): self._schema(each, depth + 1) for name, each in part[word].items()}
                schema[word] = {name: each for name, each in schemas.items() if word != "patternProperties" or _compiles(name)}

    def _items(self, items: Any, schema: dict[str, Any], depth: int) -> None:
        if isinstance(items, bool):
            schema["items"] = items
        elif isinstance(items, (list, tuple)) and items and all(isinstance(each, Mapping) for each in items):
            entries = [self._schema(each, depth + 1) for each in items]
            schema["items" if len(entries) == 1 else "prefixItems"] = entries[0] if len(entries) == 1 else entries
        elif isinstance(items, (Mapping, str)):
            schema["items"] = self._schema(items, depth + 1)

    def _properties(self, part: Mapping[str, Any], schema: dict[str, Any], depth: int) -> None:
        """Add the properties, and which of them are required: from the list beside them, or from each property."""
        listing = part["properties"]
        pairs: Iterable[tuple[Any, Any]] = listing.items() if isinstance(listing, Mapping) else _pairs(listing)
        properties: dict[str, Any] = {}
        required = dict.fromkeys(_names(part.get("required")))
        for key, each in pairs:
            name = str(key)
            properties[name] = self._schema(each, depth + 1)
            if isinstance(each, str) and not properties[name]:
                properties[name] = {"description": each}
            own = each if isinstance(each, Mapping) else {}
            if own.get("required") is True:
                required[name] = None
            elif own.get("optional") is True or own.get("required") is False:
                required.pop(name, None)
        schema["properties"] = properties
        if required:
            schema["required"] = list(required)

    def _values(self, part: Mapping[str, Any], schema: dict[str, Any]) -> None:
        """Add the allowed values. In a list they are the values of its entries. A type that forbids all of them is an error, and is dropped."""
        choices = part.get("enum", part.get("choices"))
        enum = _enum(list(choices) if isinstance(choices, Mapping) else choices) if isinstance(choices, (list, tuple, Mapping)) else None
        if not enum:
            return
        values = enum["enum"]
        if schema.get("type") == "array" and not any(isinstance(value, list) for value in values):
            entry = schema.get("items")
            schema["items"] = {**(entry if isinstance(entry, dict) else {}), "enum": values}
            schema = schema["items"]
        schema["enum"] = values
        if "type" in schema and not any(is_kind(value, schema["type"]) for value in values):
            del schema["type"]


# ---------------------------------------------------------------- small judgements


def _is_schema(part: Any) -> bool:
    """Whether this is a schema, and not a mapping of properties. A parameter may also have the name `type`."""
    if isinstance(part, str):
        return schema_of(part) is not None
    if not isinstance(part, Mapping):
        return False
    kind = part.get("type")
    if isinstance(kind, str) and schema_of(kind) is not None:
        return True
    keywords = [word for word, each in part.items() if word in _KEYWORDS and not (word in _TEXTS and isinstance(each, Mapping))]
    if not part or (keywords and len(keywords) == len(part)):
        return True
    return any(word in part for word in ("properties", "$defs", "definitions", "$ref", *_CHOICES)) or isinstance(part.get("required"), list)


def _pairs(items: Iterable[Any]) -> Iterable[tuple[str, Any]]:
    """The properties of `[{"name": "city", "type": "string"}]`, `[{"city": {…}}]` and `["city"]`."""
    for each in items:
        if isinstance(each, str):
            yield each, {}
        elif isinstance(each, Mapping) and isinstance(each.get("name"), str):
            inner = each.get("schema")
            yield (
                each["name"],
                {**(inner if isinstance(inner, Mapping) else {}), **{key: each[key] for key in each if key not in ("name", "schema")}},
            )
        elif isinstance(each, Mapping):
            yield from each.items()


def _names(names: Any) -> list[str]:
    return list(dict.fromkeys(each for each in names if isinstance(each, str))) if isinstance(names, (list, tuple)) else []


def _enum(values: Any) -> dict[str, Any] | None:
    distinct: dict[bytes, Any] = {}
    for value in values:
        if (encoded := _encode(value)) is not None:
            distinct.setdefault(encoded, value)
    return {"enum": list(distinct.values())} if distinct else None


def _limits(part: Mapping[str, Any], schema: dict[str, Any]) -> None:
    for word in _LIMITS:
        value = part.get(word)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            schema[word] = value
        elif value is True and word.startswith("exclusive"):  # as draft 4 wrote it
            plain = word.removeprefix("exclusive").lower()
            if is_kind(part.get(plain), "number"):
                schema[word] = part[plain]
    for word in _COUNTS:
        if is_kind(part.get(word), "integer") and part[word] >= 0:
            schema[word] = int(part[word])
    if is_kind(part.get("multipleOf"), "number") and 0 < part["multipleOf"] < math.inf:
        schema["multipleOf"] = part["multipleOf"]


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _writable(value: Any) -> bool:
    return _encode(value) is not None


def _encode(value: Any) -> bytes | None:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return None
