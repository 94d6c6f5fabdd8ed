"""Prints a line for each step of a pipeline that announces its steps, as Camus did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mmos.cli.text import flat
from mmos.event import Event
from mmos.events import LaneOpened
from mmos.names import pattern_called
from mmos.pattern_events import PatternBegun

if TYPE_CHECKING:
    from mmos.config.load import Config

LINE = "[INFO] Pipeline Step {number}/{steps}: Using model '{name}'..."


@dataclass
class PipelineLines:
    """Hears the events of runs."""

    steps: Mapping[str, Sequence[str]]
    """The names of the steps of each pattern that announces them."""
    write: Callable[[str], None]
    _begun: dict[str, str] = field(default_factory=dict)
    """The patterns at work, by their ids in the run."""

    @classmethod
    def of(cls, config: Config, write: Callable[[str], None]) -> PipelineLines:
        """`write` gets each line."""
        announcing = {name: pattern for name, pattern in config.orchestration.patterns.items() if pattern.announce}
        steps = {
            name: [flat(member.name or member.role or member.model or "") for member in pattern.models[: pattern.max_steps]]
            for name, pattern in announcing.items()
        }
        return cls(steps, write)

    def on_event(self, event: Event) -> None:
        if isinstance(event, PatternBegun) and event.shape == "sequential" and self._is_announced(event):
            self._begun[event.pattern] = pattern_called(event.name, self.steps)
        elif isinstance(event, LaneOpened) and (name := self._begun.get(event.lane.rpartition("/")[0])) is not None:
            self._step(self.steps[name], event.lane.rpartition("/")[2])

    def _is_announced(self, event: PatternBegun) -> bool:
        """Whether it is a pattern of the file, also with other keys, but with its own members."""
        name = pattern_called(event.name, self.steps)
        return name in self.steps and len(event.members) >= len(self.steps[name])

    def _step(self, steps: Sequence[str], key: str) -> None:
        """The key of a step begins with its number."""
        number = key.partition("-")[0]
        if number.isdecimal() and 0 < int(number) <= len(steps):
            self.write(LINE.format(number=number, steps=len(steps), name=steps[int(number) - 1]))
