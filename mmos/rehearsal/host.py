"""Defines a rehearsal host: its models, memory, faults, clock, and the log of its requests."""

from __future__ import annotations

import math
import string
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from hashlib import blake2b
from typing import Any

from mmos.rehearsal.clock import Clock
from mmos.rehearsal.decoding import RefusalError, check_name
from mmos.rehearsal.faults import Faults
from mmos.rehearsal.memory import GIB, Cards, Need
from mmos.rehearsal.personas import Model, key
from mmos.rehearsal.profiles import PROFILES, Version
from mmos.rehearsal.record import Log
from mmos.rehearsal.residency import Limits, Residency

SIGNS = string.digits + string.ascii_lowercase
LETTERS = string.ascii_letters + string.digits
LOAD_OPTIONS = ("num_gpu", "num_thread", "num_batch", "main_gpu", "use_mmap")
WINDOW_TIERS = ((47, 262144), (23, 32768), (0, 4096))
"""The default window of a host, by its memory in GiB."""
LEAST_WINDOW = 4


@dataclass(eq=False)
class Host:
    """A host that `serve` can serve. Tests can read its state directly."""

    name: str
    models: Sequence[Model] = ()
    time_scale: float | None = None
    """How many times as fast as real time its clock runs. None: nothing waits."""
    parallel: int = 1
    """Requests that one model serves at the same time."""
    vram_gb: float | None = None
    """Memory for models, in GiB. None: no limit."""
    seed: int = 0
    pullable: Sequence[Model] = ()
    """Models that `/api/pull` finds in the registry."""
    version: str = ""
    """The version that it reports. Default: the version of its profile."""
    wall: Callable[[], int] = time.time_ns
    _: KW_ONLY
    profile: Version = "0.33"
    """The Ollama version that it imitates."""
    max_loaded: int | None = None
    """Models in memory at the same time. None: three for each GPU."""
    max_queue: int = 512
    """Requests that may wait for a load. One more gets a 503."""
    keep_alive: float = 300.0
    """Seconds that an idle model stays in memory, if no request says otherwise."""
    disk_gbps: float | None = None
    """Gigabytes of a model that it reads in a second. None: each model's own `load_seconds`."""
    gpus: Sequence[float] = ()
    """GiB of each GPU, when there are several. Without `vram_gb`, their sum is the memory."""
    speed_factor: float = 1.0
    """A factor for the speed of all its models, in reading and writing."""
    swap_seconds: float = 2.0
    """Seconds until a GPU reports freed memory. A host without GPUs does not wait."""
    steady: Callable[[], float] = time.monotonic
    """The clock behind its own time. A simulation passes one that jumps over waits."""

    url: str = field(default="", init=False)
    """Its URL while it is served."""
    faults: Faults = field(default_factory=Faults, init=False)
    requests: Log = field(default_factory=Log, init=False)
    blobs: set[str] = field(default_factory=set, init=False)
    """The digests of the files that clients sent to it."""
    open: int = field(default=0, init=False)
    """Requests that it answers now."""
    tokens_evaluated: int = field(default=0, init=False)
    tokens_reused: int = field(default=0, init=False)
    tokens_generated: int = field(default=0, init=False)
    queue_seconds: float = field(default=0.0, init=False)
    """Seconds, in its own time, that requests waited for a slot."""
    ahead: int = field(default=0, init=False)
    """Nanoseconds by which its time of day is wrong."""

    def __post_init__(self) -> None:
        if self.vram_gb is None and self.gpus:
            self.vram_gb = sum(self.gpus)
        self.rules = PROFILES[self.profile]
        self.version = self.version or self.rules.version
        self.clock = Clock(self.time_scale, lambda: self.wall() + self.ahead, self.steady)
        self.residency = Residency(self.clock, self._limits(), self.rules)
        self.installed = {model.key: model for model in self.models}
        self.started = self.wall()
        self._turns: Counter[str] = Counter()
        self._request_count = 0

    def _limits(self) -> Limits:
        sizes = [size * GIB for size in self.gpus] or [math.inf if self.vram_gb is None else self.vram_gb * GIB]
        return Limits(
            Cards(sizes),
            max_loaded=3 * len(sizes) if self.max_loaded is None else self.max_loaded,
            max_queue=self.max_queue,
            keep_alive=math.inf if self.keep_alive < 0 else self.keep_alive,
            swap_seconds=0.0 if self.vram_gb is None else self.swap_seconds,
            disk_gbps=self.disk_gbps,
        )

    @property
    def loads(self) -> int:
        return self.residency.tally.loads

    @property
    def swaps(self) -> int:
        """Loads that pushed a model out of memory."""
        return self.residency.tally.swaps

    def model(self, name: str, missing: str) -> Model:
        """The installed model of this name. `missing` is the error text when there is none."""
        check_name(name, self.rules)
        found = self.installed.get(key(name, suffixes=self.rules.suffixes))
        if found is None:
            raise RefusalError(404, missing)
        return found

    def capabilities(self, model: Model) -> Sequence[str]:
        """The capabilities of the model on this host. A model that needs the native path has no tools on a host without it."""
        deaf = model.path == "native" and not self.rules.native
        return [name for name in model.capabilities if not (deaf and name == "tools")]

    def need(self, model: Model, options: Mapping[str, Any], *, shift: bool = True, keep_alive: float | None = None) -> Need:
        """The model with the window and the options that a request wants it loaded with."""
        parallel = 1 if model.can("embedding") else self.parallel
        values = {**model.parameters, **options}
        load_options = {name: values[name] for name in LOAD_OPTIONS if values.get(name) is not None}
        return Need(model, self.window(model, values), parallel, load_options if shift else {**load_options, "shift": False}, keep_alive)

    def window(self, model: Model, options: Mapping[str, Any]) -> int:
        """The window that a request gets: its own or the host's default, at most the one that the model was trained for."""
        usual = next(window for memory, window in WINDOW_TIERS if (self.vram_gb or 0) >= memory)
        requested = int(options.get("num_ctx") or min(usual, model.context_length))
        return max(LEAST_WINDOW, min(requested, model.context_length) if self.rules.clamps_window else requested)

    # ------------------------------------------------------------ order, so that the same requests give the same bytes

    def next_request(self) -> int:
        """The number of a request to a model."""
        self._request_count += 1
        return self._request_count

    def call_id(self, request: int, index: int, *, native: bool = False) -> str:
        """An id for a call. The server's ids have a prefix and eight characters, an engine's have 32."""
        signs = blake2b(f"{self.seed}/{request}/{index}".encode(), digest_size=32).digest()
        if native:
            return "".join(LETTERS[sign % len(LETTERS)] for sign in signs)
        return "call_" + "".join(SIGNS[sign % len(SIGNS)] for sign in signs[:8])

    def take_turn(self, model: Model) -> int:
        """How many answers this model gave before this one."""
        self._turns[model.key] += 1
        return self._turns[model.key] - 1

    def return_turn(self, model: Model, number: int) -> None:
        """Take back an answer that never arrived, so the next request gets the same turn."""
        if self._turns[model.key] == number + 1:
            self._turns[model.key] = number

    def stats(self) -> dict[str, Any]:
        tally = self.residency.tally
        return {
            "name": self.name,
            "open": self.open,
            "total": self.requests.total,
            "loads": tally.loads,
            "swaps": tally.swaps,
            "load_seconds": round(tally.seconds, 3),
            "queue_seconds": round(self.queue_seconds, 3),
            "refused": tally.refused,
            "tokens_evaluated": self.tokens_evaluated,
            "tokens_reused": self.tokens_reused,
            "tokens_generated": self.tokens_generated,
            "loaded": {runner.model.full_name: runner.window for runner in self.residency.loaded()},
            "requests": [entry.to_json() for entry in self.requests],
        }
