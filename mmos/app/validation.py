"""Makes what validates the answers of a run, from the configuration and the options of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mmos.app.lifecycle import RunOptions, whole_answer
from mmos.catalog.known import KnownModel
from mmos.choice.classifier import Classification
from mmos.config.load import Config
from mmos.judging.terms import Terms
from mmos.judging.validating import Judging
from mmos.prompting.templates import Templates


class Source(Protocol):
    """What a validation needs of an app."""

    config: Config
    templates: Templates

    async def models(self) -> Sequence[KnownModel]: ...
    def classify(self, task: str) -> Classification: ...


def judging_of(source: Source, options: RunOptions) -> Judging:
    keys, asked = source.config.orchestration.quality, options.quality_threshold
    configured = source.config.orchestration.defaults.quality_threshold

    def class_of(task: str) -> str:
        found = source.classify(task)
        return found.type if found.sure and found.type is not None else ""

    return Judging(
        Terms(
            source.models, whole_answer, class_of, configured if asked is None else asked, asked is None,
            keys.minimum_confidence, keys.cross_validation, keys.judge or "", source.config.roles(), source.templates,
        )
    )  # fmt: skip
