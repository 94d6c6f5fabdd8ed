"""Stories of new hosts: `config init` finds out what they are, and `config add-host` adds them to a file that keeps its comments."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml

from mmos.rehearsal import Host, Model
from tests.fleets import DEAD, fleet_at
from tests.wire import answer, serving

MODEL = Model("general:7b", size=4 << 30, parameter_size="7.6B", family="qwen2")
NOT_FOUND = answer({"error": {"message": "Not Found", "code": 404}}, 404)
LISTED = answer({"object": "list", "data": [{"id": "qwen3-30b", "owned_by": "vllm", "max_model_len": 16384}]})
NO_KEY = answer({"error": {"message": "Invalid API key", "type": "authentication_error"}}, 401)
COMMENTED = """\
# mine, with care
orchestration:
  servers:
    one:
      url: "{url}"   # in the cellar

  # The one who talks.
  arbiter: {{model: "general:7b", server: one}}
"""


# ---------------------------------------------------------------- init


async def test_init_recognises_servers_that_speak_as_openai_does(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [MODEL])) as at, serving(NOT_FOUND, LISTED) as wire:
        url = yaml.safe_load((tmp_path / "orchestration.yaml").read_text())["orchestration"]["servers"]["one"]["url"]
        written = await at.mmos("config", "init", f"{url}/v1", wire.url, "-o", "new.yaml")
        asked = [request.path for request in wire.requests]
        checked = await at.mmos("config", "check", "-c", "new.yaml")
    servers = yaml.safe_load((tmp_path / "new.yaml").read_text())["orchestration"]["servers"]
    assert (written.code, checked.code) == (0, 0)
    assert written.err.count("OpenAI-shaped server, 1 model\n") == 2
    assert [server["kind"] for server in servers.values()] == ["openai", "openai"]
    assert [server["url"] for server in servers.values()] == [f"{url}/v1", f"{wire.url}/v1"]
    assert asked == ["/api/version", "/v1/models"]


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


# ---------------------------------------------------------------- add-host


async def test_a_host_is_added_and_the_rest_of_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "orchestration.yaml"
    async with fleet_at(tmp_path, Host("one", [MODEL]), Host("two", [MODEL])) as at:
        urls = [server["url"] for server in yaml.safe_load(path.read_text())["orchestration"]["servers"].values()]
        path.write_text(before := COMMENTED.format(url=urls[0]))
        real = tmp_path / "real.yaml"
        path.rename(real)
        path.symlink_to(real)
        real.chmod(0o640)
        tried = await at.mmos("config", "add-host", urls[1], "--name", "gpu2", "--dry-run")
        unchanged = path.read_text()
        written = await at.mmos("config", "add-host", urls[1], "--name", "gpu2", "--json")
        hosts = await at.mmos("hosts", "--json")
        again = await at.mmos("config", "add-host", urls[1], "--name", "gpu2")
        other_name = await at.mmos("config", "add-host", urls[1])
    new = f'    gpu2:\n      url: "{urls[1]}"\n'
    assert tried.code == 0
    assert "".join(f"+{line}" for line in new.splitlines(keepends=True)) in tried.out
    assert tried.out.startswith("--- orchestration.yaml\n+++ orchestration.yaml\n@@ ")
    assert unchanged == before
    assert written.document["added"] == [{"name": "gpu2", "url": urls[1], "kind": "ollama", "models": 1}]
    assert real.read_text() == before.replace("   # in the cellar\n", f"   # in the cellar\n{new}")
    assert path.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert [host["host"] for host in hosts.document["hosts"]] == ["one", "gpu2"]
    assert (again.code, "orchestration.yaml:6 already has a server 'gpu2'" in again.err, "--name" in again.err) == (2, True, True)
    assert (other_name.code, "as 'gpu2'" in other_name.err) == (2, True)
    assert sorted(one.name for one in tmp_path.glob("*.yaml")) == ["orchestration.yaml", "real.yaml"]
    assert not list(tmp_path.glob(".*.new"))


async def test_a_silent_host_is_added_by_force_alone(tmp_path: Path) -> None:
    path = tmp_path / "orchestration.yaml"
    async with fleet_at(tmp_path, Host("one", [MODEL])) as at:
        before = path.read_text()
        silent = await at.mmos("config", "add-host", DEAD, "--json")
        unchanged = path.read_text()
        forced = await at.mmos("config", "add-host", DEAD, "--name", "later", "--force")
    assert (silent.code, silent.document["written"], unchanged) == (4, False, before)
    assert "Nothing listens" in silent.document["failed"][0]["message"]
    assert forced.code == 0
    assert yaml.safe_load(path.read_text())["orchestration"]["servers"]["later"] == {"url": DEAD}


async def test_this_machine_still_serves_after_the_first_host_is_named(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, Host("one", [MODEL])) as at:
        url = yaml.safe_load((tmp_path / "orchestration.yaml").read_text())["orchestration"]["servers"]["one"]["url"]
        (tmp_path / "small.yaml").write_text('orchestration:\n  arbiter: {model: "general:7b"}\n')
        written = await at.mmos("config", "add-host", url, "--name", "gpu1", "-c", "small.yaml")
    servers = yaml.safe_load((tmp_path / "small.yaml").read_text())["orchestration"]["servers"]
    assert (written.code, list(servers)) == (0, ["local", "gpu1"])
    assert servers["local"]["url"] == "http://127.0.0.1:11434"
    assert "so MMOS used http://127.0.0.1:11434" in written.err


@pytest.mark.parametrize(
    "args",
    [("gpu1", "gpu2", "--name", "x"), ("gpu1", "--name", "a b"), ("gpu1", "gpu2", "--api-key-env", "K"), ("gpu1", "-c", "not-there.yaml")],
)
async def test_wrong_usage_asks_nobody_and_writes_nothing(tmp_path: Path, args: tuple[str, ...]) -> None:
    async with fleet_at(tmp_path, Host("one", [MODEL])) as at:
        before = (tmp_path / "orchestration.yaml").read_text()
        ended = await at.mmos("config", "add-host", *args)
    assert ended.code == 2
    assert (tmp_path / "orchestration.yaml").read_text() == before
