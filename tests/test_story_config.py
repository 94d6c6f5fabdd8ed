"""Stories of `mmos config`: from hosts to a configuration that runs, and from a mistake to its cure."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import yaml

from mmos.testing import Model
from tests.shell import shell

MODELS = {
    "arbiter": Model.scripted("arbiter", ["From the written configuration."], family="qwen2", parameter_size="14.8B"),
    "coding": Model.scripted("my-coder", ["x"], family="qwen2", parameter_size="7.6B"),
    "analysis": Model("tiny-embed", capabilities=("embedding",), family="bert", parameter_size="137M"),
}


async def test_init_asks_the_hosts_and_what_it_writes_runs(tmp_path: Path) -> None:
    async with shell(tmp_path, MODELS) as at:
        written = await at.mmos("config", "init", at.on.host.url, "-o", "mine.yaml")
        assert written.code == 0
        assert "3 models" in written.err
        roles = yaml.safe_load((tmp_path / "mine.yaml").read_text())["orchestration"]
        assert roles["specialists"]["coding"]["model"] == "my-coder:latest"
        assert "tiny-embed" not in str(roles)
        assert (await at.mmos("config", "check", "-c", "mine.yaml")).code == 0
        ran = await at.mmos("run", "-c", "mine.yaml", "--json", "Hello.")
        assert ran.code in (0, 4)
        assert ran.document["roles"][0]["host"] == "local"


async def test_init_tells_of_a_dead_host_and_goes_on_with_the_others(tmp_path: Path) -> None:
    async with shell(tmp_path, MODELS) as at:
        written = await at.mmos("config", "init", at.on.host.url, "http://127.0.0.1:9", "-o", "-")
        assert written.code == 0
        assert "127.0.0.1:9" in written.err
        assert yaml.safe_load(written.out)["orchestration"]["arbiter"]["model"] == "arbiter:latest"


async def test_init_with_nobody_there_is_4_and_says_what_to_do(tmp_path: Path) -> None:
    async with shell(tmp_path, MODELS) as at:
        written = await at.mmos("config", "init", "http://127.0.0.1:9", "-o", "none.yaml")
        assert written.code == 4
        assert not (tmp_path / "none.yaml").exists()
        assert "Start Ollama" in written.err


async def test_init_with_hosts_that_have_no_models_says_what_to_pull(tmp_path: Path) -> None:
    async with shell(tmp_path, MODELS) as at:
        at.on.host.installed.clear()
        written = await at.mmos("config", "init", at.on.host.url, "-o", "none.yaml")
        assert written.code == 4
        assert "ollama pull" in (tmp_path / "none.yaml").read_text()


async def test_init_writes_over_nothing_unless_forced(tmp_path: Path) -> None:
    async with shell(tmp_path, MODELS) as at:
        before = (tmp_path / "orchestration.yaml").read_text()
        refused = await at.mmos("config", "init", at.on.host.url)
        assert (refused.code, (tmp_path / "orchestration.yaml").read_text()) == (2, before)
        assert "--force" in refused.err
        assert (await at.mmos("config", "init", "--force", at.on.host.url)).code == 0
        assert (tmp_path / "orchestration.yaml").read_text() != before
        assert (await at.mmos("config", "init", "http://:0:1", "-o", "-")).code == 2


async def test_init_does_not_write_through_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    async with shell(tmp_path, MODELS) as at:
        (tmp_path / "mine.yaml").symlink_to(tmp_path / "elsewhere.yaml")
        refused = await at.mmos("config", "init", at.on.host.url, "-o", "mine.yaml")
    assert (refused.code, "mine.yaml exists already" in refused.err) == (2, True)
    assert not (tmp_path / "elsewhere.yaml").exists()


async def test_check_and_show_take_the_file_as_an_argument(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("orchestration: {arbiter: {model: m, server: far}, servers: {far: {url: 'http://127.0.0.1:9'}}}\n")
    (tmp_path / "bad.yaml").write_text("orchestration: {arbiter: {modell: m}}\n")
    async with shell(tmp_path, MODELS) as at:
        good = await at.mmos("config", "check", "good.yaml", "--offline")
        bad = await at.mmos("config", "check", "bad.yaml")
        shown = await at.mmos("config", "show", "good.yaml")
        both = await at.mmos("config", "check", "good.yaml", "-c", "bad.yaml")
    assert (good.code, good.out) == (0, "good.yaml is valid.\n"), good.err
    assert (bad.code, "bad.yaml:1: orchestration.arbiter.modell" in bad.err) == (2, True), bad.err
    assert (shown.code, "far" in shown.out) == (0, True)
    assert (both.code, "FILE and --config cannot be used together" in both.err) == (2, True)


async def test_check_show_and_schema(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shell(tmp_path, MODELS) as at:
        monkeypatch.setenv("STORY_TOKEN", "hush-hush")
        text = yaml.safe_load((tmp_path / "orchestration.yaml").read_text())
        text["orchestration"]["servers"]["here"]["headers"] = {"X-Token": "${STORY_TOKEN}"}
        text["orchestration"]["servers"]["gone"] = {"url": "http://127.0.0.1:9", "api_key_env": "STORY_NO_SUCH_KEY"}
        (tmp_path / "orchestration.yaml").write_text(yaml.safe_dump(text))
        checked = await at.mmos("config", "check", "--json")
        assert (checked.code, checked.document["ok"]) == (0, True)
        assert "STORY_NO_SUCH_KEY" in str(checked.document["findings"])
        shown = await at.mmos("config", "show")
        assert "hush-hush" not in shown.out + shown.err + (await at.mmos("config", "show", "--json")).out
        assert yaml.safe_load(shown.out)["orchestration"]["arbiter"]["model"] == "arbiter"
        schema = await at.mmos("config", "schema")
        assert json.loads(schema.out)["$schema"].startswith("https://json-schema.org/")


async def test_secrets_prompts_and_answers_stay_out_of_the_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with shell(tmp_path, {"arbiter": ["The answer is pomegranate."]}) as at:
        monkeypatch.setenv("STORY_TOKEN", "hush-hush")
        text = yaml.safe_load((tmp_path / "orchestration.yaml").read_text())
        text["orchestration"]["servers"]["here"]["headers"] = {"X-Token": "${STORY_TOKEN}"}
        (tmp_path / "orchestration.yaml").write_text(yaml.safe_dump(text))
        at.on.host.faults.add("status", status=500, error="a fault", times=1)
        ran = await at.mmos("run", "-vv", "Which quince?")
        assert (ran.code, ran.out) == (0, "The answer is pomegranate.\n")
        assert "call_failed" in ran.err
        assert not [word for word in ("hush-hush", "quince", "pomegranate") if word in ran.err]
        folder = tmp_path / ".mmos"
        assert b"hush-hush" not in b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_permission_that_names_no_tool_is_an_error(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["x"], "coding": []}) as at:
        text = yaml.safe_load((tmp_path / "orchestration.yaml").read_text())
        text["orchestration"]["arbiter"]["tools"] = {"deny": ["escalate_to_usr"]}
        (tmp_path / "orchestration.yaml").write_text(yaml.safe_dump(text))
        ran = await at.mmos("run", "--json", "Hi.")
        assert (ran.code, ran.document["reason"]["code"]) == (2, "config_invalid")
        assert "escalate_to_usr" in ran.err
