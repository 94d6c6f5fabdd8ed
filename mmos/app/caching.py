"""Surrounds the fleet with the cache of answers, if the configuration has one."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from mmos.app import wiring
from mmos.config.load import Config
from mmos.fleet.fleet import Fleet
from mmos.prompting.templates import Templates

if TYPE_CHECKING:
    from mmos.participant.caching import Cached

HARMLESS = (
    "consult_*", "synthesize_responses", "start_multi_model_conversation", "reinterpret_*", "reconsider_with_larger_model",
    "hand_over", "change_phase", "escalate_to_user",
)  # fmt: skip
"""Built-in tools that only ask models or the user. An answer without a call to them depends on nothing but the request."""


def around(config: Config, fleet: Fleet, folder: Path | None, *, rehearsed: bool) -> Cached | None:
    """The fleet with the cache. None: the configuration wants no cache, and nothing of it is imported."""
    keys = config.orchestration.cache
    if not (keys.exact or keys.semantic):
        return None
    from mmos.cache.kept import Terms
    from mmos.cache.shelf import Shelf
    from mmos.participant.caching import Cached, Likeness

    house = wiring.tools_of_house(config, wiring.roles_of(config, None), Templates())  # only their names count
    harmless = frozenset(tool.name for tool in house if any(fnmatchcase(tool.name, pattern) for pattern in HARMLESS))
    shelf = Shelf(folder, Terms(keys.keep, keys.max_mb << 20))
    likeness = Likeness(keys.embedding_model, keys.threshold, fleet.embed) if keys.semantic else None
    return Cached(fleet, shelf, fleet.digests, harmless, likeness, "rehearsed " if rehearsed else "")
