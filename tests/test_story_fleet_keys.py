"""Stories of the key `fleet` of a configuration, over rehearsal hosts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import mmos
from mmos.testing import Host, Model
from tests.fleets import fleet_at

ASK = [{"role": "user", "content": "How?"}]


def host(name: str, *models: str, **more: float) -> Host:
    return Host(name, [Model.scripted(model, ["So."], repeat=True) for model in models], **more)


@pytest.mark.parametrize(("policy", "hosts"), [("completion_time", "aaa"), ("round_robin", "aba"), ("least_busy", "aba")])
async def test_the_file_chooses_the_policy(tmp_path: Path, policy: str, hosts: Sequence[str]) -> None:
    async with (
        fleet_at(tmp_path, host("a", "general:7b"), host("b", "general:7b"), fleet={"policy": policy}) as place,
        mmos.Fleet.open(place.folder / "orchestration.yaml") as fleet,
    ):
        assert [(await fleet.ask("general:7b", ASK)).host for _ in range(3)] == list(hosts)


async def test_the_check_names_the_nearest_policy(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, host("a", "general:7b"), fleet={"policy": "fasstest"}) as place:
        checked = await place.mmos("config", "check", "--offline")
        assert checked.code == 2
        assert "did you mean 'fastest'?" in checked.err
