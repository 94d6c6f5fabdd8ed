"""Counts what the roles and the tools of a run did."""

from __future__ import annotations

from dataclasses import dataclass

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

    def add(self, usage: Usage) -> None:
        self.calls += 1
        self.prompt_tokens += usage.prompt_tokens
        self.output_tokens += usage.output_tokens
        self.load_seconds += usage.load_seconds
        self.queue_seconds += usage.queue_seconds
        self.busy_seconds += usage.prompt_seconds + usage.output_seconds


@dataclass
class ToolUse:
    name: str
    calls: int = 0
    failed: int = 0
