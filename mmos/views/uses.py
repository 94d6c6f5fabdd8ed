"""Counts what the roles and the tools of a run did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from mmos.messages import Usage


@dataclass
class RoleUse:
    """What one role did with one model on one host."""

    role: str
    model: str
    host: str
    calls: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    load_seconds: float = 0.0
    queue_seconds: float = 0.0
    busy_seconds: float = 0.0
    reused_tokens: int | None = None
    """Tokens of prompts that hosts had in their cache. None: no host says."""

    def add(self, usage: Usage) -> None:
        self.calls += 1
        self.prompt_tokens += usage.prompt_tokens
        self.output_tokens += usage.output_tokens
        self.load_seconds += usage.load_seconds
        self.queue_seconds += usage.queue_seconds
        self.busy_seconds += usage.prompt_seconds + usage.output_seconds
        if usage.cached_tokens is not None:
            self.reused_tokens = (self.reused_tokens or 0) + usage.cached_tokens


@dataclass
class ToolUse:
    name: str
    calls: int = 0
    failed: int = 0


def call_key(role: str, tool: str, arguments: Mapping[str, Any]) -> str:
    """The same text for the same call by the same role, in any order of its keys."""
    return f"{role} {tool} {orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS).decode()}"
