"""Makes faults on a host on demand: what goes wrong, for which requests, and how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

Kind = Literal[
    "refuse",
    "flapping",
    "hang",
    "late",
    "stall",
    "cut",
    "no_done",
    "error_line",
    "garbage",
    "slow",
    "truncate",
    "status",
    "busy",
    "html",
    "redirect",
    "oom",
    "load_stall",
    "killed",
    "deadlock",
    "wrong_vram",
    "clock_jump",
]
MID_STREAM = ("stall", "cut", "no_done", "error_line", "garbage")
"""Faults in the middle of a model's answer."""
DOORS = ("refuse", "flapping")
"""Faults that keep the host from listening."""
ALWAYS = (*DOORS, "wrong_vram")
"""Faults of the host as a whole, not of single requests."""
CRASH = "an error was encountered while running the model: unexpected EOF"
OUT_OF_MEMORY = ": cudaMalloc failed: out of memory\nerror loading model: unable to allocate CUDA0 buffer"
LOAD_TIMEOUT = 300.0
AT_THE_END = 1 << 62


@dataclass(frozen=True)
class Fault:
    """A fault: its kind, and the requests that it affects."""

    kind: Kind
    path: str = "/api/chat"
    """The route that it affects. `*`: every route."""
    model: str | None = None
    times: int | None = None
    """How many requests it affects. None: all of them."""
    after: int = 0
    """How many matching requests pass before it starts."""
    chunks: int | None = None
    """In a stream: after how many chunks it starts. Default: 1. `garbage`: 0. `no_done`: at the end."""
    status: int = 500
    error: str | None = None
    """The text of an error line, or the error in a `status` with a body like Ollama's."""
    body: str = ""
    """The whole body of a `status`."""
    factor: float = 10.0
    """How many times slower the host is, how many times too small the memory is that `ps` reports, or how many times smaller the window is than
    the host says."""
    location: str = "http://127.0.0.1:9/"
    """The target of a redirect."""
    seconds: float | None = None
    """Seconds, by kind. `refuse`: how long it lasts (default: until it is cleared). `flapping`: how long the host is shut, and then open (0.2).
    `late`: how late the host starts (0.2). `clock_jump`: how far the time of day jumps (3600). These are real seconds.
    `load_stall`: how long a load stops before it fails, in the host's seconds (300)."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"unknown kind of fault {self.kind!r}; allowed: {', '.join(get_args(Kind))}")

    @property
    def place(self) -> int:
        """After how many chunks it starts."""
        usual = {"garbage": 0, "no_done": AT_THE_END}.get(self.kind, 1)
        return usual if self.chunks is None else self.chunks

    @classmethod
    def from_json(cls, data: Any) -> Fault:
        known = {field.name for field in fields(cls)}
        if not isinstance(data, Mapping) or "kind" not in data or not data.keys() <= known:
            raise ValueError(f"a fault is an object with `kind` and any of: {', '.join(sorted(known - {'kind'}))}")
        return cls(**data)


@dataclass
class ActiveFault:
    """An added fault, and its state."""

    fault: Fault
    seen: int = 0
    hits: int = 0
    shut: bool = True
    """Whether `flapping` keeps the host shut now."""

    @property
    def refuses(self) -> bool:
        return self.fault.kind in DOORS and self.seen >= self.fault.after and self.shut

    def strikes(self, path: str, model: str) -> bool:
        fault = self.fault
        if fault.path not in ("*", path) or fault.model not in (None, model):
            return False
        self.seen += 1
        if self.seen <= fault.after or (fault.times is not None and self.hits >= fault.times):
            return False
        self.hits += 1
        return True


class Faults:
    """The faults of one host, in the order of their addition. The first one that matches a request applies."""

    def __init__(self) -> None:
        self._active: list[ActiveFault] = []
        self.changed: Callable[[], None] = lambda: None
        """Called when faults are added or removed, or when one starts to refuse."""

    def add(self, kind: Kind | Fault, **options: Any) -> ActiveFault:
        active = ActiveFault(kind if isinstance(kind, Fault) else Fault(kind, **options))
        self._active.append(active)
        self.changed()
        return active

    def remove(self, active: ActiveFault) -> None:
        if active in self._active:
            self._active.remove(active)
        self.changed()

    def clear(self) -> None:
        self._active.clear()
        self.changed()

    def strike(self, path: str, model: str) -> Fault | None:
        """The fault that applies to this request, if any."""
        for active in self._active:
            if active.fault.kind in DOORS:
                active.seen += 1
        if self.refusal:
            self.changed()
        return next((active.fault for active in self._active if active.fault.kind not in ALWAYS and active.strikes(path, model)), None)

    @property
    def refusal(self) -> ActiveFault | None:
        """The fault that keeps the host from listening now."""
        return next((active for active in self._active if active.refuses), None)

    @property
    def flapping(self) -> ActiveFault | None:
        return next((active for active in self._active if active.fault.kind == "flapping" and active.seen >= active.fault.after), None)

    def lie(self, model: str) -> float:
        """How many times too small the memory of a model is that `ps` reports."""
        lying = [active.fault for active in self._active if active.fault.kind == "wrong_vram" and active.fault.model in (None, model)]
        return lying[0].factor if lying else 1.0

    def to_json(self) -> list[dict[str, Any]]:
        return [{**asdict(active.fault), "seen": active.seen, "hits": active.hits} for active in self._active]
