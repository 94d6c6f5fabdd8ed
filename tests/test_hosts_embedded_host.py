"""The embedded host with its real, tiny model: calls, windows, the life of its engines, and every way in which they fail."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest

from mmos.errors import (
    HostError,
    HostTimeout,
    HostUnreachable,
    LacksEmbedding,
    LoadFailed,
    ModelMissing,
    RunnerCrashed,
    Unauthorized,
    WindowExceeded,
)
from mmos.hosts.embedded import EmbeddedHost
from mmos.hosts.embedded.files import built_in_file
from mmos.hosts.embedded.process import Engine, Order
from mmos.hosts.face import ChatRequest, Timeouts
from mmos.hosts.faults import Site
from mmos.hosts.openai import OpenAIHost
from mmos.messages import Message
from tests.embedded import engines, gone, needs_linux, needs_model

MODEL = "smollm2:135m"
PATIENT = Timeouts()


def asking(text: str = "Say hello.", *, window: int = 512, tokens: int = 6, form: object = None) -> ChatRequest:
    options = {"num_predict": tokens, "temperature": 0}
    return ChatRequest(MODEL, [Message("user", text)], window, options=options, format=orjson.dumps(form) if form else b"")


@asynccontextmanager
async def opened(
    models: Mapping[str, Path | None] | None = None, *, slots: int = 1, python: Sequence[str] = ()
) -> AsyncIterator[EmbeddedHost]:
    host = EmbeddedHost("here", models, slots=slots, python=python)
    try:
        yield host
    finally:
        await host.close()


# ---------------------------------------------------------------- calls


@needs_model
async def test_a_call_starts_the_engine_streams_and_tells_its_cost() -> None:
    async with opened() as host:
        assert await host.ps() == []
        heard: list[str] = []
        reply = await host.chat(asking(), timeouts=PATIENT, on_token=heard.append)
        assert reply.text == "".join(heard) != ""
        assert (reply.host, reply.model, reply.done_reason) == ("here", MODEL, "length")
        assert reply.usage.prompt_tokens > 6
        assert reply.usage.output_tokens == 6
        assert min(reply.usage.load_seconds, reply.usage.prompt_seconds, reply.usage.output_seconds) > 0
        again = await host.chat(asking(), timeouts=PATIENT)
        assert again.usage.load_seconds == 0
        assert again.usage.cached_tokens is not None
        assert again.usage.cached_tokens > 0


@needs_model
async def test_a_schema_holds_and_calls_go_side_by_side() -> None:
    form = {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"]}
    async with opened(slots=2) as host:
        asked = [host.chat(asking(f"{word}: which colour?", tokens=20, form=form), timeouts=PATIENT) for word in ("Sky", "Fire", "Sea")]
        replies = await asyncio.gather(*asked)
        assert {orjson.loads(reply.text)["colour"] for reply in replies} <= {"red", "blue"}
        assert sum(reply.usage.load_seconds > 0 for reply in replies) >= 1
        assert len(await host.ps()) == 1


@needs_model
async def test_a_larger_window_is_another_engine_and_a_smaller_one_is_not() -> None:
    async with opened() as host:
        assert await host.preload(MODEL, num_ctx=256, timeouts=PATIENT) > 0
        with pytest.raises(WindowExceeded) as caught:
            await host.chat(asking("word " * 300, window=256), timeouts=PATIENT)
        assert caught.value.window == 256
        assert (caught.value.prompt_tokens or 0) > 300
        await host.chat(asking("word " * 300, window=512, tokens=1), timeouts=PATIENT)
        assert [loaded.context_length for loaded in await host.ps()] == [512]
        assert await host.preload(MODEL, num_ctx=256, timeouts=PATIENT) == 0
        await host.unload(MODEL)
        assert await host.ps() == []


@needs_model
async def test_it_tells_what_it_has() -> None:
    async with opened() as host:
        (model,) = await host.tags()
        assert (model.name, model.parameters, model.quantization, model.context_length) == (MODEL, "135M", "Q4_1", 8192)
        card = await host.show("SmolLM2:135M")
        assert card.capabilities == {"completion"}
        assert card.details["llama.block_count"] == 30
        assert [step.status async for step in host.pull(MODEL)] == ["success"]
        assert await host.version()
        with pytest.raises(LacksEmbedding):
            await host.embed(MODEL, ["a"], timeouts=PATIENT)


# ---------------------------------------------------------------- the life of an engine


@needs_model
@needs_linux
async def test_a_crash_in_the_middle_is_told_and_the_next_call_is_served() -> None:
    begun = asyncio.Event()
    async with opened() as host:
        call = asyncio.create_task(host.chat(asking(tokens=400), timeouts=PATIENT, on_token=lambda _: begun.set()))
        await begun.wait()
        (process,) = engines(os.getpid())
        os.kill(process, signal.SIGKILL)
        with pytest.raises(RunnerCrashed, match="SIGKILL") as caught:
            await call
        assert caught.value.retry
        assert caught.value.partial
        assert await host.ps() == []
        assert (await host.chat(asking(), timeouts=PATIENT)).usage.load_seconds > 0


@needs_model
@needs_linux
async def test_who_gives_up_while_it_loads_leaves_nothing_behind() -> None:
    before = set(engines(os.getpid()))
    async with opened() as host:
        loading = asyncio.create_task(host.preload(MODEL, num_ctx=512, timeouts=PATIENT))
        while not set(engines(os.getpid())) - before:
            await asyncio.sleep(0)
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
        assert set(engines(os.getpid())) <= before
        assert (await host.chat(asking(), timeouts=PATIENT)).text


PARENT = """
import asyncio
from mmos.hosts.embedded import EmbeddedHost
from mmos.hosts.face import Timeouts

