"""Writes values as YAML that every YAML reader understands the same way."""

from __future__ import annotations

import re
from typing import Any

_WORD = re.compile(r"[a-z][a-z0-9_-]*")
_NOT_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def written(value: Any) -> str:
    """One value on one line: `8192`, `coding`, `"qwen2.5:14b"`, `[0, 1]`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else format(value, "f").rstrip("0")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(written(entry) for entry in value)}]"
    return value if _WORD.fullmatch(value) and value not in _NOT_WORDS else quoted(value)


def quoted(text: str) -> str:
    return f'"{"".join(map(_escape, text))}"'


def _escape(sign: str) -> str:
    if sign in _ESCAPES:
        return _ESCAPES[sign]
    if sign.isprintable():
        return sign
    return f"\\u{ord(sign):04x}" if ord(sign) < 0x10000 else f"\\U{ord(sign):08x}"
