"""The versions differ as the table says, and each answers in its own words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, get_args

import pytest

from mmos.rehearsal import PROFILES, BadByte, Host, Loop, Prompt, Say, Think, serve
from mmos.rehearsal.profiles import Version
from mmos.testing import until
from tests.rehearsal_ask import Reply, a_model, ask, chat, resident

VERSIONS: Sequence[Any] = get_args(Version)
LONG = "w " * 2000
Told = tuple[int, str]


async def on(profile: Any, path: str = "/api/chat", card: Any = None, method: str = "POST", **body: Any) -> Reply:
    message = {"messages": [{"role": "user", "content": "hi"}]} if path.endswith(("chat", "completions")) else {}
    async with serve(Host("h", [card or a_model()], profile=profile)) as url:
        return await ask(url, path, None if method == "GET" else {"model": "m", "stream": False, **message, **body}, method)


def told(reply: Reply) -> Told:
    return reply.status, reply.error if reply.status >= 400 and reply.text else ""


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_version_says_which_it_is_and_answers(version: Any) -> None:
    assert (await on(version, "/api/version", method="GET")).row == {"version": PROFILES[version].version}
    assert (await on(version)).content == "one two"


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/api/show", {"model": "nope"}, ["model 'nope' not found", "model 'nope:latest' not found", "model 'nope:latest' not found"]),
        ("/api/chat", {"model": "a b!"}, ["model is required", "invalid model name", "invalid model name"]),
        ("/api/chat", {"model": 7}, ["struct field ChatRequest", "struct field ChatRequest", "struct field .ChatRequest"]),
        ("/api/chat", {"model": "x:cloud"}, ["model 'x:cloud' not found", "ollama cloud is disabled", "ollama cloud is disabled"]),
        ("/api/chat", {"model": "m:local"}, ["model 'm:local' not found", "", ""]),
        ("/api/embed", {"input": "x"}, ["", "This server does not support embeddings.", "This server does not support embeddings."]),
        (
            "/api/chat",
            {"format": {"type": "odd"}},
            ["invalid JSON schema in format", 'Unrecognized schema: {\\"type', "unrecognized type odd"],
        ),
        (
            "/api/chat",
            {"messages": [{"role": "user", "content": LONG}], "truncate": False, "options": {"num_ctx": 512}},
            ["the input length exceeds the context length", '"n_ctx":512', '"n_ctx":512'],
        ),
        (
            "/api/chat",
            {"messages": [{"role": "user", "content": LONG}], "shift": False, "options": {"num_ctx": 512}},
            ["", "the prompt is longer than the context length", "the prompt is longer than the context length"],
        ),
        (
            "/api/chat",
            {"messages": [{"role": "user", "content": "see", "images": ["aGk="]}]},
            ["", "Multimodal data provided", "Multimodal data provided"],
        ),
    ],
)
async def test_refusals_by_version(path: str, body: dict[str, Any], expected: list[str]) -> None:
    for version, text in zip(("0.13", "0.33", "0.34"), expected, strict=True):
        reply = await on(version, path, **body)
        assert (reply.status >= 400) == bool(text), (version, reply)
        assert text in told(reply)[1], version


@pytest.mark.parametrize(("version", "status", "tokens"), [("0.13", 200, 512), ("0.33", 200, 259), ("0.34", 200, 259)])
async def test_the_tail_of_a_message_that_is_too_long(version: str, status: int, tokens: int) -> None:
    reply = await on(version, messages=[{"role": "user", "content": LONG}], options={"num_ctx": 512})
    assert (reply.status, reply.row["prompt_eval_count"]) == (status, tokens)


async def test_shift_off_gave_one_token_once() -> None:
    reply = await on("0.13", messages=[{"role": "user", "content": LONG}], shift=False, options={"num_ctx": 512})
    assert (reply.row["done_reason"], reply.row["eval_count"], reply.row["prompt_eval_count"]) == ("length", 1, 512)


@pytest.mark.parametrize(("version", "extra"), [("0.13", 1), ("0.33", 0)])
async def test_without_shift_an_endless_answer_fills_the_window(version: str, extra: int) -> None:
    reply = await on(version, card=a_model("m", Loop("on and on, ")), shift=False, options={"num_ctx": 64})
    assert (reply.row["done_reason"], reply.row["eval_count"] + reply.row["prompt_eval_count"]) == ("length", 64 + extra)


@pytest.mark.parametrize(("version", "window"), [("0.13", 1_000_000), ("0.24", 1_000_000), ("0.33", 32768), ("0.34", 32768)])
async def test_a_window_beyond_the_trained_one(version: Any, window: int) -> None:
    async with serve(Host("h", [a_model()], profile=version)) as url:
        await chat(url, options={"num_ctx": 1_000_000})
        [row] = (await ask(url, "/api/ps", method="GET")).row["models"]
    assert row["context_length"] == window


@pytest.mark.parametrize(("version", "tells"), [("0.13", False), ("0.24", False), ("0.33", True), ("0.34", True)])
async def test_tags_and_native_capabilities(version: Any, tells: bool) -> None:
    async with serve(Host("h", [a_model("m", path="native")], profile=version)) as url:
        [tag] = (await ask(url, "/api/tags", method="GET")).row["models"]
        card = (await ask(url, "/api/show", {"model": "m"})).row
    assert ("capabilities" in tag, "context_length" in tag["details"]) == (tells, tells)
    assert ("tools" in card["capabilities"]) == tells


async def test_only_the_newest_tells_what_was_cached() -> None:
    for version in VERSIONS:
        async with serve(Host("h", [a_model()], profile=version)) as url:
            first, second = (await chat(url)).row, (await chat(url)).row
        if version == "0.34":
            assert first["prompt_eval_cached_count"] == 0
            assert list(first)[-5:-2] == ["prompt_eval_count", "prompt_eval_cached_count", "prompt_eval_duration"]
            assert second["prompt_eval_cached_count"] == second["prompt_eval_count"] - 1
        else:
            assert "prompt_eval_cached_count" not in second


async def test_levels_of_thinking() -> None:
    yes_or_no = a_model("m", [Think("Hm."), "Four."], capabilities=["completion", "thinking"])
    told_off = await on("0.13", card=yes_or_no, think="high")
    assert told(told_off) == (400, 'think value "high" is not supported for this model')
    assert (await on("0.33", card=yes_or_no, think="high")).row["message"]["thinking"] == "Hm."
    fine = a_model("m", [Think("Hm."), "Four."], capabilities=["completion", "thinking"], think_levels=True)
    assert (await on("0.13", card=fine, think="high")).status == 200


async def test_a_thought_counts_twice_where_a_format_makes_two_runs() -> None:
    model = a_model("m", [Think("one two three"), '{"a":1}'], capabilities=["completion", "thinking"])
    plain, formed = await on("0.33", card=model), await on("0.33", card=model, format="json")
    newest = await on("0.34", card=model, format="json")
    assert formed.row["prompt_eval_count"] == plain.row["prompt_eval_count"] + 3
    assert newest.row["prompt_eval_count"] == plain.row["prompt_eval_count"]


@pytest.mark.parametrize(("version", "times", "ends"), [("0.33", 31, True), ("0.33", 32, False), ("0.34", 101, True)])
async def test_equal_tokens_in_a_row(version: str, times: int, ends: bool) -> None:
    reply = await on(version, card=a_model("m", " no" * times + " yes"))
    assert reply.row["done"] is ends


async def test_too_many_equal_tokens_are_an_error_in_the_newest() -> None:
    error = "prediction aborted, token repeat limit reached"
    whole = await on("0.34", card=a_model("m", Loop(" no")))
    streamed = await on("0.34", card=a_model("m", Loop(" no")), stream=True)
    assert told(whole) == (500, error)
    assert (streamed.status, streamed.error, len(streamed.rows)) == (200, error, 102)
    native = await on("0.34", card=a_model("m", Loop(" no"), path="native"), options={"num_predict": 300})
    assert (native.row["done_reason"], native.row["eval_count"]) == ("length", 300)


@pytest.mark.parametrize(("version", "content", "done"), [("0.13", "a c", True), ("0.33", "a", False), ("0.34", "a\ufffdb c", True)])
async def test_bytes_that_are_no_text(version: str, content: str, done: bool) -> None:
    reply = await on(version, card=a_model("m", ["a", BadByte(), "b c"]))
    assert (reply.content, reply.row["done"]) == (content, done)


async def test_bytes_that_are_no_text_on_the_native_path() -> None:
    reply = await on("0.33", card=a_model("m", ["a", BadByte(), "b"], path="native"), stream=True)
    assert reply.error.startswith("llama-server chat error: map[code:500")


@pytest.mark.parametrize(
    ("version", "broken", "expected"),
    [
        ("0.13", "truncated", (500, "unable to load model: /")),
        ("0.13", "garbage", (500, "")),
        ("0.13", "missing", (400, '"m" does not support chat')),
        ("0.33", "truncated", (500, "exceeds file size")),
        ("0.33", "garbage", (500, "GGUF string length")),
        ("0.33", "missing", (404, 'model "m" not found, try pulling it first')),
        ("0.34", "garbage", (500, 'read GGUF metadata "/')),
    ],
)
async def test_files_that_cannot_be_read(version: str, broken: str, expected: Told) -> None:
    reply = await on(version, card=a_model("m", broken=broken))
    status, text = told(reply)
    assert status == expected[0]
    assert expected[1] in text
    assert bool(reply.text) == bool(expected[1])


@pytest.mark.parametrize(("version", "status"), [("0.13", 404), ("0.24", 200), ("0.33", 200), ("0.34", 200)])
async def test_the_status_route(version: str, status: int) -> None:
    assert (await on(version, "/api/status", method="GET")).status == status


@pytest.mark.parametrize(("version", "kind"), [("0.13", "api_error"), ("0.33", "not_found_error")])
async def test_the_type_of_a_404_under_v1(version: str, kind: str) -> None:
    reply = await _v1_missing(version)
    error = reply.row["error"]
    assert (reply.status, error) == (404, {"message": "model 'nope' not found", "type": kind, "param": None, "code": None})


async def _v1_missing(version: Any) -> Reply:
    async with serve(Host("h", [], profile=version)) as url:
        return await ask(url, "/v1/chat/completions", {"model": "nope", "messages": [{"role": "user", "content": "x"}]})


@pytest.mark.parametrize(
    ("version", "option", "reloads"),
    [
        *((version, option, True) for version in VERSIONS for option in ("num_ctx", "num_thread", "num_batch", "num_gpu")),
        *((version, option, False) for version in VERSIONS for option in ("temperature", "seed", "num_predict", "num_keep", "top_k")),
        ("0.13", "main_gpu", True),
        ("0.33", "main_gpu", True),
        ("0.13", "use_mmap", True),
        ("0.33", "use_mmap", False),
    ],
)
async def test_what_makes_a_model_reload(version: Any, option: str, reloads: bool) -> None:
    value = False if option == "use_mmap" else 128
    host = Host("h", [a_model()], profile=version)
    async with serve(host) as url:
        await chat(url)
        await chat(url, options={option: value})
        assert host.loads == 1 + reloads
        await chat(url, options={option: value})
        assert host.loads == 1 + reloads
        await chat(url)
        back = reloads and option != "num_gpu"  # who does not say how many layers takes what there is
        assert host.loads == 1 + reloads + back


@pytest.mark.parametrize(("version", "loads"), [("0.13", 1), ("0.24", 1), ("0.33", 2), ("0.34", 2)])
async def test_naming_the_first_gpu_reloads_in_new_versions(version: Any, loads: int) -> None:
    host = Host("h", [a_model()], profile=version)
    async with serve(host) as url:
        await chat(url)
        await chat(url, options={"main_gpu": 0})
    assert host.loads == loads


@pytest.mark.parametrize(("version", "timed"), [("0.13", False), ("0.24", False), ("0.33", True), ("0.34", True)])
async def test_the_time_of_an_answer_of_one_token(version: Any, timed: bool) -> None:
    for turn, most, always in ((Say(""), 9, False), (Say("two words"), 1, False), (Say("word"), 9, True)):
        reply = await on(version, card=a_model("m", turn), options={"num_predict": most})
        assert ("eval_duration" in reply.row) == (timed or always)


@pytest.mark.parametrize(
    ("version", "go_type"),
    [
        *((version, "api.ChatRequest") for version in ("0.13", "0.24", "0.33")),
        ("0.34", 'struct { *api.ChatRequest; Think json.RawMessage "json:\\"think\\"" }'),
    ],
)
async def test_a_chat_that_is_no_object(version: Any, go_type: str) -> None:
    async with serve(Host("h", [a_model()], profile=version)) as url:
        reply = await ask(url, "/api/chat", [])
    assert (reply.status, reply.row["error"]) == (400, f"json: cannot unmarshal array into Go value of type {go_type}")


@pytest.mark.parametrize("think", [None, True, False, "high"])
async def test_a_turn_sees_how_hard_it_is_to_think(think: Any) -> None:
    seen: list[Any] = []

    def turn(prompt: Prompt) -> str:
        seen.append(prompt.think)
        return "Four."

    card = a_model("m", turn, capabilities=["completion", "thinking"], think_levels=True)
    await on("0.34", card=card, **({} if think is None else {"think": think}))
    assert seen == [think]


@pytest.mark.parametrize(("version", "loads"), [("0.13", 1), ("0.24", 1), ("0.33", 3), ("0.34", 3)])
async def test_shift_reloads_in_new_versions(version: Any, loads: int) -> None:
    host = Host("h", [a_model()], profile=version)
    async with serve(host) as url:
        for more in ({}, {"shift": True}, {"shift": False}, {"shift": False}, {}, {"truncate": False}, {"format": "json"}):
            await chat(url, **more)
    assert host.loads == loads


@pytest.mark.parametrize(("version", "listed"), [("0.13", []), ("0.24", ["m"]), ("0.33", []), ("0.34", [])])
async def test_ps_while_a_model_loads(version: Any, listed: list[str]) -> None:
    host = Host("h", [a_model("m", speed={"load_seconds": 1000})], profile=version, time_scale=1.0)
    async with serve(host) as url:
        loading = asyncio.create_task(chat(url))
        await until(lambda: host.open)
        assert await resident(url) == listed
        loading.cancel()
