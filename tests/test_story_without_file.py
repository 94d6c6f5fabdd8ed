"""Stories without an orchestration.yaml: every command means this machine's Ollama as it is, and says so."""

from __future__ import annotations

import asyncio
from pathlib import Path

import yaml

from mmos.rehearsal import Host, Model, serve
from mmos.testing import Call
from tests.fleets import DEAD
from tests.shell import Ended, command

ARBITER = Model.scripted("qwen3:8b", ["I am here."], repeat=True, family="qwen3", parameter_size="8.2B")
CODER = Model.scripted("starcoder:3b", ["x"], repeat=True, family="llama", parameter_size="3.0B")


async def mmos(folder: Path, url: str, *args: str, given: bytes = b"", **more: str) -> Ended:
    return await command(folder, *args, given=given, OLLAMA_HOST=url, **more)


async def test_every_command_means_the_ollama_that_is_here(tmp_path: Path) -> None:
    async with serve(Host("here", [ARBITER, CODER])) as url:
        ran, talked, shown, described, checked, listed = await asyncio.gather(
            mmos(tmp_path, url, "run", "--json", "hi"),
            mmos(tmp_path, url, "chat", "--json", given=b"hi\n"),
            mmos(tmp_path, url, "config", "show"),
            mmos(tmp_path, url, "config", "show", "--json"),
            mmos(tmp_path, url, "config", "check"),
            mmos(tmp_path, url, "models", "list", "--json"),
        )
        examined = await mmos(tmp_path, url, "doctor", "--quick")
    assert [role["model"] for role in ran.document["roles"] + talked.document["roles"]] == ["qwen3:8b", "qwen3:8b"]
    note = f"mmos: No orchestration.yaml: using the models of {url}. `mmos config init` writes a file for them.\n"
    for ended in (shown, checked, examined):
        assert ended.err.startswith(note)
        assert ended.code == 0
    assert shown.out.startswith(f"# In effect: discovered at {url}\n")
    assert f'model: "qwen3:8b"  # discovered at {url}' in shown.out
    assert f'model: "starcoder:3b"  # discovered at {url}' in shown.out
    assert yaml.safe_load(shown.out)["orchestration"] == described.document["orchestration"]
    assert described.document["sources"]["orchestration.arbiter.model"] == f"discovered at {url}"
    assert checked.out == f"discovered at {url} is valid.\n"
    assert f"✓ Configuration  discovered at {url}" in examined.out
    assert "✓ Models  qwen3:8b, starcoder:3b" in examined.out
    roles = {model["model"]: model["roles"] for model in listed.document["models"]}
    assert "arbiter" in roles["qwen3:8b"]


async def test_where_no_ollama_answers_every_command_says_the_same(tmp_path: Path) -> None:
    commands = (("run", "hi"), ("doctor",), ("config", "show"), ("config", "check"), ("hosts",))
    ended = await asyncio.gather(*(mmos(tmp_path, DEAD, *command) for command in commands))
    note = f"mmos: No orchestration.yaml, and no Ollama answers at {DEAD}: the built-in configuration is used. `mmos config init HOST` writes one.\n"
    assert [one.err.startswith(note) for one in ended] == [True] * len(commands)
    assert [one.code for one in ended] == [4, 1, 0, 0, 4]
    assert ended[2].out.startswith("# In effect: built-in configuration\n")
    assert "Nothing listens at" in ended[3].err


async def test_a_run_of_the_discovered_configuration_is_resumed_with_it(tmp_path: Path) -> None:
    turns = [Call("escalate_to_user", {"question": "Red?"}), "Red it is."]
    async with serve(Host("here", [Model.scripted("qwen3:8b", turns, family="qwen3")])) as url:
        waiting = await mmos(tmp_path, url, "run", "--on-question", "wait", "Paint.")
        assert waiting.code == 3
        ended = await mmos(tmp_path, url, "runs", "answer", waiting.out.strip(), "Yes.", "--json")
    assert (ended.code, ended.document["answer"]) == (0, "Red it is."), ended.err


async def test_help_and_completion_ask_nobody(tmp_path: Path) -> None:
    host = Host("here", [ARBITER])
    async with serve(host) as url:
        shown = await mmos(tmp_path, url, "config", "show", "--help")
        completed = await mmos(tmp_path, url, _MMOS_COMPLETE="bash_complete", COMP_LINE="mmos models show ")
    assert (shown.code, completed.code) == (0, 0)
    assert "qwen2.5:14b" in completed.out  # the built-in configuration
    assert host.requests.total == 0
