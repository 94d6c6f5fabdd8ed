"""Stories of models that a local Ollama forwards to a cloud: no prompt goes there unless the configuration allows it."""

from __future__ import annotations

from pathlib import Path

import pytest

import mmos
from mmos.fleet.seats import Seat
from mmos.hosts.face import Installed
from mmos.hosts.ollama import OllamaHost
from mmos.hosts.openai import OpenAIHost
from mmos.testing import Host, Model, serve
from tests.fleets import fleet_at

CLOUD = "gpt-oss:120b-cloud"
ASK = [{"role": "user", "content": "A secret."}]


def host() -> Host:
    return Host("here", [Model.scripted(name, ["So."], repeat=True) for name in (CLOUD, "general:7b")])


@pytest.mark.parametrize(
    ("allowed", "code", "message", "chats"),
    [
        (False, "cloud_not_allowed", "runs in a cloud, and MMOS sends no prompts there. Write allow_cloud: true under servers.here", 0),
        (True, "model_missing", "here does not forward to the cloud", 1),  # as the rehearsal host says
    ],
)
async def test_no_prompt_leaves_unless_it_is_allowed(allowed: bool, code: str, message: str, chats: int) -> None:
    async with serve(here := host()) as url, mmos.Fleet.open({"here": {"url": url, "allow_cloud": allowed}}) as fleet:
        with pytest.raises(mmos.errors.NoHost, match=message) as raised:
            await fleet.ask(CLOUD, ASK)
        assert (raised.value.code, len(here.requests.to("/api/chat"))) == (code, chats)


async def test_a_role_that_names_one_needs_allow_cloud(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, host(), roles={"coding": CLOUD}) as place:
        for command in (("config", "check", "--offline"), ("run", "How?")):
            ended = await place.mmos(*command)
            assert ended.code == 2
            assert 'specialists.coding.model: found "gpt-oss:120b-cloud" (a string), which runs in a cloud' in ended.err
    async with fleet_at(tmp_path, host(), roles={"coding": CLOUD}, fleet={"allow_cloud": True}) as place:
        assert (await place.mmos("config", "check")).code == 0
        examined = await place.mmos("doctor")
        assert "it sends the prompts of this role to a cloud. allow_cloud permits it." in " ".join(examined.out.split())


async def test_the_second_model_of_a_role_needs_it_too(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, host(), roles={"coding": {"model": ["general:7b", CLOUD], "server": "here"}}) as place:
        checked = await place.mmos("config", "check", "--offline")
        assert (checked.code, "specialists.coding.model[1]: found" in checked.err) == (2, True)


def test_a_host_that_lists_a_model_as_remote_is_believed() -> None:
    seat = Seat(OllamaHost("here", "http://here:11434"))
    assert not seat.leaks("mine")
    seat.installed = {"mine:latest": Installed("mine:latest", remote=True)}
    assert seat.leaks("mine")
    assert not Seat(seat.host, installed=seat.installed, allow_cloud=True).leaks("mine")
    assert not Seat(OpenAIHost("far", "https://far/v1")).leaks(CLOUD)
