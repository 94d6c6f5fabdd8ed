"""Defines what the engine is told and what it decides. All times are seconds on the hosts' clock, all sizes are bytes."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

Failure: TypeAlias = Literal["gone", "silent", "error", "busy", "missing", "memory"]
"""Why an attempt failed: no connection, no progress, an error of the host, a full queue, a model that is not there, too little memory."""


Mark: TypeAlias = tuple[int, float]
"""A number that only texts with the same beginning share, and the tokens of that beginning."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What the calls of one role or thread may use at once."""

    owner: str
    """The same for all calls that share it."""
    name: str
    """For messages."""
    models: int | None = None
    """Models that work for it, each counted once for each host. None: any number."""
    share: float | None = None
    """The part of the memory of all hosts that these models may take. None: all."""
    refuses: bool = False
    """Whether a call beyond it is refused. If not, it waits."""


def talk(session: str, tokens: float) -> tuple[Mark, ...]:
    """The beginning that the calls of a session share, as far as nothing is known of their texts."""
    return ((hash(session), tokens),) if session else ()


class Call(NamedTuple):
    """A call to a model, as far as its place depends on it."""

    id: str
    models: tuple[str, ...]
    """Any of them may answer. Each costs `reluctance` seconds more than the one before it."""
    prompt_tokens: float
    output_tokens: float | None = None
    """None: as many as calls of this kind had so far."""
    hosts: tuple[str, ...] = ()
    """Empty: any host that has a model of it."""
    window: int = 0
    """The tokens that its window must hold. 0: any window."""
    session: str = ""
    """Calls of one session share a growing prompt."""
    group: str = ""
    """Calls of one job."""
    blocks: tuple[Mark, ...] = ()
    """The beginnings of the prompt, the shortest first. Empty: the engine goes by the session."""
    kind: str = ""
    """Calls of one kind have answers of about the same length, such as those of one role."""
    urgent: bool = True
    reluctance: float = 0.0
    strategy: str = "auto"
    """On which of several hosts its model is loaded: see `strategies`."""
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True, slots=True)
class Need:
    """The memory of a model: its weights, and its cache for one token of the window on all slots."""

    weights: float
    token: float = 0.0
    overhead: float = 0.0
    """The memory of its engine. The host leaves it out when it decides whether the model fits."""
    longest: int = 0
    """The window that it was trained for. A host cuts a larger one to it. 0: unknown."""
    told: float = 0.0
    """What it takes by the word of the user, whatever is computed or shown. 0: the user does not say."""

    def size(self, window: int) -> float:
        return self.told or self.weights + self.token * window + self.overhead


@dataclass(frozen=True)
class Machine:
    """A host, as it is configured."""

    name: str
    slots: int = 1
    """Calls that one model answers at the same time."""
    memory: float | None = None
    """None: it is learned from the models that the host pushes out."""
    loads: bool = True
    """Whether it can be told to load and to unload. If not, all its models count as loaded."""
    unloads: bool = True
    """Whether MMOS may unload a model to make room for another. If not, the host decides which one leaves."""
    gpu: int = 0
    """The lowest number of its GPUs."""
    fullest: float = 1.0
    """The part of its memory that may be in use, if a GPU strategy is to choose it for one more model."""
    pinned: Collection[str] = ()
    """Models that are never unloaded for others, unless another host that pins them holds them."""


@dataclass(frozen=True, slots=True)
class Resident:
    """A model in the memory of a host, as `/api/ps` lists it."""

    model: str
    size: float
    window: int = 0
    on_gpu: float = math.inf
    """The part of it in the memory of GPUs. Infinite: all of it."""


class Usage(NamedTuple):
    """The figures of a reply."""

    prompt_tokens: float
    prompt_seconds: float
    output_tokens: float
    output_seconds: float
    load_seconds: float = 0.0
    total_seconds: float = 0.0
    cached_tokens: float | None = None
    """None: the host does not say."""

    def slowed(self, pace: float) -> Usage:
        """The same figures on a clock on which a second is `pace` seconds of the host."""
        read, write, load, whole = (
            seconds / pace for seconds in (self.prompt_seconds, self.output_seconds, self.load_seconds, self.total_seconds)
        )
        return self._replace(prompt_seconds=read, output_seconds=write, load_seconds=load, total_seconds=whole)


class Terms(NamedTuple):
    """What a decision costs, in seconds. Their sum is the expected time until the answer, and the prices of its effects on others."""

    wait: float = 0.0
    """Until a slot is free, or the model is in memory."""
    read: float = 0.0
    write: float = 0.0
    saved: float = 0.0
    """Reading that the cache saves. It is already left out of `read`."""
    displaced: float = 0.0
    """Reading that other sessions must repeat, because this call takes their place in the cache."""
    others: float = 0.0
    """Waiting for calls of other clients, as observed."""
    reluctance: float = 0.0

    @property
    def total(self) -> float:
        return self.wait + self.read + self.write + self.displaced + self.others + self.reluctance

    @property
    def until_done(self) -> float:
        return self.wait + self.read + self.write + self.others


