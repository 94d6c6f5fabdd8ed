"""Reads the NVIDIA GPUs of this machine with NVML, the library of the NVIDIA driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import PurePath
from typing import Any, Protocol, TypeVar

INSTALL = "pip install 'mmos[gpu]'"
_NO_PACKAGE = "the package nvidia-ml-py is not installed"

Figure = TypeVar("Figure")


class Nvml(Protocol):
    """What MMOS uses of `pynvml`. A GPU is an opaque handle."""

    NVMLError: type[Exception]
    NVMLError_GpuIsLost: type[Exception]
    NVML_TEMPERATURE_GPU: int

    def nvmlInit(self) -> None: ...
    def nvmlShutdown(self) -> None: ...
    def nvmlSystemGetProcessName(self, pid: int) -> str | bytes: ...
    def nvmlDeviceGetCount(self) -> int: ...
    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any: ...
    def nvmlDeviceGetName(self, handle: Any) -> str | bytes: ...
    def nvmlDeviceGetUUID(self, handle: Any) -> str | bytes: ...
    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Any: ...
    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Any: ...
    def nvmlDeviceGetTemperature(self, handle: Any, sensor: int) -> int: ...
    def nvmlDeviceGetPowerUsage(self, handle: Any) -> int: ...
    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any) -> Sequence[Any]: ...
    def nvmlDeviceGetGraphicsRunningProcesses(self, handle: Any) -> Sequence[Any]: ...


@dataclass(frozen=True)
class GpuProcess:
    """A process that has memory on a GPU."""

    pid: int
    name: str
    """Empty: the driver does not say."""
    memory: int | None
    """In bytes. None: the driver does not say, as on Windows."""
    draws: bool = False
    """Whether it only draws, like the desktop of the machine."""


@dataclass(frozen=True)
class Gpu:
    """A GPU. A figure that it does not have is None."""

    index: int
    name: str = ""
    uuid: str = ""
    total: int | None = None
    """Its memory in bytes."""
    used: int | None = None
    free: int | None = None
    load: int | None = None
    """Percent of the last moment in which it was busy."""
    temperature: int | None = None
    """In degrees Celsius."""
    power: float | None = None
    """In watts."""
    processes: tuple[GpuProcess, ...] = ()
    fault: str = ""
    """Why it cannot be used. Empty: it can."""


@dataclass(frozen=True)
class Gpus:
    """The GPUs of this machine. If there are none: why, and what helps."""

    gpus: tuple[Gpu, ...] = ()
    reason: str = ""
    next_step: str = ""

    @property
    def absent(self) -> str:
        return f"This machine has no NVIDIA GPU that MMOS can read: {self.reason}."


def visible(gpus: Sequence[Gpu]) -> dict[str, str]:
    """The environment in which a program sees only these GPUs. CUDA may number GPUs in another order than the driver, so their ids are better."""
    if all(gpu.uuid for gpu in gpus):
        return {"CUDA_VISIBLE_DEVICES": ",".join(gpu.uuid for gpu in gpus)}
    return {"CUDA_VISIBLE_DEVICES": ",".join(str(gpu.index) for gpu in gpus), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def read() -> Gpus:
    """The GPUs of this machine, without noise where there are none."""
    try:
        library: Any = import_module("pynvml")
    except ImportError:
        return Gpus((), _NO_PACKAGE, f"Install it: {INSTALL}")
    return read_with(library)


def read_with(nvml: Nvml) -> Gpus:
    """The GPUs that this library shows."""
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        return Gpus((), f"the NVIDIA driver answers '{error}'", "If there is a GPU, run nvidia-smi: it must list it.")
    try:
        gpus = tuple(_gpu(nvml, index) for index in range(nvml.nvmlDeviceGetCount()))
    except nvml.NVMLError as error:
        return Gpus((), f"the NVIDIA driver answers '{error}'", "Run nvidia-smi: it must list the GPU.")
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()
    return Gpus(gpus) if gpus else Gpus((), "the NVIDIA driver lists no GPU", "Run nvidia-smi: it must list the GPU.")


def _gpu(nvml: Nvml, index: int) -> Gpu:
    gpu = Gpu(index)
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        gpu = replace(gpu, name=_text(nvml.nvmlDeviceGetName(handle)), uuid=_text(nvml.nvmlDeviceGetUUID(handle)))
        memory = _figure(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
        rates = _figure(nvml, lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
        milliwatts = _figure(nvml, lambda: nvml.nvmlDeviceGetPowerUsage(handle))
        return replace(
            gpu,
            total=memory.total if memory else None,
            used=memory.used if memory else None,
            free=memory.free if memory else None,
            load=rates.gpu if rates else None,
            temperature=_figure(nvml, lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
            power=None if milliwatts is None else milliwatts / 1000,
            processes=_processes(nvml, handle),
        )
    except nvml.NVMLError as error:  # lost, for example, since they were counted
        return replace(gpu, fault=str(error))


def _figure(nvml: Nvml, ask: Callable[[], Figure]) -> Figure | None:
    """None: this GPU or its driver does not have the figure, like many laptops and MIG instances."""
    try:
        return ask()
    except nvml.NVMLError_GpuIsLost:
        raise
    except nvml.NVMLError:
        return None


def _processes(nvml: Nvml, handle: Any) -> tuple[GpuProcess, ...]:
    """A process that computes and draws counts once, as one that computes."""
    drawing = _figure(nvml, lambda: nvml.nvmlDeviceGetGraphicsRunningProcesses(handle)) or ()
    computing = _figure(nvml, lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle)) or ()
    found = {one.pid: (one, draws) for draws, some in ((True, drawing), (False, computing)) for one in some}
    return tuple(GpuProcess(pid, _name(nvml, pid), one.usedGpuMemory, draws) for pid, (one, draws) in sorted(found.items()))


def _name(nvml: Nvml, pid: int) -> str:
    return PurePath(_text(_figure(nvml, lambda: nvml.nvmlSystemGetProcessName(pid)) or "")).name


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
