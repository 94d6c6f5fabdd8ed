"""Makes what validates the answers of a run, from the configuration and the options of the run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from mmos.app.lifecycle import RunOptions, whole_answer
from mmos.catalog.known import KnownModel
from mmos.choice.classifier import classify
from mmos.config.load import Config
from mmos.judging.terms import Terms
from mmos.judging.validating import Judging
from mmos.prompting.templates import Templates


def judging_of(config: Config, options: RunOptions, known: Callable[[], Awaitable[Sequence[KnownModel]]], templates: Templates) -> Judging:
    keys, asked = config.orchestration.quality, options.quality_threshold
    return Judging(
        Terms(
            known, whole_answer, class_of, config.orchestration.defaults.quality_threshold if asked is None else asked, asked is None,
            keys.minimum_confidence, keys.cross_validation, keys.judge or "", config.roles(), templates,
        )
    )  # fmt: skip


def class_of(task: str) -> str:
    """The class of a task. Empty: not sure."""
    found = classify(task)
    return found.type if found.sure and found.type is not None else ""
