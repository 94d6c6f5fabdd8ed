"""Makes the JSON Schema of `orchestration.yaml`, for editors."""

from __future__ import annotations

import json
from typing import Any

from mmos.config.schema import File

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^{}]*)?\}"}
_DURATION = {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"}
_SIZE = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?([GM](i?[Bb])?)$"}
_NOT_TEXT = ("integer", "number", "boolean")


def json_schema() -> dict[str, Any]:
    """Strict, with a description of every key. Numbers and booleans may also be `${NAME}`."""
    schema = _adapted(File.model_json_schema())
    return {"$schema": DIALECT, "title": "orchestration.yaml", **{key: part for key, part in schema.items() if key != "title"}}


def json_schema_text() -> str:
    """The text of `orchestration.schema.json`, which `mmos config schema` prints."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def _adapted(part: Any) -> Any:
    if isinstance(part, list):
        return [_adapted(entry) for entry in part]
    if not isinstance(part, dict):
        return part
    # Pydantic's titles only repeat the names. A property named `title` would be a mapping.
    part = {key: _adapted(entry) for key, entry in part.items() if not (key == "title" and isinstance(entry, str))}
    if "patternProperties" in part:
        part["additionalProperties"] = False
    if "enum" in part:
        return _either(part, [])
    if part.get("type") in _NOT_TEXT:
        forms = [_DURATION] if part.pop("durations", False) else []
        return _either(part, [*forms, _SIZE] if part.pop("sizes", False) else forms)
    if "default" in part and part["default"] in (None, "", [], {}):
        del part["default"]
    return part


def _either(part: dict[str, Any], forms: list[dict[str, Any]]) -> dict[str, Any]:
    around: dict[str, Any] = {key: part.pop(key) for key in ("description", "default") if key in part}
    return {"anyOf": [part, *forms, _REFERENCE], **around}
