"""Roles that need a GPU or memory: which servers they get, and what is wrong when none has it."""

from __future__ import annotations

from typing import Any

import pytest

from mmos.config.load import Config, from_mapping
from mmos.errors import ConfigError

SERVERS = {
    "a": {"url": "http://a:1", "gpus": [0], "vram_gb": 24},
    "b": {"url": "http://b:1", "gpus": [1], "vram_gb": 12},
    "both": {"url": "http://c:1", "gpus": [0, 1], "vram_gb": 36},
    "other": {"url": "http://d:1"},
}


def config(role: dict[str, Any], servers: dict[str, Any] = SERVERS) -> Config:
    orchestration = {"servers": servers, "arbiter": {"model": "m"}, "specialists": {"coding": {"model": "m", **role}}}
    return from_mapping({"orchestration": orchestration}, environ={})


def used(role: dict[str, Any], **options: Any) -> tuple[str, ...]:
    return config(role).roles(**options)["coding"].servers


@pytest.mark.parametrize(
    ("role", "servers"),
    [
        ({}, ()),
        ({"gpu_id": 0}, ("a", "both")),
        ({"gpu_ids": [1, 0]}, ("both",)),
        ({"gpu_id": 0, "server": ["b", "a"]}, ("a",)),
        ({"vram_required_gb": 20}, ("a", "both", "other")),
        ({"vram_required_gb": 20, "server": ["b", "other"]}, ("other",)),
        ({"gpu_id": 1, "vram_required_gb": 30}, ("both",)),
        ({"vram_required_gb": 20, "server": ["b", "elsewhere"]}, ("elsewhere",)),
    ],
)
def test_a_role_gets_the_servers_that_have_what_it_needs(role: dict[str, Any], servers: tuple[str, ...]) -> None:
    assert used(role) == servers


def test_a_run_asks_for_another_gpu() -> None:
    assert used({"gpu_id": 0}, gpu=1) == ("b", "both")
    assert used({"vram_required_gb": 20}, gpu=1) == ("both",)
    assert used({"server": "other"}, gpu=1) == ("other",), "a role that may not run there stays where it is"
    assert used({"gpu_id": 1}, changes={"coding": ("m2", ("a",))}) == ("a",), "the host that a run names counts"
    assert used({"gpu_id": 1}, changes={"coding": ("m2", ())}) == ("b", "both")


def test_the_window_of_a_model_does_not_depend_on_the_gpu_of_a_run() -> None:
    windows = config({"gpu_id": 0, "context_window": 32768})
    assert {windows.roles(gpu=gpu)["coding"].window for gpu in (None, 0, 1)} == {32768}


def problems(role: dict[str, Any], servers: dict[str, Any] = SERVERS) -> str:
    with pytest.raises(ConfigError) as caught:
        config(role, servers)
    return str(caught.value).removeprefix("orchestration.specialists.coding.")


LISTED = "servers: a (gpus: 0, vram_gb: 24), b (gpus: 1, vram_gb: 12), both (gpus: 0, 1, vram_gb: 36), other (gpus: none)"


@pytest.mark.parametrize(
    ("role", "servers", "problem"),
    [
        ({"gpu_id": 2}, SERVERS, f"gpu_id: found 2, but no server of this role has GPU 2; {LISTED}"),
        ({"gpu_ids": [0, 2]}, SERVERS, f"gpu_ids: found 0, 2, but no server of this role has the GPUs 0, 2; {LISTED}"),
        ({"gpu_id": 1, "server": "a"}, SERVERS, "gpu_id: found 1, but no server of this role has GPU 1; servers: a (gpus: 0, vram_gb: 24)"),
        ({"gpu_id": 0}, {}, "gpu_id: found 0, but no server of this role has GPU 0; there is no server under 'servers'"),
        ({"gpu_id": 0, "gpu_ids": [1]}, SERVERS, "gpu_id: write 'gpu_id' for one GPU or 'gpu_ids' for several, not both"),
        ({"gpu_id": 0, "server": "far"}, SERVERS, "gpu_id: found 0, but no server of this role has GPU 0; servers: far (gpus: none)"),
        (
            {"vram_required_gb": 30, "server": ["a", "b"]},
            SERVERS,
            "vram_required_gb: found 30, but no server of this role has so much vram_gb; servers: a (gpus: 0, vram_gb: 24), b (gpus: 1, vram_gb: 12)",
        ),
        (
            {"gpu_id": 1, "vram_required_gb": 40},
            SERVERS,
            f"vram_required_gb: found 40, but no server of this role with GPU 1 has so much vram_gb; {LISTED}",
        ),
    ],
)
def test_a_need_that_no_server_meets_is_an_error_that_says_what_there_is(
    role: dict[str, Any], servers: dict[str, Any], problem: str
) -> None:
    assert problems(role, servers) == problem


def test_a_gpu_that_ollama_would_choose_is_a_warning() -> None:
    (warning,) = config({"gpu_id": 1, "server": "both"}).warnings
    assert str(warning) == (
        "orchestration.specialists.coding.gpu_id: its servers have more GPUs than 1, and there Ollama chooses; "
        "`mmos hosts serve` runs a server for each GPU"
    )
    assert config({"gpu_id": 1}).warnings == ()
    assert config({"gpu_ids": [0, 1]}).warnings == ()


def test_memory_that_nobody_describes_may_be_enough() -> None:
    assert config({"vram_required_gb": 20}, {}).roles()["coding"].servers == ()
