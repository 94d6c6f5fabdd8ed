"""Sets one value in the text of a configuration, and keeps all other bytes."""

from __future__ import annotations

from typing import Any

import yaml

from mmos.config.document import read_text
from mmos.config.inserting import after_line, end_of_block, end_of_line, entry
from mmos.config.writing import written
from mmos.errors import ConfigError, UsageError

Keys = tuple[str, ...]


def with_value(text: str, keys: Keys, value: str | None, name: str) -> str:
    """The text with this value at these keys. Raises `UsageError` if its layout has no safe place for it. `name`: of the file."""
    try:
        result = _changed(text, keys, value)
        fits = result is not None and read_text(result, name).data == _expected(read_text(text, name).data, keys, value)
    except (yaml.YAMLError, ConfigError):
        result, fits = None, False
    if result is None or not fits:
        lines = "\n".join(_block(keys, value, ""))
        raise UsageError(f"MMOS found no safe place for this value in {name}. Write it yourself:", next_step=lines)
    return result


def _expected(data: Any, keys: Keys, value: str | None) -> Any:
    if not keys:
        return value
    around = data if isinstance(data, dict) else {}
    return {**around, keys[0]: _expected(around.get(keys[0]), keys[1:], value)}


def _changed(text: str, keys: Keys, value: str | None) -> str | None:
    node, key = yaml.compose(text, Loader=yaml.SafeLoader), None
    for depth, name in enumerate(keys):
        if not isinstance(node, yaml.MappingNode) or not node.value:
            return _into_empty(text, key, node, keys[depth:], value)
        found, below = entry(node, name)
        if found is None:
            return _with_entry(text, node, keys[depth:], value)
        key, node = found, below
    return _replaced(text, key, node, value)


def _replaced(text: str, key: Any, node: Any, value: str | None) -> str | None:
    if not isinstance(node, yaml.ScalarNode):
        return None
    start, end = node.start_mark.index, node.end_mark.index
    if start == end:  # the key stands alone
        start = end = text.index(":", key.end_mark.index) + 1
        return f"{text[:start]} {written(value)}{text[end:]}"
    return f"{text[:start]}{written(value)}{text[end:]}"


def _into_empty(text: str, key: Any, node: Any, keys: Keys, value: str | None) -> str | None:
    """A section that has no keys: `defaults:` or `defaults: {}`."""
    if key is None:
        return None
    if isinstance(node, yaml.MappingNode):
        return f"{text[: node.start_mark.index]}{_flow(keys, value)}{text[node.end_mark.index :]}"
    if isinstance(node, yaml.ScalarNode) and not node.value:
        indent = " " * (key.start_mark.column + 2)
        return after_line(text, end_of_line(text, key.end_mark.index), _block(keys, value, indent))
    return None


def _with_entry(text: str, mapping: Any, keys: Keys, value: str | None) -> str:
    """A new key at the end of a mapping."""
    if mapping.flow_style:
        at = mapping.value[-1][1].end_mark.index
        return f"{text[:at]}, {_flow(keys, value)[1:-1]}{text[at:]}"
    column = mapping.value[0][0].start_mark.column
    return after_line(text, end_of_block(text, mapping.end_mark, column), _block(keys, value, " " * column))


def _flow(keys: Keys, value: str | None) -> str:
    inner = written(value) if len(keys) == 1 else _flow(keys[1:], value)
    return f"{{{written(keys[0])}: {inner}}}"


def _block(keys: Keys, value: str | None, indent: str) -> list[str]:
    if len(keys) == 1:
        return [f"{indent}{written(keys[0])}: {written(value)}"]
    return [f"{indent}{written(keys[0])}:", *_block(keys[1:], value, indent + "  ")]
