"""Defines the keys of `quality`: when answers are validated, and by whom."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from mmos.config.section import Section
from mmos.config.values import Flag, ModelName, Portion, Text, one_of

Validation = Literal["on_request", "always", "never"]


class Quality(Section):
    validation: Annotated[Validation, one_of(*get_args(Validation))] = Field(
        default="on_request",
        description="When a model judges the answer of a run: on_request (with --validate), always, or never (--validate is then an error).",
    )
    minimum_confidence: Portion = Field(
        default=0.8, description="How sure a verdict must be, from 0 to 1. A verdict that is less sure becomes cannot_verify."
    )
    cross_validation: Flag = Field(default=False, description="Whether a second model of another family judges the answer, too.")
    judge: ModelName | None = Field(
        default=None,
        description="Who judges: a role or a model. Default: MMOS chooses a model of another family than the one that answered, if there is one.",
    )
    command: list[Text] = Field(
        default=[],
        description="The test command of the project, a list of words without a shell. `mmos modify --validate` runs it on the new files, and puts the old "
        "ones back if it fails.",
    )
