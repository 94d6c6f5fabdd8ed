"""The default fleet: who is there, what its configuration says, and what the `ollama` package makes of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import ollama
import pytest

from mmos.rehearsal import Fleet, Host, Model, default_fleet, parse_cast, serve_all
from mmos.rehearsal.fleet import TIME_SCALE

DOCS = Path(__file__).parent.parent / "docs" / "rehearsal.md"
TOOL = {
    "type": "function",
    "function": {
        "name": "consult_coding_specialist",
        "description": "Ask.",
        "parameters": {"type": "object", "required": ["query"], "properties": {"query": {"type": "string"}}},
    },
}
USER = [{"role": "user", "content": "Merge two sorted lists"}]


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    async with default_fleet(time_scale=None) as fleet:
        yield fleet


@pytest.fixture
async def client(fleet: Fleet) -> AsyncIterator[ollama.AsyncClient]:
    async with ollama.AsyncClient(fleet.hosts["ollama01"]) as client:
        yield client


async def test_who_is_there(fleet: Fleet) -> None:
    models = {name: [model.name for model in fleet[name].models] for name in fleet.hosts}
    assert models == {
        "ollama01": ["qwen2.5:14b", "functiongemma", "gemma3:4b", "nomic-embed-text"],
        "ollama02": ["qwen2.5-coder:32b", "qwen2.5:32b", "llama3.1:8b"],
    }
    assert [fleet[name].vram_gb for name in fleet.hosts] == [11, 24]
    able = [model.name for name in fleet.hosts for model in fleet[name].models if model.can("tools")]
    assert able == ["qwen2.5:14b", "functiongemma", "qwen2.5-coder:32b", "qwen2.5:32b", "llama3.1:8b"]
    assert all(re.fullmatch(r"http://127\.0\.0\.1:\d+", url) for url in fleet.hosts.values())


async def test_its_configuration_names_models_that_it_has(fleet: Fleet) -> None:
    config = fleet.orchestration()["orchestration"]
    assert {name: server["url"] for name, server in config["servers"].items()} == fleet.hosts
    roles = {"arbiter": config["arbiter"], **config["specialists"]}
    assert set(roles) == {"arbiter", "coding", "reasoning", "analysis", "interpreter", "synthesizer"}
    for role in roles.values():
        assert role["model"] in [model.name for model in fleet[role["server"]].models]
    assert json.loads(json.dumps(config)) == config
    config["arbiter"]["model"] = "changed"
    assert fleet.orchestration()["orchestration"]["arbiter"]["model"] == "qwen2.5:14b"


async def test_hosts_of_ones_own() -> None:
    hosts = [Host("a", [Model("m")], time_scale=3.0), Host("b", time_scale=3.0)]
    async with serve_all(hosts) as fleet:
        assert set(fleet.hosts) == {"a", "b"}
        assert fleet.time_scale == 3.0
        assert fleet["a"] is hosts[0]


async def test_the_default_time_shows_who_takes_long() -> None:
    async with default_fleet() as fleet:
        assert fleet.time_scale == TIME_SCALE == fleet["ollama01"].time_scale


# ---------------------------------------------------------------- the `ollama` package as a client


async def test_ollama_chat_with_tools(client: ollama.AsyncClient) -> None:
    reply = await client.chat("qwen2.5:14b", USER, tools=[TOOL])
    [call] = reply.message.tool_calls or []
    assert call.function.name == "consult_coding_specialist"
    assert reply.done
    history: list[Any] = [*USER, reply.message, {"role": "tool", "tool_name": call.function.name, "content": "def merge(): ..."}]
    answer = await client.chat("qwen2.5:14b", history, tools=[TOOL])
    assert "def merge(): ..." in (answer.message.content or "")


async def test_ollama_stream(client: ollama.AsyncClient) -> None:
    chunks = [chunk async for chunk in await client.chat("gemma3:4b", USER, stream=True)]
    assert len(chunks) > 5
    assert chunks[-1].done_reason == "stop"
    assert "Merge two sorted lists" in "".join(chunk.message.content or "" for chunk in chunks)


async def test_ollama_list_and_ps(client: ollama.AsyncClient) -> None:
    assert [model.model for model in (await client.list()).models][:2] == ["qwen2.5:14b", "functiongemma:latest"]
    await client.generate("functiongemma", keep_alive="1h")
    [loaded] = (await client.ps()).models
    assert (loaded.name, loaded.size_vram) == ("functiongemma:latest", loaded.size)


async def test_ollama_show(client: ollama.AsyncClient) -> None:
    card = await client.show("qwen2.5:14b")
    assert card.capabilities == ["completion", "tools"]
    assert card.modelinfo is not None
    assert card.modelinfo["qwen2.context_length"] == 32768


async def test_ollama_embed(client: ollama.AsyncClient) -> None:
    reply = await client.embed("nomic-embed-text", ["one", "two"])
    assert [len(vector) for vector in reply.embeddings] == [768, 768]


async def test_ollama_pull_and_errors(client: ollama.AsyncClient) -> None:
    steps = [step.status async for step in await client.pull("gemma3:4b", stream=True)]
    assert steps[-1] == "success"
    with pytest.raises(ollama.ResponseError, match="does not support tools") as refused:
        await client.chat("gemma3:4b", USER, tools=[TOOL])
    assert refused.value.status_code == 400


# ---------------------------------------------------------------- the page about it


def test_every_example_of_the_page_loads() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) >= 3
    assert all(parse_cast(example).models for example in examples)


def test_every_python_example_of_the_page_runs() -> None:
    examples = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert examples
    for example in examples:
        done = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, ""), example


@pytest.mark.parametrize(
    "words",
    [
        (
            *(
                "say",
                "think",
                "call",
                "refuse",
                "leak",
                "loop",
                "ramble",
                "empty",
                "done_reason",
                "cut",
                "skill",
                "raw",
                "bad_byte",
                "fail",
            ),
            *("contradict", "time_out"),
        )
    ],
)
def test_the_page_names_every_step_condition_and_fault(words: tuple[str, ...]) -> None:
    from typing import get_args

    from mmos.rehearsal.faults import Kind
    from mmos.rehearsal.reader import CARD, CONDITIONS, STEPS
    from mmos.rehearsal.skills import SKILLS

    text = DOCS.read_text(encoding="utf-8")
    assert tuple(STEPS) == words
    missing = [name for name in (*STEPS, *CONDITIONS, *CARD, *SKILLS, *get_args(Kind)) if f"`{name}`" not in text]
    assert missing == []
