"""Stories of new hosts: `config init` finds out what they are."""

from __future__ import annotations

from pathlib import Path

import yaml

from mmos.rehearsal import Host, Model
from tests.fleets import DEAD, fleet_at
from tests.wire import answer, serving

MODEL = Model("general:7b", size=4 << 30, parameter_size="7.6B", family="qwen2")
NOT_FOUND = answer({"error": {"message": "Not Found", "code": 404}}, 404)
LISTED = answer({"object": "list", "data": [{"id": "qwen3-30b", "owned_by": "vllm", "max_model_len": 16384}]})
NO_KEY = answer({"error": {"message": "Invalid API key", "type": "authentication_error"}}, 401)

# ---------------------------------------------------------------- init


async def test_init_recognises_servers_that_speak_as_openai_does(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [MODEL])) as at, serving(NOT_FOUND, LISTED) as wire:
        url = yaml.safe_load((tmp_path / "orchestration.yaml").read_text())["orchestration"]["servers"]["one"]["url"]
        written = await at.mmos("config", "init", f"{url}/v1", wire.url, "-o", "new.yaml")
        checked = await at.mmos("config", "check", "-c", "new.yaml")
    servers = yaml.safe_load((tmp_path / "new.yaml").read_text())["orchestration"]["servers"]
    assert (written.code, checked.code) == (0, 0)
    assert written.err.count("OpenAI-shaped server, 1 model\n") == 2
    assert [server["kind"] for server in servers.values()] == ["openai", "openai"]
    assert [server["url"] for server in servers.values()] == [f"{url}/v1", f"{wire.url}/v1"]
    assert [request.path for request in wire.requests] == ["/api/version", "/v1/models"]


async def test_init_says_how_to_give_a_key(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [MODEL])) as at, serving(NO_KEY, NO_KEY, LISTED) as wire:
        without = await at.mmos("config", "init", f"{wire.url}/v1", "-o", "new.yaml")
        refused = await at.mmos("config", "init", f"{wire.url}/v1", "-o", "new.yaml", "--api-key-env", "STUDIO_KEY", STUDIO_KEY="wrong-one")
        with_key = await at.mmos(
            "config", "init", f"{wire.url}/v1", "-o", "new.yaml", "--api-key-env", "STUDIO_KEY", STUDIO_KEY="hush-hush"
        )
        key_itself = await at.mmos("config", "init", wire.url, "-o", "other.yaml", "--api-key-env", "sk-123")
    assert without.code == refused.code == 4
    assert "it needs an API key" in without.err
    assert f"export LOCAL_KEY=…   Then: mmos config init {wire.url}/v1 --api-key-env LOCAL_KEY" in without.err
    assert "Check the key in STUDIO_KEY." in refused.err
    (server,) = yaml.safe_load((tmp_path / "new.yaml").read_text())["orchestration"]["servers"].values()
    assert with_key.code == 0
    assert server == {"url": f"{wire.url}/v1", "kind": "openai", "api_key_env": "STUDIO_KEY"}
    assert wire.requests[-1].headers["authorization"] == "Bearer hush-hush"
    assert "hush-hush" not in with_key.err + with_key.out + (tmp_path / "new.yaml").read_text()
    assert (key_itself.code, "not the key itself" in key_itself.err) == (2, True)


async def test_what_answers_as_neither_is_said_in_plain_words(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [MODEL])) as at, serving(NOT_FOUND, NOT_FOUND) as wire:
        written = await at.mmos("config", "init", wire.url, DEAD, "-o", "new.yaml")
    assert written.code == 4
    assert "neither as an Ollama (/api/version) nor as an OpenAI-shaped server (/v1/models)" in written.err
    assert f"Nothing listens at {DEAD}" in written.err
    assert not (tmp_path / "new.yaml").exists()
