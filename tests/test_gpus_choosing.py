"""Reserving GPUs: which one a strategy chooses, what is refused and why, and when a reservation ends."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mmos.config.schema import Gpu as Rules
from mmos.errors import NoGpu, StateDamaged, StateError, UsageError
from mmos.gpus import processes
from mmos.gpus.choosing import Wish, allocate, choose, holdings, release
from mmos.gpus.claims import Claim, Claims
from mmos.gpus.nvml import Gpu, GpuProcess, Gpus

GIB = 1 << 30


def gpu(index: int, used: float = 0, total: float = 24, *, load: int = 0, pids: Mapping[int, float] | None = None) -> Gpu:
    running = tuple(GpuProcess(pid, "ollama", int(size * GIB)) for pid, size in (pids or {}).items())
    return Gpu(
        index, f"card {index}", f"GPU-{index}", int(total * GIB), int(used * GIB), int((total - used) * GIB), load, processes=running
    )


def claim(name: str, *gpus: int, vram: float | None = None, owner: int | None = None) -> Claim:
    return Claim(name, gpus, 0.0, vram, owner, "")


def chosen(gpus: Sequence[Gpu], claims: Sequence[Claim] = (), *, vram: float | None = None, **rules: Any) -> int:
    return choose(holdings(gpus, claims, lambda pid: [pid]), Rules(**rules), vram).gpu.index


@pytest.mark.parametrize(
    ("strategy", "index"),
    [("auto", 2), ("round_robin", 1), ("pack", 0), ("spread", 3)],
)
def test_each_strategy_chooses_by_its_own_measure(strategy: str, index: int) -> None:
    gpus = [
        gpu(0, 12, 24, pids={1: 6, 2: 6}),  # the lowest
        gpu(1, 12, 24, pids={3: 12}),  # one model, like the next, and a lower number
        gpu(2, 30, 80, pids={4: 30}),  # the most free memory
        gpu(3, 2, 12, pids={5: 1, 6: 1}),  # the smallest part in use
    ]
    assert chosen(gpus, strategy=strategy) == index


def test_of_two_equally_full_gpus_spread_takes_the_idle_one() -> None:
    assert chosen([gpu(0, 6, load=90), gpu(1, 6, load=5)], strategy="spread") == 1


def test_pack_goes_on_where_there_is_room() -> None:
    assert chosen([gpu(0, 10), gpu(1)], strategy="pack", vram=20) == 1


def test_what_is_reserved_and_not_in_use_yet_is_not_given_away() -> None:
    gpus = [gpu(0), gpu(1, 10, pids={7: 10})]
    assert chosen(gpus, [claim("a", 0, vram=20)]) == 1
    assert chosen(gpus, [claim("a", 0, vram=8)]) == 0
    # the process of a reservation uses what was reserved: it does not count twice
    used = [gpu(0, 20, 48, pids={9: 20}), gpu(1, 12, 24)]
    assert chosen(used, [claim("a", 0, vram=20, owner=9)], vram=20) == 0
    assert chosen(used, [claim("a", 0, vram=20)], vram=20) == 0
    with pytest.raises(NoGpu, match=r"GPU 0: 8.0 GB free, 20 GB needed. GPU 1: 12.0 GB free, 20 GB needed."):
        chosen(used, [claim("a", 0, vram=20, owner=1)], vram=20)


def test_a_refusal_names_the_reason_of_each_gpu() -> None:
    lost, unknown = Gpu(2, fault="GPU is lost"), Gpu(3, "laptop", "GPU-3")
    with pytest.raises(NoGpu) as caught:
        chosen([gpu(0, 22), gpu(1), lost, unknown], [claim("job", 1, vram=23)], vram=1)
    assert str(caught.value) == (
        "No GPU can be had. GPU 0: 92 % full, at most 85 % allowed. GPU 1: 96 % full, at most 85 % allowed. GPU 2: GPU is lost. "
        "GPU 3: its memory is unknown. `mmos gpu status` shows who holds the GPUs."
    )
    assert chosen([lost, unknown]) == 3, "without --vram a GPU of unknown memory can be had"


def test_without_sharing_a_held_gpu_is_not_chosen() -> None:
    desktop = Gpu(1, "card 1", "GPU-1", 24 * GIB, GIB, 23 * GIB, processes=(GpuProcess(3, "Xorg", GIB, draws=True),))
    assert chosen([gpu(0), desktop], [claim("job", 0)], allow_shared_gpu=False) == 1, "a desktop holds nothing"
    with pytest.raises(NoGpu, match=r"GPU 0: held by job. GPU 1: held by ollama 4."):
        chosen([gpu(0), gpu(1, 1, pids={4: 1})], [claim("job", 0)], allow_shared_gpu=False)


# ---------------------------------------------------------------- the list of reservations


def wish(name: str, *gpus: int, vram: float | None = None, owner: int | None = None, started: str = "", **rules: Any) -> Wish:
    return Wish(Claim(name, gpus, 5.0, vram, owner, started), Rules(**rules))


def test_a_reservation_is_kept_until_it_is_released(tmp_path: Path) -> None:
    claims, found = Claims(tmp_path / "state"), Gpus((gpu(0), gpu(1)))
    assert claims.read() == []
    first = allocate(claims, found, wish("night", vram=20))
    both = allocate(claims, found, wish("both", 1, 0))
    assert (first.gpus, both.gpus) == ((0,), (1, 0))
    assert Claims(tmp_path / "state").read() == [first, both]
    with pytest.raises(UsageError, match="'night' holds GPUs already"):
        allocate(claims, found, wish("night"))
    with pytest.raises(UsageError, match=r"'day' holds no GPU. Reservations: night, both."):
        release(claims, ["night", "day"])
    assert release(claims, ["night"]) == [first]
    assert release(claims, []) == [both]
    assert [path.name for path in (tmp_path / "state").iterdir()] != []
    assert not list((tmp_path / "state").glob("*.new"))


def test_a_named_gpu_may_be_full_but_not_missing_and_not_too_small(tmp_path: Path) -> None:
    claims, found = Claims(tmp_path), Gpus((gpu(0, 23),))
    assert allocate(claims, found, wish("a", 0)).gpus == (0,)
    with pytest.raises(NoGpu, match=r"GPU 0: 1.0 GB free, 2 GB needed"):
        allocate(claims, found, wish("b", 0, vram=2))
    with pytest.raises(UsageError, match=r"This machine has no GPU 7. GPUs: 0."):
        allocate(claims, found, wish("c", 7))
    with pytest.raises(UsageError, match="The strategy is manual"):
        allocate(claims, found, wish("d", strategy="manual"))
    with pytest.raises(NoGpu, match="has no NVIDIA GPU that MMOS can read: no driver"):
        allocate(claims, Gpus((), "no driver", "Install one."), wish("e"))
    assert [one.name for one in claims.read()] == ["a"]


def test_a_reservation_ends_with_its_owner(tmp_path: Path) -> None:
    claims, found = Claims(tmp_path), Gpus((gpu(0),))
    mine = os.getpid()
    allocate(claims, found, wish("mine", owner=mine, started=processes.started(mine)))
    allocate(claims, found, wish("earlier", owner=mine, started="another-boot/1"))
    assert [one.name for one in claims.read()] == ["mine"]
    assert allocate(claims, found, wish("earlier")).name == "earlier", "the name is free again"


def test_the_last_gpu_goes_to_one_of_many(tmp_path: Path) -> None:
    claims, found, got = Claims(tmp_path), Gpus((gpu(0), gpu(1))), []

    def take(name: str) -> None:
        try:
            got.append(allocate(claims, found, wish(name, allow_shared_gpu=False)).gpus)
        except NoGpu:
            got.append(())

    threads = [threading.Thread(target=take, args=(f"job-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [()] * 6 + [(0,), (1,)]


@pytest.mark.parametrize("text", ["", "[]", '{"claims": [1]}', '{"claims": [{"name": "a"}]}'])
def test_a_damaged_list_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    (tmp_path / "gpus.json").write_text(text)
    with pytest.raises(StateDamaged, match="no list of reserved GPUs"):
        allocate(Claims(tmp_path), Gpus((gpu(0),)), wish("a"))
    assert (tmp_path / "gpus.json").read_text() == text


def test_a_list_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gpus.json").symlink_to("/etc/passwd")
    with pytest.raises(StateError, match="symbolic link"):
        release(Claims(tmp_path), [])


def test_processes_know_their_parents() -> None:
    mine = os.getpid()
    assert list(processes.ancestors(mine))[:2] == [mine, os.getppid()]
    assert processes.started(mine) == processes.started(mine) != processes.started(1)
    assert (processes.started(2**22 + 1), list(processes.ancestors(0))) == ("", [])
