"""Generates workloads from a few words: random jobs of an arbiter that consults specialists and combines their answers."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from mmos.config.scalars import plain
from mmos.config.values import allowed
from mmos.config.wording import unknown_key, with_type
from mmos.errors import UsageError
from mmos.simulation.trace import Call

ROUTE = 80
"""Tokens of an answer that only makes calls."""
SPREAD = 0.35
"""How much sizes vary: the sigma of a log-normal distribution."""


def _per_second(text: str) -> float | None:
    """`0.2`, `0.2/s`, `12/min` or `100/h`. None: it is no rate."""
    number, _, unit = text.partition("/")
    seconds = {"": 1, "s": 1, "min": 60, "m": 60, "h": 3600}.get(unit)
    try:
        return float(number) / seconds if seconds else None
    except ValueError:
        return None


_Whole = Annotated[int, Field(ge=1), allowed("a whole number >= 1", read=plain)]
_Name = Annotated[str, Field(min_length=1), allowed("the name of a model")]


@dataclass(frozen=True)
class Workload:
    """The values of `--generate`."""

    jobs: _Whole = 20
    rate: Annotated[float, Field(gt=0), allowed("jobs a second, like 0.2/s, 12/min or 100/h", read=_per_second)] = 0.1
    """New jobs in a second, on average."""
    consult: Annotated[int, Field(ge=0), allowed("a whole number >= 0", read=plain)] = 2
    """Specialists that each job consults at the same time."""
    prompt: _Whole = 1200
    """Tokens of a first prompt."""
    output: _Whole = 300
    """Tokens of an answer."""
    think: Annotated[float, Field(ge=0), allowed("seconds, 0 or more", read=plain)] = 0.1
    """Seconds between the end of a call and the next."""
    window: Annotated[int, Field(ge=256), allowed("a whole number >= 256", read=plain)] = 8192
    arbiter: _Name = ""
    specialists: Annotated[
        tuple[_Name, ...], allowed("names of models with commas between them", read=lambda text: tuple(text.split(",")))
    ] = ()

    @classmethod
    def parse(cls, text: str) -> Workload:
        """`jobs=50 rate=0.2/s specialists=a,b`."""
        kinds, values = get_type_hints(cls, include_extras=True), {}
        for part in re.split(r"[\s;]+", text.strip()):
            key, sign, value = part.partition("=")
            if key not in kinds:
                raise UsageError(f"--generate: {unknown_key(key, kinds)}", next_step="Write it like jobs=50 rate=0.2/s.")
            try:
                values[key] = TypeAdapter(kinds[key], config=ConfigDict(strict=True, allow_inf_nan=False)).validate_python(value)
            except ValidationError as error:
                sentence = error.errors()[0]["msg"]
                wrong = f"--generate: {key}: found {with_type(value)}, allowed: {sentence}"
                raise UsageError(wrong if sign else f"--generate: {key} needs a value, {sentence}.") from None
        return cls(**values)

    def with_roles(self, orchestration: Mapping[str, Any]) -> Workload:
        """The workload. Models that `--generate` does not name come from these roles."""
        helpers = {
            name: role for name, role in (orchestration.get("specialists") or {}).items() if name not in ("interpreter", "synthesizer")
        }
        specialists = self.specialists or tuple(dict.fromkeys(str(role["model"]) for role in helpers.values()))
        return replace(self, arbiter=self.arbiter or str(orchestration["arbiter"]["model"]), specialists=specialists)

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
