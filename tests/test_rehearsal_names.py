"""Names of models on a rehearsal host: what Ollama takes for the same model, the rehearsal host does, too."""

from __future__ import annotations

import pytest

from mmos.rehearsal import Host, serve
from mmos.rehearsal.profiles import Version
from tests.rehearsal_ask import a_model, ask, chat


@pytest.mark.parametrize("asked", ["Big:7B", "library/big:7b", "Registry.Ollama.AI/Library/big:7b", "big:7b:local"])
async def test_a_model_is_served_under_all_its_names_and_loaded_once(asked: str) -> None:
    host = Host("h", [a_model("big:7b")])
    async with serve(host) as url:
        assert [(await chat(url, name)).status for name in ("big:7b", asked)] == [200, 200]
        assert (await ask(url, "/api/show", {"model": asked})).status == 200
        assert [row["name"] for row in (await ask(url, "/api/ps", method="GET")).row["models"]] == ["big:7b"]
    assert host.loads == 1


@pytest.mark.parametrize("asked", ["team/big:7b", "registry.ollama.ai/big:7b", "library/library/big:7b", "hf.co/library/big:7b", "big"])
async def test_another_name_is_another_model(asked: str) -> None:
    host = Host("h", [a_model("big:7b")])
    async with serve(host) as url:
        assert (await chat(url, asked)).status == 404


async def test_a_list_has_the_capitals_of_the_one_who_made_the_model() -> None:
    host = Host("h", [a_model("Team/Big")])
    async with serve(host) as url:
        assert (await chat(url, "team/big")).status == 200
        assert [row["name"] for row in (await ask(url, "/api/tags", method="GET")).row["models"]] == ["Team/Big:latest"]


@pytest.mark.parametrize(("profile", "status"), [("0.13", 404), ("0.34", 200)])
async def test_local_is_a_tag_of_old_versions(profile: Version, status: int) -> None:
    async with serve(Host("h", [a_model("big")], profile=profile)) as url:
        assert (await chat(url, "big:local")).status == status
