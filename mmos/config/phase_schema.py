"""Defines the keys of a phase, and which values the key `phases` holds."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Discriminator, Field, Tag

from mmos.config.section import Section
from mmos.config.values import PhaseName, Text


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
