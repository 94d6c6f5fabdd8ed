"""Defines the keys of `defaults`: what holds for each run that does not say otherwise."""

from __future__ import annotations

from pydantic import Field

from mmos.config.patterns_schema import PatternName, StrategyName
from mmos.config.section import Section
from mmos.config.values import Portion


class Defaults(Section):
    strategy: StrategyName | None = Field(
        default=None,
        description="Who answers a run that does not say it: single (the arbiter's model alone), intelligent (whoever fits the task) or the name of a pattern. "
        "Default: as pattern says.",
    )
    pattern: PatternName | None = Field(
        default=None,
        description="The pattern that answers a run that does not say who does, also if the strategy intelligent finds nobody. "
        "Default: the arbiter, who consults the others as it likes.",
    )
    quality_threshold: Portion = Field(
        default=0.8,
        description="The score from 0 to 1 that an answer needs to pass its validation. --quality-threshold changes it for one run.",
    )
