"""Says what a role remembers when it is consulted, and what it is told of the conversation before its task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mmos.context import Context
from mmos.prompting.templates import Templates

SHARE = 0.4
"""The most of a window that is told of the conversation."""
USUAL_WINDOW = 4096


@dataclass(frozen=True)
class Remembering:
    """What the configuration says about the memory of the roles that are consulted."""

    memories: Mapping[str, str] = field(default_factory=dict)
    """thread, none or fork, by role."""
    full_history: bool = False
    windows: Mapping[str, int] = field(default_factory=dict)

    def memory(self, context: Context, role: str, usual: str = "thread") -> str:
        """The memory of the lane in which the role answers. `usual`: of a role that remembers the thread."""
        memory = self.memories.get(role, "thread")
        return f"lane:{context.scope.lane}" if memory == "fork" else usual if memory == "thread" else memory

    def told(self, context: Context, role: str, templates: Templates, memory: str) -> str:
        """What the role is told before its task. Empty: nothing was said yet, or it remembers everything."""
        if not self.full_history:
            return ""
        is_fork = memory.startswith("lane:")
        if is_fork and not context.scope.depth:  # the asking role has all of the conversation
            return ""
        from mmos.retelling import history_for  # few configurations want it

        tokens = SHARE * self.windows.get(role, USUAL_WINDOW)
        return history_for(context.scope, templates, tokens=tokens, reader=role if memory == "thread" else "", own=not is_fork)
