"""Says who rewrites files: the pipelines, the model or the strategy of the command line, or what the configuration says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmos.app import RunOptions
from mmos.app.modifying import Way
from mmos.config.load import Config
from mmos.config.patterns_schema import SHAPES
from mmos.config.routing_schema import Answering
from mmos.errors import UsageError

ANSWERING: Mapping[str, Answering] = {"single": "single", "intelligent": "intelligent"}


@dataclass(frozen=True)
class Asked:
    """What the command line says about who rewrites."""

    pipelines: Sequence[str] = ()
    model: str = ""
    strategy: str = ""
    ensemble: bool = False
    parallel: bool = False
    max_steps: int | None = None
    validate: bool = False
    timeout: float | None = None

    @property
    def shape(self) -> str:
        """The form that the members of the pipeline work in. Empty: that of the pipeline."""
        shapes = [*(["ensemble"] * self.ensemble), *(["parallel"] * self.parallel), *([self.strategy] * (self.strategy in SHAPES))]
        if len(set(shapes)) > 1:
            raise UsageError(f"{' and '.join(shapes)} cannot be used together: each names a form.", next_step="Give one of them.")
        return shapes[0] if shapes else ""


def ways_of(asked: Asked, config: Config) -> tuple[Way, ...]:
    """Who rewrites, one after the other."""
    _check(asked)
    if asked.model:
        return (Way(asked.model, RunOptions(model=asked.model, timeout=asked.timeout)),)
    if asked.strategy in ANSWERING:
        return (_answering(asked.strategy, asked),)
    named = [asked.strategy] if asked.strategy and not asked.shape else []
    names = [*asked.pipelines] or named or usual_patterns(config)
    if names or asked.shape:
        return tuple(_way(name, asked, config) for name in names or [""])
    if asked.max_steps:
        raise UsageError("--max-steps limits the steps of a pipeline, and none rewrites.", next_step="Name one: --pipeline P")
    return (_answering(config.orchestration.defaults.strategy or "single", asked),)


def _check(asked: Asked) -> None:
    """Raise for options that contradict each other."""
    said = {
        "--model": bool(asked.model),
        f"--strategy {asked.strategy}": bool(asked.strategy) and not asked.shape,
        "--pipeline": bool(asked.pipelines),
    }
    given = [option for option, is_given in said.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} cannot be used together: each says who rewrites.", next_step="Give one of them.")
    alone = asked.model or asked.strategy in ANSWERING
    if alone and (asked.shape or asked.max_steps):
        what = asked.shape or "--max-steps"
        raise UsageError(
            f"{given[0]} and {what} cannot be used together: only a pipeline has a form and steps.", next_step="Leave one out."
        )
    if asked.max_steps and asked.shape not in ("", "sequential"):
        raise UsageError(f"--max-steps means nothing for the form {asked.shape}: it has no steps.", next_step="Leave one of the two out.")


def usual_patterns(config: Config) -> list[str]:
    """The pattern that the configuration names for every run, if it names one."""
    defaults = config.orchestration.defaults
    if defaults.strategy and defaults.strategy not in ANSWERING:
        return [defaults.strategy]
    return [defaults.pattern] if defaults.pattern and not defaults.strategy else []


def _answering(strategy: str, asked: Asked) -> Way:
    return Way(strategy, RunOptions(strategy=ANSWERING[strategy], timeout=asked.timeout))


def _way(name: str, asked: Asked, config: Config) -> Way:
    """A pipeline, with what the command line changes of it. Without a name: the models of all roles in a form."""
    keys: dict[str, Any] = {"name": name} if name else {}
    if asked.shape:
        keys["pattern"] = asked.shape
    if asked.max_steps:
        keys["max_steps"] = asked.max_steps
    if asked.validate and (asked.shape or _shape_of(name, config)) == "sequential":
        keys["validate"] = True
    pattern = name if keys.keys() == {"name"} else keys
    return Way(name or asked.shape, RunOptions(pattern=pattern, timeout=asked.timeout))


def _shape_of(name: str, config: Config) -> str:
    """The form of a pattern. Those that every configuration has are sequences."""
    patterns = config.orchestration.patterns
    return patterns[name].pattern if name in patterns else "sequential"
