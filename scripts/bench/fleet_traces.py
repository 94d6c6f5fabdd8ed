"""Makes the traces of the fleet bench: for each, hosts with their models, calls with their order, and what happens to the hosts."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from bench.fleet_driver import Wish
from mmos.rehearsal.host import Host
from mmos.rehearsal.personas import Architecture, Model, Speed

WINDOW = 8192
SPREAD = 0.5
"""How much sizes of prompts and answers vary: the sigma of a log-normal distribution."""


@dataclass(frozen=True)
class Shape:
    """A host of a trace."""

    name: str
    models: tuple[str, ...]
    vram_gb: float = 24.0
    speed: float = 1.0
    disk_gbps: float = 1.5
    parallel: int = 1

    def host(self, steady: Callable[[], float], time_scale: float = 1.0) -> Host:
        return Host(
            self.name,
            [MODELS[name] for name in self.models],
            time_scale,
            self.parallel,
            self.vram_gb,
            disk_gbps=self.disk_gbps,
            speed_factor=self.speed,
            steady=steady,
        )


@dataclass(frozen=True)
class Event:
    """Something that happens to a host."""

    at: float
    kind: Literal["fall", "hang", "recover"]
    host: str


@dataclass(frozen=True)
class Trace:
    """A workload and the hosts that it runs on."""

    name: str
    shapes: Sequence[Shape]
    calls: Sequence[Wish]
    events: Sequence[Event] = ()
    strangers: Mapping[str, Sequence[Wish]] = field(default_factory=dict)
    """Calls that other clients make on a host, past the fleet."""


def _model(name: str, billions: float, size_gb: float, decode: float, layers: int) -> Model:
    speed = Speed(prefill=decode * 25, decode=decode)
    architecture = Architecture(layers=layers, kv_heads=8, head_size=128)
    return Model(name, size=round(size_gb * 1e9), parameter_size=f"{billions:g}B", speed=speed, architecture=architecture)


MODELS: Mapping[str, Model] = {
    model.key: model
    for model in (
        *(_model(f"small{letter}:3b", 3, 2.2, 90, 28) for letter in "abcdef"),
        *(_model(f"mid{letter}:8b", 8, 5.0, 55, 32) for letter in "abcdefgh"),
        *(_model(f"large{letter}:14b", 14, 9.0, 32, 48) for letter in "abcdef"),
        *(_model(f"big{letter}:32b", 32, 19.5, 18, 64) for letter in "abcdef"),
        _model("huge:70b", 70, 41.0, 9, 80),
    )
}


class Maker:
    """Makes calls with random sizes."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.calls: list[Wish] = []

    def about(self, mean: float) -> int:
        return max(4, round(mean * self.chance.lognormvariate(-SPREAD * SPREAD / 2, SPREAD)))

    def call(self, run: str, models: str | tuple[str, ...], prompt: float, output: float, **more: object) -> Wish:
        choices = (models,) if isinstance(models, str) else models
        wish = Wish(
            id=f"{run}/{len(self.calls)}",
            model=choices[0],
            models=choices,
            prompt_tokens=min(WINDOW // 2, round(prompt)),
            output_tokens=min(WINDOW // 4, self.about(output)),
            run=run,
            window=WINDOW,
        )
        self.calls.append(replace(wish, **more))  # type: ignore[arg-type]  # the fields of a Wish, by name
        return self.calls[-1]

    def talk(self, run: str, at: float, models: Iterator[str | tuple[str, ...]], turns: int, think: float = 2.0) -> None:
        """A conversation: each turn waits for the one before it. Each model has its own growing prompt."""
        sizes: dict[object, float] = {}
        before: Wish | None = None
        for model, _ in zip(models, range(turns), strict=False):
            sizes[model] = sizes.get(model, 300.0) + self.about(350)
            pause = self.chance.expovariate(1.0 / think) if before else 0.0
            before = self.call(
                *(run, model, sizes[model], 150),
                session=f"{run}/{model}",
                at=at,
                after=(before.id,) if before else (),
                think=pause,
            )
            sizes[model] += before.output_tokens


def _cycle(*models: str | tuple[str, ...]) -> Iterator[str | tuple[str, ...]]:
    while True:
        yield from models


def swap_trap(seed: int) -> Trace:
    """Two hosts, two models that do not fit together, and conversations that alternate between them."""
    make, pair = Maker(seed), ("biga:32b", "bigb:32b")
    for number in range(6):
        make.talk(f"talk{number}", make.chance.uniform(0, 30), _cycle(*(pair if number % 2 else pair[::-1])), 8)
    return Trace("swap trap", [Shape("one", pair), Shape("two", pair)], make.calls)


def burst(seed: int) -> Trace:
    """The same, and sixteen conversations begin at once."""
    make, pair = Maker(seed), ("biga:32b", "bigb:32b")
    for number in range(16):
        make.talk(f"talk{number}", make.chance.uniform(0, 2), _cycle(*pair), 6)
    return Trace("burst", [Shape("one", pair), Shape("two", pair)], make.calls)


def flexible(seed: int) -> Trace:
    """Roles that may run on either of two models, beside roles that may not."""
    make, both = Maker(seed), ("biga:32b", "bigb:32b")
    roles: list[str | tuple[str, ...]] = [both, both, "biga:32b", "bigb:32b", "midc:8b"]
    for number in range(10):
        order = [make.chance.choice(roles) for _ in range(7)]
        make.talk(f"talk{number}", make.chance.uniform(0, 60), iter(order), 7)
    models = (*both, "midc:8b")
    return Trace("flexible roles", [Shape("one", models), Shape("two", models)], make.calls)


def unlike(seed: int) -> Trace:
    """Four unlike hosts, and bursts of calls for models of all sizes."""
    make = Maker(seed)
    models = ("smalla:3b", "mida:8b", "midb:8b", "largea:14b", "biga:32b", "huge:70b")
    weights = (4, 4, 3, 3, 2, 1)
    for burst in range(5):
        for number in range(16):
            model = make.chance.choices(models, weights)[0]
            make.call(
                f"job{burst}.{number}", model, make.about(900), 180, at=burst * 70 + make.chance.uniform(0, 4), session=f"{burst}.{number}"
            )
    shapes = [
        Shape("old", models, 8, 0.5, 0.4),
        Shape("desk", models, 12, 1.0, 1.0),
        Shape("server", models, 24, 1.6, 2.0),
        Shape("station", models, 48, 2.5, 3.0),
    ]
    return Trace("four unlike hosts", shapes, make.calls)


def sixteen(seed: int) -> Trace:
    """Sixteen hosts and two dozen models: few are wanted often, many seldom."""
    make = Maker(seed)
    models = [name for name in MODELS if name != "huge:70b"]
    make.chance.shuffle(models)
    weights = [1.0 / (rank + 1) for rank in range(len(models))]
    at = 0.0
    for number in range(900):
        at += make.chance.expovariate(2.4)
        model = make.chance.choices(models, weights)[0]
        make.call(f"job{number}", model, make.about(900), 180, at=at, session=f"s{number}")
    shapes = [Shape(f"host{number:02d}", tuple(models), 24 if number % 4 else 48, 1.0 + number % 3 * 0.4) for number in range(16)]
    return Trace("sixteen hosts", shapes, make.calls)


def roomy(seed: int) -> Trace:
    """Sessions with long prompts that grow; the hosts have a slot for each."""
    return replace(prefixes(seed, sessions=6), name="roomy prefixes")


def prefixes(seed: int, sessions: int = 9) -> Trace:
    """Sessions with long prompts that grow, on three hosts with the same model, and more sessions than slots."""
    make = Maker(seed)
    for number in range(sessions):
        before: Wish | None = None
        size, start = 2500.0 + make.about(600), make.chance.uniform(0, 40)
        for _ in range(8):
            pause = make.chance.expovariate(1 / 4.0)
            before = make.call(
                *(f"talk{number}", "largea:14b", size, 60),
                session=f"talk{number}",
                at=start,
                after=(before.id,) if before else (),
                think=pause if before else 0.0,
            )
            size += before.output_tokens + make.about(60)
    return Trace("shared prefixes", [Shape(name, ("largea:14b",), 24, parallel=2) for name in ("one", "two", "three")], make.calls)


def heads(seed: int) -> Trace:
    """Short sessions that share one of four long beginnings, such as the texts of four agents."""
    make = Maker(seed)
    at = 0.0
    for number in range(120):
        at += make.chance.expovariate(0.45)
        head = f"agent{make.chance.randrange(4)}"
        prompt = 3000 + make.about(200)
        make.call(f"job{number}", "largea:14b", prompt, 60, at=at, session=f"s{number}", head=head, head_tokens=3000)
    return Trace("shared heads", [Shape(name, ("largea:14b",), 24) for name in ("one", "two", "three")], make.calls)


def fan_out(seed: int) -> Trace:
    """Jobs in which an arbiter asks several models at once, and combines their answers."""
    make = Maker(seed)
    experts = ("mida:8b", "midb:8b", "largeb:14b", "bigb:32b", "smallc:3b")
    at = 0.0
    for number in range(24):
        run = f"job{number}"
        plan = make.call(run, "largea:14b", make.about(800), 60, at=at, session=f"{run}/arbiter")
        asked = [
            make.call(run, model, make.about(900), 200, session=f"{run}/{model}", after=(plan.id,), think=0.1)
            for model in make.chance.sample(experts, 3)
        ]
        heard = plan.prompt_tokens + 60 + sum(call.output_tokens for call in asked)
        make.call(run, "largea:14b", heard, 250, session=f"{run}/arbiter", after=tuple(call.id for call in asked), think=0.1)
        at += make.chance.expovariate(1 / 14.0)
    models = ("largea:14b", *experts)
    return Trace("fan-outs", [Shape("one", models), Shape("two", models), Shape("three", models, 16, 1.3)], make.calls)


def drift(seed: int) -> Trace:
    """What is wanted changes with time: each model has its hour."""
    make = Maker(seed)
    models = ("biga:32b", "bigb:32b", "bigc:32b", "larged:14b", "largee:14b")
    at = 0.0
    for number in range(150):
        at += make.chance.expovariate(0.22)
        peak = at / 700 * len(models)
        weights = [0.15 + max(0.0, 2.0 - abs(peak - place - 0.5)) for place in range(len(models))]
        make.call(f"job{number}", make.chance.choices(models, weights)[0], make.about(700), 130, at=at, session=f"s{number}")
    return Trace("drift", [Shape(name, models) for name in ("one", "two", "three")], make.calls)


def ping_pong(seed: int) -> Trace:
    """One host, and two conversations that alternate between two models that do not fit together."""
    make, pair = Maker(seed), ("biga:32b", "bigb:32b")
    for number in range(2):
        make.talk(f"talk{number}", number * 20.0, _cycle(*pair), 8, think=3.0)
    return Trace("ping-pong", [Shape("one", pair)], make.calls)


def faults(seed: int) -> Trace:
    """Four hosts; one falls and comes back, one hangs for a while."""
    make = Maker(seed)
    models = ("mida:8b", "largea:14b", "largeb:14b", "biga:32b")
    for number in range(14):
        order = [make.chance.choice(models) for _ in range(7)]
        make.talk(f"talk{number}", make.chance.uniform(0, 60), iter(order), 7, think=3.0)
    events = [
        Event(40, "fall", "two"),
        Event(110, "recover", "two"),
        Event(75, "hang", "three"),
        Event(190, "recover", "three"),
    ]
    return Trace("faults", [Shape(name, models) for name in ("one", "two", "three", "four")], make.calls, events)


def strangers(seed: int) -> Trace:
    """Three hosts, one of which others use, too, with a model of their own."""
    make, theirs = Maker(seed), Maker(seed + 1000)
    models = ("biga:32b", "largea:14b", "mida:8b")
    for number in range(9):
        order = [make.chance.choice(models) for _ in range(7)]
        make.talk(f"talk{number}", make.chance.uniform(0, 40), iter(order), 7, think=3.0)
    for number in range(4):
        theirs.talk(f"other{number}", number * 5.0, _cycle("bigc:32b", "mida:8b"), 14, think=8.0)
    shapes = [Shape(name, (*models, "bigc:32b")) for name in ("one", "two", "three")]
    return Trace("strangers", shapes, make.calls, strangers={"two": theirs.calls})


TRACES: Mapping[str, Callable[[int], Trace]] = {
    made.__name__: made
    for made in (swap_trap, burst, flexible, unlike, sixteen, roomy, prefixes, heads, fan_out, drift, ping_pong, faults, strangers)
}


def varied(make: Callable[[int], Trace]) -> Callable[[int], Trace]:
    """The same kind of trace with other hosts, sizes, speeds and loads."""

    def made(seed: int) -> Trace:
        trace, chance = make(seed), random.Random(f"{make.__name__} {seed}")

        def factor(most: float) -> float:
            return float(most ** chance.uniform(-1.0, 1.0))

        disk, pace, prompts, answers, think = factor(3.0), factor(2.0), factor(2.0), factor(2.0), factor(3.0)
        parallel = chance.choice((1, 1, 2, 4))
        shapes = [
            replace(
                shape,
                speed=shape.speed * factor(1.5),
                disk_gbps=shape.disk_gbps * disk * factor(1.3),
                vram_gb=shape.vram_gb * chance.choice((1.0, 1.0, 1.25, 2.0)),
                parallel=parallel,
            )
            for shape in trace.shapes
        ]
        calls = [
            replace(
                call,
                prompt_tokens=min(WINDOW // 2, max(8, round(call.prompt_tokens * prompts))),
                head_tokens=round(call.head_tokens * prompts),
                output_tokens=min(WINDOW // 4, max(4, round(call.output_tokens * answers))),
                at=call.at / pace,
                think=call.think * think,
            )
            for call in trace.calls
        ]
        return replace(trace, shapes=shapes, calls=calls)

    return made
