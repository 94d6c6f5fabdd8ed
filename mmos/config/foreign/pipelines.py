"""Reads the pipelines of Camus: lists of backends, and mappings with steps, a strategy, votes and weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mmos.config.foreign.backends import OF_MEMBER, Backend, Backends
from mmos.config.foreign.draft import TOP, Draft, Part, spelled
from mmos.config.foreign.parts import voting_of, weights, without_votes
from mmos.config.foreign.places import valid_key
from mmos.config.foreign.words import AGGREGATES, SHAPES, USUAL_VOTING, VALIDATED

KEYS = (
    "steps", "backends", "models", "strategy", "pattern", "voting", "weights", "aggregation", "aggregate", "enabled", "description",
    "quality_threshold", "max_steps", "validate", "aggregator",
)  # fmt: skip
STEP_KEYS = ("backend", "name", "task", "prompt", "weight", "gpu_id", "gpu_ids", "vram_required_gb", *OF_MEMBER)
OFF = "multi_model.enabled is false, so this pipeline is switched off"


@dataclass
class Pipelines:
    backends: Backends
    draft: Draft
    all_on: bool
    """Whether the pipelines may use more than the original ones did."""
    keys: dict[str, str] = field(default_factory=dict)
    """Our names of the pipelines, by theirs."""
    members: dict[str, list[Backend]] = field(default_factory=dict)
    """Their backends, by our names."""
    shapes: dict[str, str] = field(default_factory=dict)

    def read(self, part: Part, usual: str) -> None:
        """`usual`: the default pipeline, which is never switched off."""
        for name, _ in part.named():
            self.keys[name] = valid_key(name, self.keys.values())
        for name, pipeline in part.named():
            if self.keys[name] != name:
                pipeline.note(f"a pattern cannot have this name, so it is '{self.keys[name]}'")
            self._read(self.keys[name], pipeline, is_usual=name == usual)

    def first_of(self, key: str) -> Backend | None:
        """The backend that begins a pipeline."""
        return next(iter(self.members.get(key, ())), None)

    def of_shape(self, shape: str, part: Part) -> str:
        """The first pattern of a shape. If the file has none, one of all backends is made."""
        if found := next((key for key, its in self.shapes.items() if its == shape), ""):
            return found
        key = valid_key(shape, self.shapes)
        self._shape(key, shape, part, f"Camus: the strategy {shape}, with all backends.")
        for backend in self.backends.by_name.values():
            self._member(key, backend, part)
        return key

    # ---------------------------------------------------------------- one pipeline

    def _read(self, key: str, part: Part, *, is_usual: bool) -> None:
        steps = part.first("steps", "backends", "models") if isinstance(part.value, dict) else part
        part.only(*KEYS)
        strategy, shape = part.first("strategy", "pattern"), self._shape_of(part)
        is_off = not self.all_on and isinstance(part.value, dict) and bool(strategy or part["voting"])
        if is_off and is_usual:
            part.note("multi_model.enabled is false, so its backends work one after the other, without its strategy")
            shape = "sequential"
        self._shape(key, shape, strategy or part)
        self.draft.origins[TOP, "patterns", key] = part.place
        if is_off and not is_usual:
            self.draft.put(("patterns", key, "enabled"), False, part, OFF)
            part.note(f"{OFF}; MMOS refuses it")
        if not steps or not steps.entries():
            part.complain("the pipeline has no backend; name at least one")
        self._steps(key, steps.entries())
        if isinstance(part.value, dict):
            self._values(key, shape, part)
        else:  # the original form says on stdout what it does
            self.draft.put(("patterns", key, "announce"), True, part)

    def _shape_of(self, part: Part) -> str:
        """A pipeline with votes or weights and no strategy is an ensemble."""
        usual = "ensemble" if part["voting"] or part["weights"] or part["aggregation"] else "sequential"
        shape = part.first("strategy", "pattern").one_of(SHAPES) or usual
        return without_votes(shape, part["voting"])

    def _shape(self, key: str, shape: str, part: Part, why: str = "") -> None:
        self.shapes[key] = shape
        self.members[key] = []
        self.draft.put(("patterns", key, "pattern"), shape, part, why)
        self.draft.put(("patterns", key, "models"), [], part)

    def _steps(self, key: str, steps: Sequence[Part]) -> None:
        for step in steps:
            named = step.first("backend", "name", "model", "pipeline") if isinstance(step.value, dict) else step
            if named.text() in self.keys and named.text() not in self.backends.by_name:
                self._nested(key, named)
            elif backend := self.backends.find(named):
                step.only(*STEP_KEYS)
                self._member(key, backend, named, step)

    def _nested(self, key: str, named: Part) -> None:
        """A step that is another pipeline."""
        place = ("patterns", key, "models", len(self.draft.data["patterns"][key]["models"]))
        self.draft.put((*place, "model"), f"pattern:{self.keys[named.text()]}", named)

    def _member(self, key: str, backend: Backend, named: Part, step: Part | None = None) -> None:
        self.members[key].append(backend)
        place = ("patterns", key, "models", len(self.draft.data["patterns"][key]["models"]))
        self.draft.put((*place, "model"), backend.key, named)
        self.draft.put((*place, "server"), backend.server, named)
        if backend.key != backend.name:
            self.draft.put((*place, "name"), backend.name, named)
        for name in OF_MEMBER:
            (step[name] if step and step[name] else backend.part[name]).copy(place)
        for name in ("task", "prompt", "weight", "gpu_id", "gpu_ids", "vram_required_gb") if step else ():
            step[name].copy(place) if step else None

    # ---------------------------------------------------------------- its values

    def _values(self, key: str, shape: str, part: Part) -> None:
        place = ("patterns", key)
        voting, choice = voting_of(part["voting"])
        aggregate = part.first("aggregation", "aggregate").one_of(AGGREGATES) or choice
        if shape == "ensemble":
            aggregate = aggregate or ("vote" if voting else "weighted" if part["weights"] else "")
        if aggregate:
            self.draft.put((*place, "aggregate"), aggregate, part.first("aggregation", "aggregate", "voting", "weights"))
        if voting or shape == "voting" or aggregate == "vote":
            usual = "weighted" if part["weights"] else USUAL_VOTING
            self.draft.put((*place, "voting"), voting or usual, part["voting"] or part)
        if spelled(part["strategy"].text()) == VALIDATED:
            self.draft.put((*place, "validate"), True, part["strategy"])
        for name in ("description", "quality_threshold", "max_steps", "validate"):
            part[name].copy(place)
        if part["enabled"].flag() is False:
            self.draft.put((*place, "enabled"), False, part["enabled"])
        if part["aggregator"] and (backend := self.backends.find(part["aggregator"])):
            self.draft.put((*place, "aggregator_model"), backend.key, part["aggregator"])
        self._weights(key, part["weights"])

    def _weights(self, key: str, part: Part) -> None:
        """A list of weights in the order of the backends, or weights by backend."""
        if not isinstance(part.value, dict):
            weights(part, key, "backend")
            return
        names = [member.get("name", member["model"]) for member in self.draft.data["patterns"][key]["models"]]
        for name, weight in part.named():
            if name not in names:
                weight.complain(f"'{name}' is no backend of this pipeline: {', '.join(names)}")
            for index in [index for index, other in enumerate(names) if other == name]:
                weight.copy(("patterns", key, "models", index), "weight")
