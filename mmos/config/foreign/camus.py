"""Reads a configuration of Camus, `.camus/config.yml`: backends, and pipelines of them."""

from __future__ import annotations

from dataclasses import dataclass

from mmos.config.document import Document
from mmos.config.foreign import camus_extras
from mmos.config.foreign.backends import Backends
from mmos.config.foreign.draft import Draft, Part
from mmos.config.foreign.pipelines import Pipelines

KEYS = ("backends", "pipelines", "defaults", "multi_model", "quality", "version", "orchestration")
USUAL_PIPELINE = "default"
WHY_ARBITER = "The first backend of the default pipeline. Camus has no arbiter; this one works only where no pipeline does."


def translated(file: Document) -> Document:
    """The file in our keys."""
    draft = Draft(file, "Camus")
    root = draft.root
    root.only(*KEYS)
    extras = camus_extras.switched_on(root)
    backends = Backends.read(root["backends"], draft)
    pipelines = Pipelines(backends, draft, all_on=extras is not False)
    pipelines.read(root["pipelines"], root["defaults"]["pipeline"].text() or USUAL_PIPELINE)
    Reading(root, draft, backends, pipelines).defaults(bool(extras))
    camus_extras.read(root, draft, pipelines, is_on=extras)
    return draft.document()


@dataclass(frozen=True)
class Reading:
    root: Part
    draft: Draft
    backends: Backends
    pipelines: Pipelines

    def defaults(self, extras: bool) -> None:
        """What a run uses that says nothing, and the arbiter, which each of our files has."""
        part = self.root["defaults"]
        part.only("pipeline", "strategy", "quality_threshold")
        usual = self._usual(part["pipeline"])
        self._arbiter(usual)
        if usual:
            self.draft.put(("defaults", "pattern"), usual, part["pipeline"] or self.root["pipelines"])
        self._strategy(part["strategy"], extras)
        part["quality_threshold"].copy(("defaults",))

    def _usual(self, named: Part) -> str:
        """Our name of the default pipeline."""
        known = self.pipelines.keys
        if named and named.text() not in known:
            named.wrong(f"the name of a pipeline: {', '.join(known) or 'there is none'}")
        return known.get(named.text() or USUAL_PIPELINE, next(iter(known.values()), ""))

    def _arbiter(self, usual: str) -> None:
        first = self.pipelines.first_of(usual) or next(iter(self.backends.by_name.values()), None)
        if first is None:
            return  # the missing backends are reported
        self.draft.put(("arbiter", "model"), first.key, first.part, WHY_ARBITER)
        self.draft.put(("arbiter", "server"), first.server, first.part)

    def _strategy(self, part: Part, extras: bool) -> None:
        word = camus_extras.strategy_of(part, self.pipelines)
        if word is None or word.pattern == self.draft.data.get("defaults", {}).get("pattern"):
            return
        if self.root["multi_model"] and not extras:
            part.note("it does nothing, because multi_model.enabled is not true")
        elif word.answering or word.pattern:
            self.draft.put(("defaults", "strategy"), word.answering or word.pattern, part)
