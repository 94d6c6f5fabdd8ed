"""Defines the keys of `cache`: whether MMOS keeps the answers of models, and for how long."""

from __future__ import annotations

from pydantic import Field

from mmos.config.section import Section
from mmos.config.values import Flag, ModelName, Portion, Positive, Seconds


class Cache(Section):
    exact: Flag = Field(default=False, description="Whether the same request to the same model gets the answer of the time before.")
    semantic: Flag = Field(
        default=False,
        description="Whether a request in other words gets it, too: only if the words differ in nothing but fillers, and embedding_model finds them alike. It includes exact.",
    )
    threshold: Portion = Field(
        default=0.97, description="How alike the two texts must be for semantic: the cosine of their vectors, from 0 to 1."
    )
    keep: Seconds = Field(default=86_400.0, description='How long an answer is kept, in seconds or like "24h".')
    max_mb: Positive = Field(
        default=256, description="The largest size of the file, in megabytes. The answers that were not used for the longest time go first."
    )
    embedding_model: ModelName = Field(default="nomic-embed-text", description="The embedding model for semantic.")
