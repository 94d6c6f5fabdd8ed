"""A double of `pynvml`: GPUs that a test describes, for calls in this process and for commands in others."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

GIB = 1 << 30
PATH = "MMOS_TESTS_GPUS"
MODULE = f"""\
import os, sys
from tests.nvml import of_file

sys.modules[__name__] = of_file(os.environ["{PATH}"])
"""


class Failure(Exception):
    pass


class Lost(Failure):
    pass


@dataclass(frozen=True)
class Board:
    """A GPU as the driver shows it."""

    total: int = 24 * GIB
    used: int = 0
    load: int = 0
    computing: Mapping[int, int | None] = field(default_factory=dict)
    """The memory of each process."""
    drawing: Mapping[int, int | None] = field(default_factory=dict)
    lacks: Sequence[str] = ()
    """Functions that this GPU does not support, without `nvmlDeviceGet`."""
    lost: str = ""
    """The function in which it gets lost."""


class Pynvml:
    """Behaves like the module `pynvml` on a machine with these GPUs."""

    NVMLError = Failure
    NVMLError_GpuIsLost = Lost
    NVML_TEMPERATURE_GPU = 0

    def __init__(self, boards: Sequence[Board], *, starts: str = "", names: Mapping[int, str] | None = None) -> None:
        self.boards = list(boards)
        self.starts = starts
        """Why it does not start. Empty: it starts."""
        self.names = names or {}
        self.open = 0

    def nvmlInit(self) -> None:
        if self.starts:
            raise Failure(self.starts)
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.boards)

    def nvmlSystemGetProcessName(self, pid: int) -> str:
        if pid not in self.names:
            raise Failure("Not Found")
        return self.names[pid]

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return self._get(index, "HandleByIndex", index)

    def nvmlDeviceGetName(self, index: int) -> str:
        return self._get(index, "Name", f"NVIDIA Test {index}")

    def nvmlDeviceGetUUID(self, index: int) -> bytes:
        return self._get(index, "UUID", f"GPU-{index}".encode())  # bytes, as older versions answer

    def nvmlDeviceGetMemoryInfo(self, index: int) -> Any:
        board = self.boards[index]
        return self._get(index, "MemoryInfo", SimpleNamespace(total=board.total, used=board.used, free=board.total - board.used))

    def nvmlDeviceGetUtilizationRates(self, index: int) -> Any:
        return self._get(index, "UtilizationRates", SimpleNamespace(gpu=self.boards[index].load, memory=0))

    def nvmlDeviceGetTemperature(self, index: int, sensor: int) -> int:
        return self._get(index, "Temperature", 41)

    def nvmlDeviceGetPowerUsage(self, index: int) -> int:
        return self._get(index, "PowerUsage", 75_500)

    def nvmlDeviceGetComputeRunningProcesses(self, index: int) -> Any:
        return self._get(index, "ComputeRunningProcesses", _processes(self.boards[index].computing))

    def nvmlDeviceGetGraphicsRunningProcesses(self, index: int) -> Any:
        return self._get(index, "GraphicsRunningProcesses", _processes(self.boards[index].drawing))

    def _get(self, index: int, function: str, value: Any) -> Any:
        assert self.open == 1
        if self.boards[index].lost == function:
            raise Lost("GPU is lost")
        if function in self.boards[index].lacks:
            raise Failure("Not Supported")
        return value


def _processes(memory: Mapping[int, int | None]) -> list[Any]:
    return [SimpleNamespace(pid=int(pid), usedGpuMemory=size) for pid, size in memory.items()]


def of_file(path: str) -> Pynvml:
    described = json.loads(Path(path).read_text())
    names = {int(pid): name for pid, name in described["names"].items()}
    return Pynvml([Board(**board) for board in described["boards"]], names=names)


def installed(folder: Path, *boards: Board, names: Mapping[int, str] | None = None) -> dict[str, str]:
    """The environment of a command on a machine with these GPUs. Call it again to change them."""
    place = folder / "driver"
    place.mkdir(exist_ok=True)
    (place / "pynvml.py").write_text(MODULE)
    (place / "gpus.json").write_text(json.dumps({"boards": [asdict(board) for board in boards], "names": names or {}}))
    return {"PYTHONPATH": os.pathsep.join([str(place), *filter(None, [os.environ.get("PYTHONPATH")])]), PATH: str(place / "gpus.json")}