async def main():
    host = EmbeddedHost("here")
    await host.preload("smollm2:135m", num_ctx=512, timeouts=Timeouts())
    print("loaded", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@needs_model
@needs_linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_an_engine_dies_with_its_parent(number: signal.Signals) -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"loaded\n"
    (engine,) = engines(parent.pid)
    parent.send_signal(number)
    await parent.wait()
    await gone(engine)


@needs_model
async def test_nobody_else_on_the_machine_can_use_it() -> None:
    order = Order(MODEL, built_in_file() or Path(), 256, 1)
    engine = await Engine.start(order, (sys.executable,), Site("here", "", MODEL))
    stranger = OpenAIHost("stranger", engine.url, headers={"Authorization": "Bearer guessed"})
    try:
        assert "127.0.0.1" in engine.url
        with pytest.raises(Unauthorized):
            await stranger.chat(asking(), timeouts=PATIENT)
    finally:
        await stranger.close()
        await engine.stop()
    assert await engine.died()


# ---------------------------------------------------------------- what is not there, and what is broken


async def failure(host: EmbeddedHost, model: str = MODEL, timeouts: Timeouts = PATIENT) -> HostError:
    with pytest.raises(HostError) as caught:
        await host.preload(model, num_ctx=256, timeouts=timeouts)
    assert await host.ps() == []
    return caught.value


@needs_model
async def test_without_its_package_it_says_what_to_install() -> None:
    async with opened(python=(sys.executable, "-S")) as host:
        error = await failure(host)
    assert isinstance(error, HostUnreachable)
    assert "pip install xllamacpp" in error.next_step


async def test_models_that_are_not_there_are_told_of(tmp_path: Path) -> None:
    async with opened({"mine": tmp_path / "nowhere.gguf"}) as host:
        missing, unknown = await failure(host, "mine"), await failure(host, "other")
        with pytest.raises(ModelMissing, match=r"nowhere\.gguf"):
            _ = [step async for step in host.pull("mine")]
    assert isinstance(missing, ModelMissing)
    assert "nowhere.gguf" in missing.message
    assert isinstance(unknown, ModelMissing)
    assert "It has: mine." in unknown.message


@needs_model
async def test_files_that_are_no_whole_models_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "junk.gguf").write_bytes(b"junk" * 100)
    with (built_in_file() or Path()).open("rb") as whole:
        (tmp_path / "half.gguf").write_bytes(whole.read(4 << 20))
    async with opened({"junk": tmp_path / "junk.gguf", "half": tmp_path / "half.gguf"}) as host:
        junk, half = await failure(host, "junk"), await failure(host, "half")
        assert [model.name for model in await host.tags()] == ["half"]  # its header is whole
    assert isinstance(junk, LoadFailed)
    assert "does not begin as a GGUF file" in junk.message
    assert isinstance(half, LoadFailed)
    assert "corrupted or incomplete" in half.message


@needs_model
@pytest.mark.parametrize(("command", "said"), [("exit 3", "exit code 3"), ("kill -9 $$", "signal SIGKILL"), ("echo '{}'", "exit code 0")])
async def test_an_engine_that_dies_while_it_loads_is_told_of(command: str, said: str) -> None:
    async with opened(python=("sh", "-c", command)) as host:
        error = await failure(host)
    assert isinstance(error, LoadFailed)
    assert said in error.message


@needs_model
async def test_an_engine_that_takes_too_long_is_given_up() -> None:
    async with opened(python=("sh", "-c", "exec sleep 60")) as host:
        error = await failure(host, timeouts=Timeouts(load=0.2, first_byte=0.1))
    assert isinstance(error, HostTimeout)
    assert error.stage == "load"


async def test_names_that_differ_in_capitals_are_two_models_and_other_spellings_find_one(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{size}.gguf" for name, size in (("Mine", 1), ("mine", 2), ("big:7b", 3))}
    for size, path in enumerate(files.values(), 1):
        path.write_bytes(b"x" * size)
    async with opened(files) as host:
        sizes = [[step.total async for step in host.pull(name)] for name in ("Mine", "mine", "Library/BIG:7b")]
    assert sizes == [[1], [2], [3]]