class LoadTerms(NamedTuple):
    """Why a load is worth it, in seconds of waiting, summed over the calls."""

    ready: float
    """Seconds until the model can answer: calls that end first, and the load."""
    gain: float
    """Waiting that the load saves."""
    loss: float
    """Waiting that it costs the models that must leave."""
    back: float = 0.0
    """Seconds that those models need to be back: their longest load. 0: none must leave."""


@dataclass(frozen=True, slots=True)
class Alternative:
    """A host that could have served a call, and what was against it."""

    host: str
    seconds: float | None
    """Until the answer. None: it is closed."""
    wait: float
    """How much of that is waiting, for a slot or for the load."""
    why: Literal["busy", "load", "closed", "cache", "slower"]
    """It has other calls; it would have to load the model; it failed; its cache does not hold the prompt; it takes longer."""


class Send(NamedTuple):
    """Send a call to a host. `attempt` names this sending in later reports."""

    attempt: int
    call: Call
    host: str
    model: str
    window: int
    """The window that the model has there. 0: the caller chooses."""
    terms: Terms
    others: tuple[Alternative, ...] = ()
    """The best other hosts, at most three."""


@dataclass(frozen=True, slots=True)
class Recall:
    """Give up an attempt whose host shows no progress. The call is in the queue again."""

    attempt: int
    call: Call
    host: str
    model: str


@dataclass(frozen=True, slots=True)
class Load:
    """Load a model in a task of its own, and report `loaded` or `load_failed`."""

    host: str
    model: str
    window: int
    victims: tuple[str, ...]
    terms: LoadTerms


@dataclass(frozen=True, slots=True)
class Unload:
    """Unload a model that no call uses, and report `unloaded`."""

    host: str
    model: str
    rescue: bool = False
    """Whether it makes room for nothing: a host that loads no more goes on when a model leaves."""


@dataclass(frozen=True, slots=True)
class Look:
    """List the loaded models of a host, and report `resident`: a reply did not fit what is known."""

    host: str


Decision: TypeAlias = Send | Recall | Load | Unload | Look


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a waiting call can expect."""

    position: int
    """Its place among the calls that wait for the same models. 0: its model is being loaded, or it pauses."""
    seconds: float | None
    """Until a slot is free for it, or the load ends. None: no host can serve it now, or the load takes longer than usual."""
    part: float = 0.0
    """How much of the load is done, by the time that it usually takes."""
    host: str = ""
    """Empty: it waits for any host."""
    stuck: bool = False
    """Whether the host loads no more."""
    pauses: bool = False
    """Whether all its hosts are busy or have failed, and the next attempt follows after a pause."""
    held: str = ""
    """The limit that it waits for, and what is used of it."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A load that was decided and has not ended."""

    host: str
    model: str
    victims: tuple[str, ...]
    """The models that must leave for it."""
    begun: bool
    seconds: float | None
    """Until it should have ended. None: it takes longer than usual."""
    part: float
    """How much of it is done, by the time that it usually takes."""


@dataclass(frozen=True, slots=True)
class Standstill:
    """A host that loads no more, and only serves what it holds."""

    model: str
    """The model that it did not load, or not unload."""
    seconds: float
    """Since that was noticed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a fleet does now."""

    loads: tuple[Planned, ...] = ()
    waiting: Mapping[str, int] = field(default_factory=dict)
    """How many calls wait for each model."""
    stuck: Mapping[str, Standstill] = field(default_factory=dict)
    """The hosts that load no more."""
    used: Mapping[str, float] = field(default_factory=dict)
    """The bytes of the models in the memory of each host."""


@dataclass(frozen=True)
class Settings:
    """The constants of the cost model, in seconds if not said otherwise."""

    ahead: int = 1
    """Calls sent to a model beyond its slots, so that the next one is there when a slot is free."""
    horizon: float = 120.0
    """How far the engine looks ahead when it weighs a load."""
    hysteresis: float = 5.0
    """Waiting that a load must save beyond its cost, when it pushes a model out."""
    patience: float = 30.0
    batch_patience: float = 300.0
    """After this wait the model of a call is loaded, whatever that costs others."""
    bypass: float = 180.0
    batch_bypass: float = 900.0
    """After this wait a call goes before all others for its models."""
    lead: float = 60.0
    """Seconds of work by which a job that has begun may be ahead of its fair share."""
    memory_of_demand: float = 45.0
    """The time constant of the arrival rates."""
    replica: float = 0.3
    """The share of a load's price that counts when another host holds the model, too."""
    overdue_factor: float = 3.0
    overdue_seconds: float = 15.0
    """A host is silent when nothing came within the factor times the expected time, and this many seconds."""
    priors: Mapping[str, float] = field(default_factory=lambda: {"bandwidth": 300e9, "reading": 25.0, "disk": 1.5e9, "output": 200.0})
    """For a host never tried: bytes a second through which a token is written, how much faster it reads, bytes a second of its disk, tokens of an answer."""
