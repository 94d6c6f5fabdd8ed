"""Defines the keys of `selection`: how the strategy intelligent chooses among roles and models."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from mmos.config.section import Section
from mmos.config.values import Flag, Weight, one_of

Choosing = Literal["rules", "score", "learning"]


class Weights(Section):
    quality: Weight = Field(default=1.0, description="How much it counts that a model is good at such tasks.")
    speed: Weight = Field(default=1.0, description="How much it counts that the answer comes soon.")
    fit: Weight = Field(default=1.0, description="How much it counts that the task leaves room in the window of the model.")
    cost: Weight = Field(default=0.5, description="How much the seconds count for which a GPU works on the answer.")


class Selection(Section):
    strategy: Annotated[Choosing, one_of(*get_args(Choosing))] = Field(
        default="rules",
        description="How the strategy intelligent chooses: rules (a built-in table of capabilities), score (by the weights) "
        "or learning (by how earlier runs ended).",
    )
    weights: Weights = Field(default_factory=Weights, description="What counts for score, and for learning as long as it knows little.")
    larger: Flag = Field(
        default=False,
        description="Whether the arbiter may have a role reconsidered by any larger model that its hosts have. "
        "If false, only by models that the configuration names.",
    )
