"""Stories of mixed fleets: an Ollama-shaped host and an OpenAI-shaped one work in one run, and no key is ever seen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from mmos.app import open_app
from mmos.events import ModelAsked, ModelReplied
from mmos.testing import Call, Host, Model, Turn, serve
from tests.openai_wire import delta, finished, sent
from tests.shell import Ended, command
from tests.wire import Script, answer, serving

KEY = "sk-story-0123456789abcdef"
CONSULT = [Call("consult_coding_specialist", {"query": "Which loop?"})]


def configuration(near: str, far: str, *, arbiter: str = "near", **more: Any) -> dict[str, Any]:
    """The arbiter on one kind of host, the specialist on the other."""
    servers = {"near": {"url": near}, "far": {"url": f"{far}/v1", "kind": "openai", **more}}
    other = "far" if arbiter == "near" else "near"
    roles = {"arbiter": {"model": "thinker", "server": arbiter}, "specialists": {"coding": {"model": "coder", "server": other}}}
    return {"orchestration": {"servers": servers, **roles}}


async def mmos(folder: Path, config: Mapping[str, Any], *args: str, environ: Mapping[str, str] | None = None) -> Ended:
    """The command in a folder with this configuration."""
    (folder / "orchestration.yaml").write_text(yaml.safe_dump(dict(config)))
    return await command(folder, *args, **(environ or {}))


def hosts(thinker: list[Turn], coder: list[Turn], **card: Any) -> tuple[Host, Host]:
    return Host("one", [Model.scripted("thinker", thinker, **card)]), Host("two", [Model.scripted("coder", coder)])


# ---------------------------------------------------------------- one run, two kinds of hosts


async def test_an_arbiter_of_an_ollama_consults_a_specialist_of_another_kind(tmp_path: Path) -> None:
    near, far = hosts([CONSULT, lambda prompt: f"So: {prompt.results[0].text}"], ["A for loop."])
    async with serve(near) as near_url, serve(far) as far_url:
        ended = await mmos(tmp_path, configuration(near_url, far_url), "run", "--json", "How?")
    document = ended.document
    assert (ended.code, document["status"]) == (0, "answered")
    assert "A for loop." in document["answer"]
    assert len(near.requests.to("/api/chat")) == 2
    assert len(far.requests.to("/v1/chat/completions")) == 1
    assert not far.requests.to("/api/chat")


async def test_an_arbiter_of_the_other_kind_consults_a_specialist_of_an_ollama(tmp_path: Path) -> None:
    far, near = hosts([CONSULT, lambda prompt: f"So: {prompt.results[0].text}"], ["A for loop."])
    async with serve(near) as near_url, serve(far) as far_url:
        ended = await mmos(tmp_path, configuration(near_url, far_url, arbiter="far"), "run", "How?")
    assert (ended.code, "A for loop." in ended.out) == (0, True)
    assert len(far.requests.to("/v1/chat/completions")) == 2


async def test_a_model_that_refuses_tools_is_asked_by_schema(tmp_path: Path) -> None:
    """That it lacks them shows only in a refusal; from then on the answer is held to a grammar."""

    calls = '{"calls": [{"tool": "consult_coding_specialist", "arguments": {"query": "Which?"}}]}'
    far, near = hosts([calls, '{"answer": "By schema."}'], ["A for loop."], capabilities=("completion",))
    async with (
        serve(near) as near_url,
        serve(far) as far_url,
        open_app(configuration(near_url, far_url, arbiter="far"), state=tmp_path) as app,
    ):
        result = await app.run("How?")
        entries = await app.journal.read(run=result.run)
    assert (result.status, result.text) == ("answered", "By schema.")
    asked = [entry.event for entry in entries if isinstance(entry.event, ModelAsked)]
    assert [one.channel for one in asked if one.role == "arbiter"] == ["tools", "schema", "schema"]
    replied = [entry.event for entry in entries if isinstance(entry.event, ModelReplied)]
    assert {one.host for one in replied} == {"near", "far"}
    assert all(one.usage.prompt_tokens > 0 for one in replied)


async def test_a_run_goes_on_elsewhere_when_such_a_host_is_gone(tmp_path: Path) -> None:
    near = Host("near", [Model.scripted("thinker", [CONSULT, "Done."]), Model.scripted("coder", ["A for loop."])])
    async with serve(Host("gone", [])) as gone:
        pass
    async with serve(near) as url:
        config = configuration(url, gone)
        config["orchestration"]["specialists"]["coding"]["server"] = ["far", "near"]
        ended = await mmos(tmp_path, config, "run", "How?")
    assert (ended.code, ended.out) == (0, "Done.\n")


LONG = "This model's maximum context length is 3000 tokens. However, your request has 5000 input tokens."


async def test_a_conversation_that_outgrew_such_a_server_is_shortened_and_goes_on(tmp_path: Path) -> None:
    """Its window is smaller than the role's `context_window`; that shows in its refusal, which is believed."""
    first, refused, summary, second = (
        sent(delta("word " * 3000), finished()),
        answer({"error": {"message": LONG}}, 400),
        sent(delta("It wrote words."), finished()),
        sent(delta("Short."), finished()),
    )
    async with serving(first, refused, summary, second) as far:
        role = {"model": "m", "server": "far", "context_window": 16_384, "channel": "tools"}
        config = {"orchestration": {"servers": {"far": {"url": far.url, "kind": "openai"}}, "arbiter": role}}
        async with open_app(config, state=tmp_path) as app:
            begun = await app.run("How?", thread="talk")
            result = await app.run("And now?", thread="talk")
    assert (begun.status, result.status, result.text) == ("answered", "answered", "Short.")
    asked = [request.json for request in far.requests]
    lengths = [len(request["messages"]) for request in asked]
    assert lengths[3] < lengths[1]
    assert not any("max_tokens" in request for request in [*asked[:2], asked[3]])  # the window is no limit to ask for


