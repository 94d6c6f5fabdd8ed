"""Adds servers to the text of a configuration, and keeps all other bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml

from mmos.config.document import read_text
from mmos.config.init import flow
from mmos.config.writing import written
from mmos.errors import ConfigError, UsageError

Servers = Mapping[str, Mapping[str, str]]
"""The keys of each server by name, with values as YAML."""


def with_servers(text: str, servers: Servers, name: str) -> str:
    """The text of a valid configuration with more servers. Raises `UsageError` if its layout has no safe place for them."""
    try:
        result = _inserted(text, servers)
        fits = result is not None and read_text(result, name).data == _expected(read_text(text, name).data, servers)
    except (yaml.YAMLError, ConfigError):
        result, fits = None, False
    if result is None or not fits:
        lines = "\n".join(_section(servers, "  ", "  "))
        raise UsageError(f"MMOS found no safe place for new servers in {name}. Add these lines to the file yourself:", next_step=lines)
    return result


def _expected(data: Any, servers: Servers) -> Any:
    """The data that the changed text must have: the old data and the new servers."""
    orchestration = data["orchestration"]
    new = yaml.safe_load("\n".join(_section(servers, "", "  ")))["servers"]
    return {**data, "orchestration": {**orchestration, "servers": {**orchestration.get("servers", {}), **new}}}


def _inserted(text: str, servers: Servers) -> str | None:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    key, orchestration = entry(root, "orchestration")
    if key is None or not isinstance(orchestration, yaml.MappingNode) or not orchestration.value:
        return None
    _, known = entry(orchestration, "servers")
    if known is None:
        return _with_section(text, key, orchestration, servers)
    return _with_entries(text, known, servers) if isinstance(known, yaml.MappingNode) else None


def entry(mapping: Any, name: str) -> tuple[Any, Any]:
    entries = mapping.value if isinstance(mapping, yaml.MappingNode) else ()
    return next(((key, value) for key, value in entries if key.value == name), (None, None))


def _with_section(text: str, key: Any, orchestration: Any, servers: Servers) -> str:
    if orchestration.flow_style:
        at = orchestration.start_mark.index + 1
        return f"{text[:at]}servers: {flow(_flows(servers))}, {text[at:]}"
    indent = " " * orchestration.value[0][0].start_mark.column
    return after_line(text, end_of_line(text, key.end_mark.index), _section(servers, indent, "  "))


def _with_entries(text: str, known: Any, servers: Servers) -> str:
    if known.flow_style:
        at = known.value[-1][1].end_mark.index if known.value else known.start_mark.index + 1
        entries = flow(_flows(servers))[1:-1]
        return f"{text[:at]}{', ' if known.value else ''}{entries}{text[at:]}"
    (first, _), (_, last) = known.value[0], known.value[-1]
    column = first.start_mark.column
    lines = _flow_lines(servers, " " * column) if last.flow_style else _block_lines(servers, " " * column, "  ")
    return after_line(text, end_of_block(text, known.end_mark, column), lines)


def end_of_block(text: str, mark: Any, column: int) -> int:
    """Where the last line of a block ends. Comments indented like its entries belong to it; blank lines and other comments do not."""
    at = len(text) if mark.index == len(text) else mark.index - mark.column
    while True:
        start = text.rfind("\n", 0, at - 1) + 1
        line = text[start:at].rstrip("\r\n")
        note = line.lstrip()
        if note and not (note.startswith("#") and len(line) - len(note) < column):
            return start + len(line)
        at = start


def end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end - (text[end - 1] == "\r")


def after_line(text: str, at: int, lines: Iterable[str]) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    return text[:at] + "".join(newline + line for line in lines) + text[at:]


# ---------------------------------------------------------------- the new lines


def _section(servers: Servers, indent: str, step: str) -> list[str]:
    return [f"{indent}servers:", *_block_lines(servers, indent + step, step)]


def _block_lines(servers: Servers, indent: str, step: str) -> Iterator[str]:
    for name, keys in servers.items():
        yield f"{indent}{written(name)}:"
        yield from (f"{indent}{step}{key}: {value}" for key, value in keys.items())


def _flow_lines(servers: Servers, indent: str) -> Iterator[str]:
    yield from (f"{indent}{name}: {keys}" for name, keys in _flows(servers).items())


def _flows(servers: Servers) -> dict[str, str]:
    return {written(name): flow(keys) for name, keys in servers.items()}
