"""Defines the keys of `defaults`: what holds for each run that does not say otherwise."""

from __future__ import annotations

from pydantic import Field

from mmos.config.routing_schema import Strategy
from mmos.config.section import Section
from mmos.config.values import Portion


class Defaults(Section):
    strategy: Strategy | None = Field(
        default=None,
        description="Who answers a run that does not say it: single (the arbiter's model alone) or intelligent (whoever fits the task). "
        "Default: the arbiter, who consults the others as it likes.",
    )
    quality_threshold: Portion = Field(
        default=0.8,
        description="The score from 0 to 1 that an answer needs to pass its validation. --quality-threshold changes it for one run.",
    )
