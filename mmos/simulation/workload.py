"""Generates workloads from a few words: random jobs of an arbiter that consults specialists and combines their answers."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from mmos.config.wording import unknown_key, with_type
from mmos.errors import UsageError
from mmos.simulation.trace import Call

ROUTE = 80
"""Tokens of an answer that only makes calls."""
SPREAD = 0.35
"""How much sizes vary: the sigma of a log-normal distribution."""


@dataclass(frozen=True)
class Workload:
    """The values of `--generate`."""

    jobs: int = 20
    rate: float = 0.1
    """New jobs in a second, on average."""
    consult: int = 2
    """Specialists that each job consults at the same time."""
    prompt: int = 1200
    """Tokens of a first prompt."""
    output: int = 300
    """Tokens of an answer."""
    think: float = 0.1
    """Seconds between the end of a call and the next."""
    window: int = 8192
    arbiter: str = ""
    specialists: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Workload:
        """`jobs=50 rate=0.2/s specialists=a,b`."""
        values: dict[str, Any] = {}
        for part in re.split(r"[\s;]+", text.strip()):
            key, sign, value = part.partition("=")
            if key not in _READERS:
                raise UsageError(f"--generate: {unknown_key(key, _READERS)}", next_step="Write it like jobs=50 rate=0.2/s.")
            try:
                values[key] = _READERS[key](value)
            except ValueError:
                allowed = _ALLOWED.get(key, "a whole number >= 1")
                missing = f"--generate: {key}: found {with_type(value)}, allowed: {allowed}"
                raise UsageError(missing if sign else f"--generate: {key} needs a value, {allowed}.") from None
        return cls(**values)

    def with_roles(self, orchestration: Mapping[str, Any]) -> Workload:
        """The workload. Models that `--generate` does not name come from these roles."""
        helpers = {
            name: role for name, role in (orchestration.get("specialists") or {}).items() if name not in ("interpreter", "synthesizer")
        }
        specialists = self.specialists or tuple(dict.fromkeys(str(role["model"]) for role in helpers.values()))
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return Workload(**{**values, "arbiter": self.arbiter or str(orchestration["arbiter"]["model"]), "specialists": specialists})

    def calls(self, seed: int) -> list[Call]:
        """Make the workload. The same seed makes the same workload."""
        chance = random.Random(seed)
        at = 0.0
        calls: list[Call] = []
        for number in range(1, self.jobs + 1):
            calls += self._job(f"job{number}", at, chance)
            at += chance.expovariate(self.rate)
        return calls

    def _job(self, run: str, at: float, chance: random.Random) -> Iterator[Call]:
        size = _about(self.prompt, chance)
        experts = chance.sample(self.specialists, min(self.consult, len(self.specialists)))
        if not experts:
            yield self._call(f"{run}/answer", self.arbiter, (size, _about(self.output, chance)), at=at, run=run)
            return
        yield self._call(f"{run}/plan", self.arbiter, (size, ROUTE), at=at, run=run)
        answers: list[Call] = []
        for number, model in enumerate(experts, 1):
            sizes = (_about(self.prompt, chance), _about(self.output, chance))
            answers.append(self._call(f"{run}/expert{number}", model, sizes, run=run, after=(f"{run}/plan",)))
        yield from answers
        prompt = size + ROUTE + sum(call.output_tokens for call in answers)
        sizes = (min(prompt, self.window // 2), _about(self.output, chance))
        yield self._call(f"{run}/answer", self.arbiter, sizes, run=run, after=tuple(call.id for call in answers))

    def _call(self, name: str, model: str, sizes: tuple[int, int], *, run: str, at: float = 0.0, after: Sequence[str] = ()) -> Call:
        role = name.rpartition("/")[2].rstrip("0123456789")
        session = f"{run}/{'arbiter' if model == self.arbiter else name}"
        prompt, output = min(sizes[0], self.window // 2), min(sizes[1], self.window // 2)
        think = self.think if after else 0.0
        return Call(name, model, prompt, output, at, run, session, role, tuple(after), think, self.window)


def _about(mean: int, chance: random.Random) -> int:
    """A random size around the mean."""
    return max(1, round(mean * chance.lognormvariate(-SPREAD * SPREAD / 2, SPREAD)))


def _whole(text: str, least: int = 1) -> int:
    value = int(text)
    if value < least:
        raise ValueError
    return value


def _rate(text: str) -> float:
    """`0.2`, `0.2/s`, `12/min` or `100/h`."""
    number, _, unit = text.partition("/")
    value = float(number) / {"": 1, "s": 1, "min": 60, "m": 60, "h": 3600}.get(unit, 0) if unit in ("", "s", "min", "m", "h") else 0.0
    if not 0 < value < float("inf"):
        raise ValueError
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError
    return value


def _name(text: str) -> str:
    if not text:
        raise ValueError
    return text


_READERS: Mapping[str, Any] = {
    "jobs": _whole,
    "rate": _rate,
    "consult": lambda text: _whole(text, 0),
    "prompt": _whole,
    "output": _whole,
    "think": _seconds,
    "window": lambda text: _whole(text, 256),
    "arbiter": _name,
    "specialists": lambda text: tuple(map(_name, text.split(","))),
}
_ALLOWED: Mapping[str, str] = {
    "rate": "jobs a second, like 0.2/s, 12/min or 100/h",
    "consult": "a whole number >= 0",
    "think": "seconds, 0 or more",
    "window": "a whole number >= 256",
    "arbiter": "the name of a model",
    "specialists": "names of models with commas between them",
}
