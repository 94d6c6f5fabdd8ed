"""One rehearsal host: its models, its memory, its faults, its clock, and all that it was asked."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from mmos.rehearsal.clock import Clock
from mmos.rehearsal.decoding import RefusalError, check_name
from mmos.rehearsal.faults import Faults
from mmos.rehearsal.personas import Model, full_name
from mmos.rehearsal.record import Log
from mmos.rehearsal.residency import Residency

VERSION = "0.33.0"
ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
WINDOW_TIERS = ((47, 262144), (23, 32768), (0, 4096))
"""The window of a host that is asked for none, by its memory in GiB."""
LEAST_WINDOW = 4


@dataclass(eq=False)
class Host:
    """A host to be served; everything that tests look at is here, in process."""

    name: str
    models: Sequence[Model] = ()
    time_scale: float | None = None
    """How many times as fast its time runs; None: nothing waits."""
    parallel: int = 1
    """Requests that one model serves at the same time."""
    vram_gb: float | None = None
    """Memory for models, in GiB; None has no end."""
    seed: int = 0
    pullable: Sequence[Model] = ()
    """What `/api/pull` finds in the registry."""
    version: str = VERSION
    wall: Callable[[], int] = time.time_ns

    url: str = field(default="", init=False)
    """Where it is served."""
    faults: Faults = field(default_factory=Faults, init=False)
    requests: Log = field(default_factory=Log, init=False)
    open: int = field(default=0, init=False)
    """Requests that are being answered now."""
    tokens_evaluated: int = field(default=0, init=False)
    tokens_reused: int = field(default=0, init=False)
    tokens_generated: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(self.time_scale, self.wall)
        self.residency = Residency(self.clock, parallel=self.parallel, memory=self.vram_gb)
        self.installed = {model.full_name: model for model in self.models}
        self.started = self.wall()
        self._played: Counter[str] = Counter()
        self._asked = 0

    @property
    def loads(self) -> int:
        return self.residency.loads

    def model(self, name: str, missing: str) -> Model:
        """The installed model of that name; `missing` is what is said where there is none."""
        check_name(name)
        found = self.installed.get(full_name(name))
        if found is None:
            raise RefusalError(404, missing)
        return found

    def window(self, model: Model, options: Mapping[str, Any]) -> int:
        """The window that a request gets: its own wish or the host's, within what the model was trained for."""
        usual = next(window for memory, window in WINDOW_TIERS if (self.vram_gb or 0) >= memory)
        wished = int(options.get("num_ctx") or usual)
        return max(LEAST_WINDOW, min(wished, model.context_length))

    # ------------------------------------------------------------ order, so that the same requests give the same bytes

    def next_request(self) -> int:
        """The number of a request to a model."""
        self._asked += 1
        return self._asked

    def call_id(self, request: int, index: int) -> str:
        number = int.from_bytes(blake2b(f"{self.seed}/{request}/{index}".encode(), digest_size=8).digest(), "big")
        signs = []
        for _ in range(8):
            number, sign = divmod(number, len(ALPHABET))
            signs.append(ALPHABET[sign])
        return f"call_{''.join(signs)}"

    def take_turn(self, model: Model) -> int:
        """How many answers this model has given before this one."""
        self._played[model.full_name] += 1
        return self._played[model.full_name] - 1

    def return_turn(self, model: Model, number: int) -> None:
        """An answer that never arrived was not given: the next request gets the same turn."""
        if self._played[model.full_name] == number + 1:
            self._played[model.full_name] = number

    def stats(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "open": self.open,
            "total": self.requests.total,
            "loads": self.loads,
            "tokens_evaluated": self.tokens_evaluated,
            "tokens_reused": self.tokens_reused,
            "tokens_generated": self.tokens_generated,
            "loaded": {runner.model.full_name: runner.window for runner in self.residency.loaded()},
            "requests": [seen.to_json() for seen in self.requests],
        }
