"""Says what surrounds the exchanges of a run, beside what always does. Few runs need any of it, so it is imported when one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmos.app import wiring
from mmos.app.lifecycle import RunOptions
from mmos.app.source import Source
from mmos.config.load import Config
from mmos.participant.loop import Exchange
from mmos.participant.surroundings import Around
from mmos.prompting.templates import Templates

if TYPE_CHECKING:
    from mmos.fleet.fleet import Fleet


def judging_for(source: Source, options: RunOptions) -> Around[Exchange] | None:
    """What validates the answer. None: nobody wants that."""
    if not wiring.is_validated(source.config, options.wants_validation):
        return None
    from mmos.app.validation import judging_of

    return judging_of(source, options)


def standing_for(fleet: Fleet, options: RunOptions, config: Config, templates: Templates) -> Around[Exchange] | None:
    """What carries out patterns in place of models. None: no model is a pattern."""
    if not (options.pattern or config.orchestration.patterns):
        return None
    from mmos.app.insight import FleetInsight
    from mmos.app.pattern_runs import standing_of

    return standing_of(options, config, templates, FleetInsight(fleet))
