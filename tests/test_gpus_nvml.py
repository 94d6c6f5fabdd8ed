"""Reading GPUs: what the driver shows, and what it does not."""

from __future__ import annotations

import pytest

from mmos.gpus.nvml import Gpu, GpuProcess, read_with
from tests.nvml import GIB, Board, Pynvml


def test_everything_that_the_driver_shows_is_read() -> None:
    board = Board(used=6 * GIB, load=97, computing={12: 5 * GIB, 7: 1 * GIB}, drawing={7: 1 * GIB, 3: None})
    nvml = Pynvml([board, Board(total=48 * GIB)], names={12: "/usr/lib/ollama/llama-server", 7: "blender"})
    seen = read_with(nvml)
    processes = (GpuProcess(3, "", None, draws=True), GpuProcess(7, "blender", GIB), GpuProcess(12, "llama-server", 5 * GIB))
    assert seen.gpus[0] == Gpu(0, "NVIDIA Test 0", "GPU-0", 24 * GIB, 6 * GIB, 18 * GIB, 97, 41, 75.5, processes)
    assert (seen.gpus[1].index, seen.gpus[1].free, seen.reason) == (1, 48 * GIB, "")
    assert nvml.open == 0, "the driver's library is closed again"


def test_figures_that_a_gpu_does_not_have_are_unknown() -> None:
    lacks = ("UtilizationRates", "Temperature", "PowerUsage", "GraphicsRunningProcesses", "ComputeRunningProcesses")
    (laptop,) = read_with(Pynvml([Board(lacks=lacks)])).gpus
    assert (laptop.load, laptop.temperature, laptop.power, laptop.processes, laptop.fault) == (None, None, None, (), "")
    assert laptop.free == 24 * GIB
    (shared,) = read_with(Pynvml([Board(lacks=("MemoryInfo",))])).gpus
    assert (shared.total, shared.free, shared.fault) == (None, None, "")


@pytest.mark.parametrize("function", ["HandleByIndex", "MemoryInfo", "ComputeRunningProcesses"])
def test_a_gpu_that_gets_lost_meanwhile_hides_no_other(function: str) -> None:
    nvml = Pynvml([Board(lost=function), Board()])
    lost, well = read_with(nvml).gpus
    assert (lost.fault, lost.free) == ("GPU is lost", None)
    assert (well.fault, well.free, nvml.open) == ("", 24 * GIB, 0)


@pytest.mark.parametrize(
    ("nvml", "reason"),
    [
        (Pynvml([], starts="Driver/library version mismatch"), "the NVIDIA driver answers 'Driver/library version mismatch'"),
        (Pynvml([]), "the NVIDIA driver lists no GPU"),
    ],
)
def test_a_machine_without_gpus_says_why(nvml: Pynvml, reason: str) -> None:
    seen = read_with(nvml)
    assert (seen.gpus, seen.reason) == ((), reason)
    assert "nvidia-smi" in seen.next_step
