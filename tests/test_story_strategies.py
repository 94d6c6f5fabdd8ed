"""Stories of GPU strategies: each server has one GPU, and the strategy decides where a model is loaded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.config.load import from_mapping
from mmos.testing import Host, Model, serve
from tests.fleets import DEAD, fleet_at

GB = 1_000_000_000
MEMORY = {"c": 24, "b": 48, "a": 12}
"""The servers in the order of the file. Their GPUs are 0, 1 and 2."""
SIZES = {"one": 6 * GB, "two": 6 * GB, "three": 6 * GB, "large": 16 * GB}
ASK = [{"role": "user", "content": "How?"}]


def host(name: str, **more: Any) -> Host:
    models = [Model.scripted(model, ["So."], repeat=True, size=size) for model, size in SIZES.items()]
    return Host(name, models, vram_gb=MEMORY[name], time_scale=200.0, **more)


def servers(urls: dict[str, str]) -> dict[str, Any]:
    return {name: {"url": urls[name], "vram_gb": MEMORY[name], "gpus": [gpu], "time_scale": 200.0} for gpu, name in enumerate(MEMORY)}


@asynccontextmanager
async def fleet(gone: str = "", **gpu: Any) -> AsyncIterator[mmos.Fleet]:
    async with AsyncExitStack() as stack:
        urls = {name: DEAD if name == gone else await stack.enter_async_context(serve(host(name))) for name in MEMORY}
        config = from_mapping({"orchestration": {"servers": servers(urls), "arbiter": {"model": "one"}, "gpu": gpu}}, environ={})
        yield await stack.enter_async_context(mmos.Fleet.open(config))


async def hosts_of(fleet: mmos.Fleet, *models: str) -> str:
    return "".join([(await fleet.ask(model, ASK, num_ctx=4096)).host for model in models])


@pytest.mark.parametrize(
    ("strategy", "chosen"),
    [
        ("auto", "b"),  # the GPU with the most free memory, as no host is known to be faster
        ("round_robin", "cba"),
        ("pack", "cccb"),  # the large one has no room beside the others
        ("spread", "cbab"),
        ("manual", "cccc"),  # there the large one pushes others out
    ],
)
async def test_a_strategy_chooses_the_gpu(strategy: str, chosen: str) -> None:
    async with fleet(strategy=strategy) as hosts:
        assert await hosts_of(hosts, *list(SIZES)[: len(chosen)]) == chosen
        assert await hosts_of(hosts, *list(SIZES)[: len(chosen)][-1:]) == chosen[-1]  # a model that is in memory stays where it is


async def test_a_gpu_that_is_fuller_than_the_threshold_is_not_packed() -> None:
    async with fleet(strategy="pack", vram_threshold_percent=40) as hosts:
        assert await hosts_of(hosts, "one", "two", "three") == "ccb"


async def test_manual_uses_the_next_server_only_when_the_first_is_gone() -> None:
    async with fleet("c", strategy="manual") as hosts:
        assert await hosts_of(hosts, "one", "two", "large") == "bbb"


@pytest.mark.parametrize(
    ("option", "chosen"), [([], "c"), (["--gpu-strategy", "spread"], "b"), (["--gpu-strategy", "spread", "--gpu", "0"], "c")]
)
async def test_a_run_has_a_strategy_of_its_own(tmp_path: Path, option: list[str], chosen: str) -> None:
    hosts = [host(name) for name in MEMORY]
    told = {name: {"gpus": [gpu]} for gpu, name in enumerate(MEMORY)}
    async with fleet_at(tmp_path, *hosts, servers=told, roles={"arbiter": "two"}, gpu={"strategy": "pack"}) as at:
        await at.mmos("models", "warm", "one", "--host", "c")
        ended = await at.mmos("run", "How?", "--json", *option)
        wrong = await at.mmos("run", "How?", "--gpu-strategy", "best")
    assert (ended.code, ended.document["roles"][0]["host"]) == (0, chosen), ended.err
    assert wrong.code == 2
    assert "'auto', 'round_robin', 'pack', 'spread', 'manual'" in wrong.err


def test_a_strategy_that_does_not_exist_is_refused_in_python() -> None:
    with pytest.raises(mmos.UsageError, match='RunOptions: gpu_strategy: found "best"'):
        mmos.RunOptions(gpu_strategy="best")  # type: ignore[arg-type]
