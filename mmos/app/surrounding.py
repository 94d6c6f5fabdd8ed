"""Says what surrounds the exchanges of a run, beside what always does. Few runs need any of it, so it is imported when one does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mmos.app import wiring
from mmos.app.lifecycle import RunOptions
from mmos.app.source import Source
from mmos.participant.loop import Exchange
from mmos.participant.surroundings import Around

if TYPE_CHECKING:
    from mmos.app.library import Shelves
    from mmos.config.library_schema import PatternRag
    from mmos.config.load import Config
    from mmos.fleet.fleet import Fleet
    from mmos.patterns.plan import LookUp
    from mmos.prompting.templates import Templates


class Shelved(Protocol):
    """What has a library: an `App`."""

    config: Config
    fleet: Fleet
    templates: Templates

    @property
    def shelves(self) -> Shelves: ...
    def look_up_for(self, name: str, keys: PatternRag) -> LookUp: ...


def judging_for(source: Source, options: RunOptions) -> Around[Exchange] | None:
    """What validates the answer. None: nobody wants that."""
    if not wiring.is_validated(source.config, options.wants_validation):
        return None
    from mmos.app.validation import judging_of

    return judging_of(source, options)


def looking_up_for(app: Shelved, options: RunOptions) -> Around[Exchange] | None:
    """What looks the task up in the library. None: nobody wants that."""
    if not (options.rag or (options.rag is None and (options.rag_collection or options.rag_top_k))):
        return None
    from mmos.app.library import LookingUp
    from mmos.app.pattern_library import terms_of_run
    from mmos.app.pattern_runs import rag_of

    shelves, config = app.shelves, app.config
    keys = rag_of(options, config, app.templates) if options.pattern or config.orchestration.patterns else None
    terms = terms_of_run(shelves, keys, options.rag_collection, options.rag_top_k)
    shelves.check(terms)
    return LookingUp(shelves, terms)


def standing_for(app: Shelved, options: RunOptions) -> Around[Exchange] | None:
    """What carries out patterns in place of models. None: no model is a pattern."""
    config = app.config
    if not (options.pattern or config.orchestration.patterns):
        return None
    from mmos.app.insight import FleetInsight
    from mmos.app.pattern_runs import standing_of

    return standing_of(options, config, app.templates, FleetInsight(app.fleet), app.look_up_for)
