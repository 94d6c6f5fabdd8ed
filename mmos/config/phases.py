"""Defines the phases of a run: which may follow which, and which tools models may call in each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # commands that only complete a name read the file without the schema
    from mmos.config.phase_schema import Phase

INITIAL = "initial"
"""The key beside the phases that names the first one."""

DONE = "done"
"""The last phase. It has no tools and no keys: the model answers."""

CHANGE_PHASE = "change_phase"
"""The tool with which a model changes the phase. Every phase but the last one has it."""


@dataclass(frozen=True)
class Phases:
    """The phases that a run may be in. It is false when there are none."""

    initial: str = ""
    phases: Mapping[str, Phase] = field(default_factory=dict)
    limited: Collection[str] | None = None
    """The names of the tools that a phase can limit. None: all. Functions that a tool gives a participant of its own are none of them."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """The word that names a tool together with others, such as `files`, by the name of the tool."""

    @classmethod
    def of(cls, entries: Mapping[str, Phase | str]) -> Phases:
        """Without `initial`, the first phase of the file is the first one of a run."""
        phases = {name: entry for name, entry in entries.items() if not isinstance(entry, str)}
        return cls(str(entries.get(INITIAL, next(iter(phases), ""))), phases)

    def __bool__(self) -> bool:
        return bool(self.phases)

    def __contains__(self, phase: object) -> bool:
        return phase in self.phases or (bool(self.phases) and phase == DONE)

    @property
    def names(self) -> tuple[str, ...]:
        """All phases that a run can reach with the tool, and the first one."""
        ends = any(DONE in phase.next for phase in self.phases.values())
        return (*self.phases, *((DONE,) if ends else ()))

    def after(self, phase: str) -> tuple[str, ...]:
        """The phases that may follow this one."""
        return tuple(self.phases[phase].next) if phase in self.phases else ()

    def instructions(self, phase: str) -> str:
        return (self.phases[phase].instructions or "") if phase in self.phases else ""

    def permits(self, phase: str, tool: str) -> bool:
        """Whether a tool may be called in a phase. A phase that is not configured limits nothing."""
        if phase not in self or (self.limited is not None and tool not in self.limited):
            return True
        if phase == DONE:
            return False
        tools = self.phases[phase].tools
        allowed = tools.allow is None or self._matches(tool, tools.allow)
        return tool == CHANGE_PHASE or (allowed and not self._matches(tool, tools.deny))

    def _matches(self, tool: str, patterns: Collection[str]) -> bool:
        return any(fnmatchcase(tool, pattern) or pattern == self.groups.get(tool) for pattern in patterns)
