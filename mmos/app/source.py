"""Defines what routing needs of an app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mmos.app.lifecycle import RunOptions
from mmos.config.load import Config
from mmos.fleet.fleet import Fleet
from mmos.journal import Journal
from mmos.participant.cast import Cast
from mmos.prompting.templates import Templates

if TYPE_CHECKING:  # not needed before a task is routed
    from mmos.catalog.known import KnownModel
    from mmos.choice.classifier import Classification


class Source(Protocol):
    config: Config
    fleet: Fleet
    rehearsed: bool
    templates: Templates

    @property
    def journal(self) -> Journal: ...
    def cast(self, options: RunOptions) -> Cast: ...
    async def models(self) -> tuple[KnownModel, ...]: ...
    def classify(self, task: str) -> Classification: ...
