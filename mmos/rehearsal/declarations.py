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
    told: dict[str, Any] = {"name": str(function.get("name", ""))}
    if function.get("description") or rules.tools_in_full:
        told["description"] = str(function.get("description") or "")
    return {"type": str(tool.get("type", "")), "function": {**told, "parameters": _parameters(function.get("parameters") or {}, rules)}}


def _parameters(told: Mapping[str, Any], rules: Profile) -> dict[str, Any]:
    kept: dict[str, Any] = {"type": told.get("type", "")}
    kept |= {name: in_order(told[name]) for name in ("$defs", "items") if told.get(name) is not None}
    if told.get("required"):
        kept["required"] = told["required"]
    properties = told.get("properties")
    kept["properties"] = None if properties is None else {name: _property(properties[name], rules) for name in sorted(properties)}
    return kept


def _property(told: Mapping[str, Any], rules: Profile) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name in PROPERTY:
        value = told.get(name)
        if not value or (name == "required" and not rules.tools_in_full):
            continue
        if name == "anyOf":
            kept[name] = [_property(one, rules) for one in value]
        elif name == "properties":
            kept[name] = {key: _property(value[key], rules) for key in (value if rules.tools_in_full else sorted(value))}
        else:
            kept[name] = in_order(value)
    return kept


def as_struct(tool: Mapping[str, Any]) -> str:
    """A function as Go prints a struct. A template writes this for `{{ .Function }}` when the struct has no text form."""
    function = tool["function"]
    told = function["parameters"]
    required = " ".join(map(str, told.get("required") or ()))
    parts = (told["type"], go_text(told.get("$defs")), go_text(told.get("items")), f"[{required}]", compact(told["properties"] or {}))
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
