"""Writes the `orchestration.yaml` that does the same as a file of another tool, with comments on what changed and what has no equivalent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmos.config.document import Document
from mmos.config.wording import Place, shown
from mmos.config.writing import written

ORDER = ("servers", "models", "arbiter", "patterns", "routing", "selection", "quality", "gpu", "defaults")
"""The sections in the order in which people read them."""
LONGEST_LINE = 130
_CAMUS = {
    "servers": "The addresses of the backends. Several backends at one address are one server.",
    "models": "The backends. Patterns and rules name them by these keys.",
    "patterns": "The pipelines. A list of backends is a pattern of the shape sequential.",
    "routing": "The rules of intelligent_selection. They act in a run with the strategy intelligent.",
    "quality": "When a model judges the answers.",
    "defaults": "defaults.pipeline is defaults.pattern.",
}
_OPENCODE = {
    "servers": "The providers with an address.",
    "patterns": "multi_model_patterns: aggregation_strategy is aggregate, voting_strategy is voting.",
}
CHANGES: Mapping[str, Mapping[str, str]] = {"Camus": _CAMUS, "OpenCode": _OPENCODE}
"""What changed, by tool and by section."""


def migrated(document: Document) -> str:
    """The text in our keys. It loads as the same configuration."""
    sections = document.data["orchestration"]
    lines = [
        f"# Written by `mmos config migrate` from {shown(document.name, 200)}, a file of {document.tool}. It does the same.",
        "orchestration:",
    ]
    for name in sorted(sections, key=ORDER.index):
        if note := CHANGES[document.tool].get(name):
            lines.append(f"  # {note}")
        lines += _entry(document, name, sections[name], ("orchestration", name))
    lines += [*_without_equivalent(document)]
    return "\n".join(lines) + "\n"


def _without_equivalent(document: Document) -> Iterator[str]:
    if document.notes:
        yield ""
        yield "# What has no equivalent, or needs your eyes:"
        yield from (f"# - {problem.key}: {' '.join(problem.message.split())}" for problem in document.notes)


def _entry(document: Document, key: str, value: Any, place: Place, indent: str = "  ") -> Iterator[str]:
    """One key with its value, and the comment above it."""
    if note := document.comments.get(place):
        yield f"{indent}# {note}"
    line = f"{indent}{written(key)}: {_flow(value)}"
    if not _has_comments(document, place) and (not isinstance(value, dict | list) or _is_short(value, line)):
        yield line
        return
    yield f"{indent}{written(key)}:"
    if isinstance(value, dict):
        yield from (line for name, part in value.items() for line in _entry(document, name, part, (*place, name), indent + "  "))
        return
    for index, part in enumerate(value):
        yield from _item(document, part, (*place, index), indent + "  ")


def _item(document: Document, value: Any, place: Place, indent: str) -> Iterator[str]:
    """An element of a list: on one line if it fits, else its first line begins with the dash."""
    line = f"{indent}- {_flow(value)}"
    if not isinstance(value, dict) or _is_short(value, line):
        yield line
        return
    lines = [line for name, part in value.items() for line in _entry(document, name, part, (*place, name), indent + "  ")]
    yield f"{indent}- {lines[0].lstrip()}"
    yield from lines[1:]


def _has_comments(document: Document, place: Place) -> bool:
    return any(len(at) > len(place) and at[: len(place)] == place for at in document.comments)


def _is_short(value: Any, line: str) -> bool:
    """Whether a mapping or a list reads well on one line."""
    parts = value.values() if isinstance(value, dict) else value
    return len(line) <= LONGEST_LINE and not any(isinstance(part, dict) for part in parts) and not any(map(_holds_mappings, parts))


def _holds_mappings(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(part, dict) for part in value)


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{written(key)}: {_flow(part)}' for key, part in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return written(value)