# ---------------------------------------------------------------- the key


def everything(folder: Path) -> bytes:
    """All bytes of all files that a run left behind."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize(
    ("scripts", "code"),
    [
        pytest.param([sent(delta("A for loop."), finished())], 0, id="served"),
        pytest.param([answer({"error": {"message": f"Incorrect API key provided: {KEY}."}}, 401)] * 9, 0, id="refused"),
        pytest.param([sent(b'data: {"error": {"message": "no room for Bearer %s"}}\n\n' % KEY.encode())] * 9, 0, id="broken"),
        pytest.param([answer(f"<html>{KEY}</html>".encode(), 500, kind="text/html")] * 9, 0, id="a page"),
    ],
)
async def test_no_key_is_ever_seen(tmp_path: Path, scripts: list[Script], code: int) -> None:
    near = Host("near", [Model.scripted("thinker", [CONSULT, "Done."])])
    environ = {"STORY_KEY": KEY}
    async with serve(near) as near_url, serving(*scripts) as far:
        config = configuration(near_url, far.url, api_key_env="STORY_KEY")
        run = await mmos(tmp_path, config, "run", "-vv", "--json", "How?", environ=environ)
        commands = [["trace", run.document["run"]], ["config", "show"]]
        told = [run, *await asyncio.gather(*(mmos(tmp_path, config, *command, environ=environ) for command in commands))]
    assert run.code == code
    assert {request.headers["authorization"] for request in far.requests} == {f"Bearer {KEY}"}
    shown = "".join(ended.out + ended.err for ended in told)
    assert len(shown) > 1000
    assert KEY not in shown
    left = everything(tmp_path)
    assert b"consult_coding_specialist" in left
    assert KEY.encode() not in left


async def test_a_missing_key_is_a_warning_first_and_an_error_when_it_is_needed(tmp_path: Path) -> None:
    near = Host("near", [Model.scripted("thinker", ["Done."])])
    async with serve(near) as near_url, serving() as far:
        config = configuration(near_url, far.url, api_key_env="STORY_KEY")
        checked = await mmos(tmp_path, config, "config", "check")
        assert checked.code == 0
        assert "STORY_KEY is not set in the environment; MMOS cannot use this server without it" in checked.out + checked.err
        config = configuration(near_url, far.url, arbiter="far", api_key_env="STORY_KEY")
        ended = await mmos(tmp_path, config, "run", "--json", "How?")
    assert ended.code == 4
    problem = json.dumps(ended.document)
    assert "STORY_KEY is not set" in problem
    assert "unauthorized" in problem
    assert far.requests == []
