"""Faults strike where, when and as often as they are told to, and the host writes down what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from mmos.rehearsal import Call, Cut, Fault, Host, Model, Say, serve
from mmos.testing import until
from tests.leaping import leaping, now

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
Chat = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    host = Host("h", [Model.scripted("m", ["one two three four"], repeat=True), Model.scripted("n", ["hi"], repeat=True)])
    async with serve(host):
        yield host


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


@pytest.fixture
def chat(host: Host, session: aiohttp.ClientSession) -> Chat:
    async def chat(**more: Any) -> tuple[int, str]:
        async with session.post(host.url + "/api/chat", json={**BODY, **more}, allow_redirects=False) as response:
            return response.status, await response.text()

    return chat


async def test_refuse_closes_the_door_and_opens_it_again(host: Host, chat: Chat) -> None:
    assert (await chat())[0] == 200
    host.faults.add("refuse")
    with pytest.raises(aiohttp.ClientConnectorError):
        await chat()
    host.faults.clear()
    assert (await chat())[0] == 200


async def test_refuse_after_a_while_and_for_a_while(host: Host, chat: Chat) -> None:
    host.faults.add("refuse", after=1, seconds=0.05)
    assert (await chat())[0] == 200
    with pytest.raises(aiohttp.ClientConnectorError):
        await chat()
    await until(lambda: host.faults.refusal is None)
    assert (await chat())[0] == 200


async def test_hang_answers_nothing_until_the_client_leaves(host: Host, session: aiohttp.ClientSession) -> None:
    host.faults.add("hang")
    with pytest.raises(TimeoutError):
        await session.post(host.url + "/api/chat", json=BODY, timeout=aiohttp.ClientTimeout(total=0.1))
    await until(lambda: host.open == 0)
    assert (host.requests[-1].cancelled, host.requests[-1].fault, host.requests[-1].status) == (True, "hang", 499)


async def test_stall_holds_the_slot_until_the_client_leaves(host: Host, session: aiohttp.ClientSession, chat: Chat) -> None:
    host.faults.add("stall", chunks=2, times=1)
    async with session.post(host.url + "/api/chat", json=BODY) as response:
        assert json.loads(await response.content.readline())["message"]["content"] == "one"
        assert json.loads(await response.content.readline())["message"]["content"] == " two"
        waiting = asyncio.create_task(chat())
        await until(lambda: host.open == 2)
        assert not waiting.done()
    assert (await waiting)[0] == 200


@pytest.mark.parametrize("chunks", [0, 2])
async def test_cut_closes_the_socket(host: Host, session: aiohttp.ClientSession, chunks: int) -> None:
    host.faults.add("cut", chunks=chunks, times=1)
    got: list[bytes] = []

    async def read() -> None:
        async with session.post(host.url + "/api/chat", json=BODY) as response:
            while line := await response.content.readline():
                got.append(line)

    with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
        await read()
    assert len(got) == chunks


async def test_cut_not_streamed(chat: Chat, host: Host) -> None:
    host.faults.add("cut")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await chat(stream=False)


async def test_no_done(chat: Chat, host: Host) -> None:
    host.faults.add("no_done")
    rows = [json.loads(line) for line in (await chat())[1].splitlines()]
    assert [row["message"]["content"] for row in rows] == ["one", " two", " three", " four"]
    assert not any(row["done"] for row in rows)
    whole = json.loads((await chat(stream=False))[1])
    assert (whole["done"], whole["message"]["content"]) == (False, "one two three four")


async def test_error_line(chat: Chat, host: Host) -> None:
    host.faults.add("error_line", chunks=2)
    status, text = await chat()
    rows = [json.loads(line) for line in text.splitlines()]
    crash = {"error": "an error was encountered while running the model: unexpected EOF"}
    assert status == 200
    assert rows[-1] == crash
    assert len(rows) == 3
    assert await chat(stream=False) == (500, json.dumps(crash, separators=(",", ":")))


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"status": 503, "error": "server busy"}, (503, '{"error":"server busy"}')),
        ({"status": 404, "body": "not here"}, (404, "not here")),
        ({}, (500, "")),
    ],
)
async def test_status(chat: Chat, host: Host, options: dict[str, Any], answer: tuple[int, str]) -> None:
    host.faults.add("status", **options)
    assert await chat() == answer


async def test_garbage_html_and_redirect(chat: Chat, host: Host, session: aiohttp.ClientSession) -> None:
    host.faults.add("garbage", times=1)
    host.faults.add("html", times=1)
    host.faults.add("redirect", times=1, location="http://elsewhere.invalid/")
    async with session.post(host.url + "/api/chat", json=BODY) as response:
        garbage = await response.read()
    assert b"\xff" in garbage
    status, page = await chat()
    assert (status, "<html>" in page) == (502, True)
    async with session.post(host.url + "/api/chat", json=BODY, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (307, "http://elsewhere.invalid/")
    assert json.loads((await chat(stream=False))[1])["done"] is True


async def test_slow_takes_so_many_times_as_long(chat: Chat, host: Host) -> None:
    before = json.loads((await chat(stream=False))[1])
    host.faults.add("slow", factor=10)
    after = json.loads((await chat(stream=False))[1])
    assert after["eval_duration"] == 10 * before["eval_duration"]


async def test_a_fault_may_be_for_one_path_one_model_and_some_requests(chat: Chat, host: Host, session: aiohttp.ClientSession) -> None:
    armed = host.faults.add("status", model="n", after=1, times=1)
    everywhere = host.faults.add("html", path="/api/tags")
    assert [(await chat(model=model))[0] for model in ("m", "n", "n", "n", "m")] == [200, 200, 500, 200, 200]
    assert (armed.seen, armed.hits) == (3, 1)
    async with session.get(host.url + "/api/tags") as response:
        assert response.status == 502
    host.faults.remove(everywhere)
    async with session.get(host.url + "/api/tags") as response:
        assert response.status == 200


async def test_a_turn_that_a_fault_struck_is_played_again(session: aiohttp.ClientSession) -> None:
    host = Host("h", [Model.scripted("m", ["first", [Say("sec"), Cut()], "third"])])
    host.faults.add("no_done", times=1)
    async with serve(host) as url:

        async def said() -> str:
            async with session.post(url + "/api/chat", json={**BODY, "stream": False}) as response:
                return str((await response.json())["message"]["content"])

        assert [await said(), await said()] == ["first", "first"]
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await said()
        assert await said() == "third"


async def test_faults_over_http(host: Host, chat: Chat, session: aiohttp.ClientSession) -> None:
    async def control(method: str, body: Any = None) -> tuple[int, Any]:
        async with session.request(method, host.url + "/__faults", json=body) as response:
            return response.status, await response.json()

    assert (await control("POST", {"kind": "status", "status": 503, "error": "busy"}))[0] == 200
    assert (await chat())[0] == 503
    status, told = await control("GET")
    assert status == 200
    assert [(fault["kind"], fault["hits"]) for fault in told["faults"]] == [("status", 1)]
    await control("POST", [{"kind": "html", "times": 1}])
    assert [(await chat())[0], (await chat())[0]] == [502, 200]
    assert (await control("DELETE")) == (200, {"faults": []})
    for wrong in ({"kind": "flood"}, {"kind": "cut", "often": 3}, {"times": 1}, "cut"):
        status, told = await control("POST", wrong)
        assert status == 400
        assert "a fault is an object" in told["error"] or "allowed: refuse" in told["error"]


def test_an_unknown_kind_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="unknown kind of fault 'flood'; allowed: refuse, flapping"):
        Fault.from_json({"kind": "flood"})


async def test_a_client_that_leaves_frees_the_slot(session: aiohttp.ClientSession) -> None:
    host = Host("h", [Model.scripted("m", ["word " * 5000], repeat=True)], time_scale=20.0)
    async with serve(host) as url:
        async with session.post(url + "/api/chat", json=BODY) as response:
            await response.content.readline()
            waiting = asyncio.create_task(session.post(url + "/api/chat", json={**BODY, "options": {"num_predict": 1}}))
            await until(lambda: host.open == 2)
        async with await waiting as response:
            rows = [json.loads(line) async for line in response.content]
    left, served = host.requests
    assert (left.cancelled, served.cancelled) == (True, False)
    assert rows[-1]["done_reason"] == "length"
    assert host.tokens_generated < 5000


async def test_what_was_asked_is_on_record(host: Host, chat: Chat, session: aiohttp.ClientSession) -> None:
    await chat(options={"num_ctx": 2048}, stream=False)
    await chat(model="nope")
    async with session.get(host.url + "/api/tags") as response:
        await response.read()
    first, second, third = host.requests
    assert (first.method, first.path, first.model, first.status, first.num_ctx, first.cancelled) == (
        "POST",
        "/api/chat",
        "m",
        200,
        2048,
        False,
    )
    assert first.json["options"] == {"num_ctx": 2048}
    assert first.bytes > 100
    assert (second.status, second.model, second.num_ctx) == (404, "nope", None)
    assert (third.path, third.body) == ("/api/tags", b"")
    assert [seen.model for seen in host.requests.to("/api/chat")] == ["m", "nope"]
    async with session.get(host.url + "/__stats") as response:
        stats = await response.json()
    assert (stats["total"], stats["open"], stats["loads"], stats["loaded"]) == (3, 0, 1, {"m:latest": 2048})
    assert [row["status"] for row in stats["requests"]] == [200, 404, 200]
    assert stats["tokens_generated"] == 4


async def test_stopping_a_host_leaves_nothing_open(session: aiohttp.ClientSession) -> None:
    host = Host("h", [Model.scripted("m", [Call("x", {})])])
    host.faults.add("hang")
    async with serve(host) as url:
        asking = asyncio.create_task(session.post(url + "/api/chat", json=BODY))
        await until(lambda: host.open == 1)
    with pytest.raises(aiohttp.ClientError):
        await asking
    assert host.open == 0


async def test_flapping_shuts_and_opens_again_and_again(host: Host, chat: Chat) -> None:
    host.faults.add("flapping", seconds=0.02)
    seen = []
    async with asyncio.timeout(10):
        while seen.count(True) < 2 or seen.count(False) < 2:
            try:
                came = (await chat())[0] == 200
            except aiohttp.ClientConnectionError:  # refused, or dropped on the threshold
                came = False
            if seen[-1:] != [came]:
                seen.append(came)
    assert seen[0] is False
    host.faults.clear()
    await until(lambda: host.faults.refusal is None)
    assert (await chat())[0] == 200


@leaping
async def test_late_begins_late_and_is_whole() -> None:
    host = Host("h", [Model.scripted("m", ["one two three"], repeat=True)])
    host.faults.add("late", seconds=0.1, times=1)
    waits = []
    async with serve(host) as url, aiohttp.ClientSession() as session:
        for _ in range(2):
            began = now()
            async with session.post(url + "/api/chat", json={**BODY, "stream": False}) as response:
                assert (await response.json())["message"]["content"] == "one two three"
            waits.append(now() - began)
    assert waits == [pytest.approx(0.1), pytest.approx(0.0)]


async def test_busy_says_what_a_full_queue_says(host: Host, chat: Chat) -> None:
    host.faults.add("busy", times=1)
    assert await chat() == (503, '{"error":"server busy, please try again.  maximum pending requests exceeded"}')
    assert (await chat())[0] == 200


async def test_ps_may_lie_about_memory(host: Host, chat: Chat, session: aiohttp.ClientSession) -> None:
    async def told() -> tuple[int, int]:
        async with session.get(host.url + "/api/ps") as response:
            [row] = (await response.json())["models"]
            return row["size"], row["size_vram"]

    await chat()
    size, truth = await told()
    host.faults.add("wrong_vram", factor=4, model="m")
    assert (size, truth) == (size, size)
    assert await told() == (size, truth // 4)


async def test_the_time_of_day_may_jump() -> None:
    host = Host("h", [Model.scripted("m", ["hi"], repeat=True)], wall=lambda: 1_700_000_000_000_000_000)
    async with serve(host) as url, aiohttp.ClientSession() as session:
        stamps = []
        for number in range(3):
            if number == 1:
                host.faults.add("clock_jump", seconds=-3600, times=1)
            async with session.post(url + "/api/chat", json={**BODY, "stream": False}) as response:
                stamps.append((await response.json())["created_at"])
    assert stamps == ["2023-11-14T22:13:20Z", "2023-11-14T21:13:20Z", "2023-11-14T21:13:20Z"]


@leaping
async def test_stats_tell_loads_queues_and_every_request() -> None:
    host = Host("h", [Model.scripted("m", ["one two three"], repeat=True)], time_scale=100.0, steady=now)
    async with serve(host) as url, aiohttp.ClientSession() as session:

        async def ask() -> None:
            async with session.post(url + "/api/chat", json={**BODY, "stream": False}) as response:
                await response.read()

        await ask()
        await asyncio.gather(ask(), ask(), ask())
        async with session.get(url + "/__stats") as response:
            stats = await response.json()
    assert (stats["loads"], stats["load_seconds"], stats["swaps"], stats["refused"]) == (1, 2.0, 0, 0)
    assert stats["queue_seconds"] > 0
    first, *rest = stats["requests"]
    assert first["load_seconds"] >= 2.0
    assert all(row["load_seconds"] < 1.0 for row in rest)
    assert [row["output_tokens"] for row in stats["requests"]] == [3, 3, 3, 3]
    assert sum(row["prompt_tokens"] - row["cached_tokens"] for row in stats["requests"]) == stats["tokens_evaluated"]
    assert sum(row["cached_tokens"] for row in stats["requests"]) == stats["tokens_reused"]
