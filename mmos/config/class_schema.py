"""Defines the keys of a class of tasks that a configuration adds to those of MMOS."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mmos.config.section import Section
from mmos.config.values import Complexity, Text

MOST_EXAMPLES = 50


class TaskClass(Section):
    """A class of tasks beside those of MMOS."""

    examples: Annotated[list[Text], Field(min_length=1, max_length=MOST_EXAMPLES)] = Field(
        description="Tasks of this class as users write them, 3 to 50. Different ones teach more than similar ones."
    )
    description: Text | None = Field(default=None, description="What a task of this class is about. MMOS reads it as one more example.")
    base_complexity: Complexity | None = Field(
        default=None, description="How hard a usual task of this class is, from 1 to 10. Its length and its words add to it. Default: 3."
    )
