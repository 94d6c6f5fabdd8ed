"""Says which runs a list shows."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from mmos.events import Event, ModelAsked, ModelReplied
from mmos.names import canonical
from mmos.views.listing import RunRow


@dataclass(frozen=True)
class RunFilter:
    """Which runs to list: those that have all of these."""

    thread: str | None = None
    statuses: Collection[str] = ()
    since: float = 0.0
    until: float = math.inf
    """When the run started, in seconds since 1970."""
    words: str = ""
    """Words that the task or the answer has, in any order."""
    rated: str = ""
    """`good` or `bad`."""

    def fits(self, row: RunRow) -> bool:
        return (
            self.thread in (None, row.thread)
            and (not self.statuses or row.status in self.statuses)
            and self.since <= row.started <= self.until
            and (not self.rated or (row.rating is not None and row.rating.good is (self.rated == "good")))
            and (not self.words or self._has_words(row))
        )

    def _has_words(self, row: RunRow) -> bool:
        text = f"{row.task}\n{row.answer}".casefold()
        return all(word in text for word in self.words.casefold().split())


@dataclass(frozen=True)
class ModelFilter:
    """Recognizes the events of calls to one model, on one host or on any."""

    name: str
    """`MODEL` or `MODEL@HOST`. Without a tag it means every tag of the model."""

    @property
    def kind(self) -> str:
        return ModelReplied.kind if self.host else ModelAsked.kind

    @property
    def model(self) -> str:
        return self.name.rpartition("@")[0] or self.name

    @property
    def host(self) -> str:
        return self.name.removeprefix(self.model)[1:]

    @property
    def part(self) -> str:
        """A text that each of these events has, in small ASCII letters."""
        part = canonical(self.model).partition(":")[0]
        return part if part.isascii() else ""

    def fits(self, event: Event) -> bool:
        if not isinstance(event, ModelAsked | ModelReplied) or (isinstance(event, ModelReplied) and event.host != self.host):
            return False
        asked = canonical(event.model)
        return asked == canonical(self.model) or (
            ":" not in self.model and asked.partition(":")[0] == canonical(self.model).partition(":")[0]
        )
