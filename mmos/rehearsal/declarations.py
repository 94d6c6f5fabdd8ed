"""Writes offered tools into a prompt as a server does: as JSON, or as Go prints a struct."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mmos.rehearsal.profiles import Profile
from mmos.rehearsal.writers import encode

Tool = Mapping[str, Any]
PROPERTY = ("anyOf", "type", "items", "description", "enum", "properties", "required")
"""The keys of a property that the server keeps, in this order. It drops all others when it reads a request."""


def compact(value: Any) -> str:
    """JSON as Go writes it."""
    return encode(value).decode()


def spaced(value: Any) -> str:
    """JSON as a template of the engine writes it."""
    return json.dumps(value, ensure_ascii=False)


def in_order(value: Any) -> Any:
    """A value that the server keeps as a map. Keys come back sorted, and numbers without a fraction come back whole."""
    if isinstance(value, Mapping):
        return {key: in_order(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [in_order(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def decoded(tool: Tool, rules: Profile) -> dict[str, Any]:
    """A tool as the server has it after it read the request."""
    function = tool.get("function") or {}
    fields: dict[str, Any] = {"name": str(function.get("name", ""))}
    if function.get("description") or rules.tools_in_full:
        fields["description"] = str(function.get("description") or "")
    return {"type": str(tool.get("type", "")), "function": {**fields, "parameters": _parameters(function.get("parameters") or {}, rules)}}


def _parameters(schema: Mapping[str, Any], rules: Profile) -> dict[str, Any]:
    result: dict[str, Any] = {"type": schema.get("type", "")}
    result |= {name: in_order(schema[name]) for name in ("$defs", "items") if schema.get(name) is not None}
    if schema.get("required"):
        result["required"] = schema["required"]
    properties = schema.get("properties")
    result["properties"] = None if properties is None else {name: _property(properties[name], rules) for name in sorted(properties)}
    return result


def _property(schema: Mapping[str, Any], rules: Profile) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name in PROPERTY:
        value = schema.get(name)
        if not value or (name == "required" and not rules.tools_in_full):
            continue
        if name == "anyOf":
            result[name] = [_property(one, rules) for one in value]
        elif name == "properties":
            result[name] = {key: _property(value[key], rules) for key in (value if rules.tools_in_full else sorted(value))}
        else:
            result[name] = in_order(value)
    return result


def as_struct(tool: Mapping[str, Any]) -> str:
    """A function as Go prints a struct. A template writes this for `{{ .Function }}` when the struct has no text form."""
    function = tool["function"]
    schema = function["parameters"]
    required = " ".join(map(str, schema.get("required") or ()))
    inner = map(go_text, (schema.get("$defs"), schema.get("items")))
    parts = (schema["type"], *inner, f"[{required}]", compact(schema["properties"] or {}))
    return f"{{{function['name']} {function.get('description', '')} {{{' '.join(parts)}}}}}"


def go_text(value: Any) -> str:
    """A value as Go prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{go_text(part)}' for key, part in value.items())}]"
    if isinstance(value, list):
        return f"[{' '.join(map(go_text, value))}]"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
