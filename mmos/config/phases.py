"""Defines the phases of a run: which may follow which, and which tools models may call in each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

from mmos.config.section import Section
from mmos.config.values import PhaseName, Text

INITIAL = "initial"
"""The key beside the phases that names the first one."""

DONE = "done"
"""The last phase. It has no tools and no keys: the model answers."""

CHANGE_PHASE = "change_phase"
"""The tool with which a model changes the phase. Every phase but the last one has it."""


class PhaseTools(Section):
    """Which of its tools a role may call in a phase."""

    allow: list[Text] | None = Field(default=None, description="Names of the tools that may be called in this phase. Default: all.")
    deny: list[Text] = Field(default=[], description="Names of tools that may not be called in this phase.")


def _read_tools(value: Any) -> Any:
    return {"allow": value} if isinstance(value, list) else value


class Phase(Section):
    """A part of the work of a run."""

    next: list[PhaseName] = Field(default=[], description="The phases that may follow. 'done' means that the answer comes next.")
    instructions: Text | None = Field(default=None, description="What the model that answers the user reads in each turn of this phase.")
    tools: Annotated[PhaseTools, BeforeValidator(_read_tools, json_schema_input_type=PhaseTools | list[Text])] = Field(
        default_factory=PhaseTools,
        description="Which tools models may call in this phase: allow and deny, or a plain list that means allow. It gives a role no tool that its own `tools` denies.",
    )


PhaseEntry = Annotated[
    Annotated[Phase, Tag("[one]")] | Annotated[PhaseName, Tag("[many]")],
    Discriminator(lambda value: "[many]" if isinstance(value, str) else "[one]"),
]
"""A phase; or, for the key `initial`, the name of one. The tags keep the problems of the two forms apart."""


@dataclass(frozen=True)
class Phases:
    """The phases that a run may be in. It is false when there are none."""

    initial: str = ""
    phases: Mapping[str, Phase] = field(default_factory=dict)
    limited: Collection[str] | None = None
    """The names of the tools that a phase can limit. None: all. Functions that a tool gives a participant of its own are none of them."""

    @classmethod
    def of(cls, entries: Mapping[str, Phase | str]) -> Phases:
        """Without `initial`, the first phase of the file is the first one of a run."""
        phases = {name: entry for name, entry in entries.items() if isinstance(entry, Phase)}
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
        allowed = tools.allow is None or any(fnmatchcase(tool, pattern) for pattern in tools.allow)
        return tool == CHANGE_PHASE or (allowed and not any(fnmatchcase(tool, pattern) for pattern in tools.deny))
