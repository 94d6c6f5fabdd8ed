"""Defines the keys of `conversation`: how models work together."""

from __future__ import annotations

from pydantic import Field

from mmos.config.section import Section
from mmos.config.values import Flag, Positive


class Conversation(Section):
    max_models_per_conversation: Positive = Field(default=3, description="How many models may talk with each other at once.")
    include_full_history: Flag = Field(
        default=False, description="Whether a consulted specialist gets the whole conversation in addition to its task."
    )
    allow_model_to_model: Flag = Field(
        default=True, description="Whether specialists may write to each other. If false, only the arbiter asks them."
    )
    arbiter_reviews_all: Flag = Field(
        default=True, description="Whether the arbiter reads every message between models before it is passed on."
    )
    max_turns: Positive = Field(default=12, description="How many messages the participants of one conversation may write.")
    max_rounds: Positive = Field(default=1, description="How many rounds of critique may follow the first answers.")
