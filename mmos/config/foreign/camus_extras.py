"""Reads what later versions of Camus add: rules that choose, strategies, and the validation of answers."""

from __future__ import annotations

from dataclasses import dataclass

from mmos.config.facts import TASK_CLASSES, task_class
from mmos.config.foreign.draft import Draft, Part, spelled
from mmos.config.foreign.pipelines import Pipelines
from mmos.config.foreign.words import SELECTIONS, SHAPES
from mmos.config.wording import Place, listed

ANSWERING = {"single": "single", "intelligent": "intelligent"}
NOT_ENABLED = "it does nothing, because multi_model.enabled is not true"


@dataclass(frozen=True)
class Strategy:
    """What a strategy of Camus means: who answers, or a pattern."""

    answering: str = ""
    pattern: str = ""


def switched_on(root: Part) -> bool | None:
    """Whether the file switches on what later versions add. None: it does not say."""
    return root["multi_model"]["enabled"].flag()


def strategy_of(part: Part, pipelines: Pipelines) -> Strategy | None:
    """None: the file names no strategy, or only the usual one, which the default pipeline is."""
    word = spelled(part.text())
    if word in ANSWERING:
        return Strategy(answering=ANSWERING[word])
    if part.text() in pipelines.keys:
        return Strategy(pattern=pipelines.keys[part.text()])
    shape = part.one_of({**ANSWERING, **SHAPES})
    if shape is None or shape == "sequential":
        return None
    return Strategy(pattern=pipelines.of_shape(shape, part))


def read(root: Part, draft: Draft, pipelines: Pipelines, *, is_on: bool | None) -> None:
    part = root["multi_model"]
    part.only("enabled", "strategies", "intelligent_selection", "quality", "quality_validation")
    if part and not is_on:
        for name in ("strategies", "intelligent_selection", "quality", "quality_validation"):
            if part[name]:
                part[name].note(NOT_ENABLED)
    elif part:
        _selection(part, draft, pipelines)
        if part["quality_validation"].flag():
            draft.put(("quality", "validation"), "always", part["quality_validation"])
        _quality(part["quality"], draft)
    _quality(root["quality"], draft)


def _quality(part: Part, draft: Draft) -> None:
    part.only("validation_enabled", "enabled", "minimum_confidence", "cross_validation", "quality_threshold", "threshold")
    enabled = part.first("validation_enabled", "enabled")
    if enabled.flag() is not None:
        draft.put(("quality", "validation"), "always" if enabled.flag() else "on_request", enabled)
    part["minimum_confidence"].copy(("quality",))
    part["cross_validation"].copy(("quality",))
    part.first("quality_threshold", "threshold").copy(("defaults",), "quality_threshold")


def _selection(part: Part, draft: Draft, pipelines: Pipelines) -> None:
    part["strategies"].only("intelligent_selection")
    chosen = part["strategies"]["intelligent_selection"] or part["intelligent_selection"]
    if not isinstance(chosen.value, dict):
        chosen.flag()  # true: as MMOS chooses by itself with --strategy intelligent
        return
    chosen.only("type", "rules", "enabled")
    if chosen["enabled"].flag() is False:
        chosen["enabled"].note("the rules are switched off, so they are left out")
        return
    if kind := chosen["type"].one_of(SELECTIONS):
        draft.put(("selection", "strategy"), kind, chosen["type"])
    for rule in chosen["rules"].entries():
        _rule(rule, draft, pipelines)


def _rule(part: Part, draft: Draft, pipelines: Pipelines) -> None:
    part.only("task", "preferred_backends", "preferred_backend", "backend", "backends", "pipeline", "strategy")
    name = task_class(spelled(part["task"].text()))
    if name not in TASK_CLASSES:
        known = ", ".join(TASK_CLASSES)
        part["task"].note(f"'{part['task'].text()}' is no class of tasks that MMOS knows, so the rule is left out. Known: {known}")
        return
    backends = part.first("preferred_backends", "preferred_backend", "backends", "backend")
    if not (part["pipeline"] or part["strategy"] or backends.entries()):
        part.note("the rule names no pipeline, no strategy and no backend, so it is left out")
        return
    place: Place = ("routing", "rules", len(draft.data.get("routing", {}).get("rules", [])))
    draft.put((*place, "condition"), f"task.type == '{name}'", part["task"])
    draft.origins["orchestration", *place] = part.place
    if part["pipeline"]:
        _pipeline(part["pipeline"], draft, place, pipelines)
    elif part["strategy"]:
        _strategy(part["strategy"], draft, place, pipelines)
    else:
        _backends(backends, draft, place, pipelines)


def _pipeline(part: Part, draft: Draft, place: Place, pipelines: Pipelines) -> None:
    if part.text() not in pipelines.keys:
        part.wrong(f"the name of a pipeline: {listed(pipelines.keys)}")
    draft.put((*place, "pattern"), pipelines.keys.get(part.text(), ""), part)


def _strategy(part: Part, draft: Draft, place: Place, pipelines: Pipelines) -> None:
    strategy = strategy_of(part, pipelines) or Strategy(pattern=draft.data.get("defaults", {}).get("pattern", ""))
    key, value = ("strategy", strategy.answering) if strategy.answering else ("pattern", strategy.pattern)
    draft.put((*place, key), value, part)


def _backends(part: Part, draft: Draft, place: Place, pipelines: Pipelines) -> None:
    named = part.entries()
    for other in named[1:]:
        other.note("a rule of MMOS names one model, so this one is left out")
    if named and (backend := pipelines.backends.find(named[0])):
        draft.put((*place, "model"), backend.key, named[0])
