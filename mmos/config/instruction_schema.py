"""Defines the keys of a role that say how it works; they become parts of its system text."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mmos.config.section import Section
from mmos.config.values import Text, one_of

Detail = Literal["auto", "simple", "detailed"]


class Instructions(Section):
    expertise: Text | None = Field(
        default=None,
        description="The level at which the role works: junior, senior or expert, or other words, like 'ten years of C++'. Default: the prompt says nothing of it.",
    )
    detail: Annotated[Detail, one_of("auto", "simple", "detailed")] | None = Field(
        default=None,
        description="Whether the role is told to work simply or thoroughly: simple, detailed, or auto (by the size in the name of its first model; simple up to 4 billion parameters). "
        "Default: the prompt says nothing of it.",
    )
    constraints: list[Text] = Field(
        default=[], description="What the role must not break, one sentence each; in addition to the constraints for all roles."
    )
