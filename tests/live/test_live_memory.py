"""Windows and residency: what fits, what is cut, what stays in memory, who waits for whom."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest

from tests.live.cast import text
from tests.live.conftest import Opener
from tests.live.peers import Said, Talk
from tests.live.versions import of

SMALL = {"num_ctx": 512}
LONG = "w " * 1500
ENDLESS = {"num_predict": 1500, "num_ctx": 2048}
MINUTE = 60.0
FOR_EVER = 10 * 365 * 86400.0


def left(entry: dict[str, Any]) -> float:
    """Seconds until a model in `ps` expires."""
    stamp = entry["expires_at"].replace("Z", "+00:00")
    whole, _, rest = stamp.partition(".")
    zone = rest[-6:] if rest else ""
    expires = datetime.fromisoformat(f"{whole}{zone}")
    return (expires - datetime.now(expires.tzinfo)).total_seconds()


# ---------------------------------------------------------------- windows


async def test_a_message_too_long_is_cut_in_silence(server: Talk) -> None:
    said = await server.chat("coder", LONG, stream=False, options=SMALL)
    assert (said.status, said.joined()) == (200, text("coder"))
    assert said.data["prompt_eval_count"] == of("tokens left of a message too long for 512", server.line)


@pytest.mark.parametrize("stream", [True, False])
async def test_nothing_is_cut_where_that_is_forbidden(server: Talk, stream: bool) -> None:
    said = await server.chat("coder", LONG, stream=stream, truncate=False, options=SMALL)
    status, error = of("prompt too long, truncate false", server.line)
    assert said.status == status
    assert error in said.error


async def test_no_shift_for_a_prompt_too_long(server: Talk) -> None:
    said = await server.chat("coder", LONG, stream=False, shift=False, options=SMALL)
    status, told = of("prompt too long, shift false", server.line)
    assert said.status == status
    assert told in (said.data["done_reason"] if status == 200 else said.error)


async def test_old_messages_go_first(server: Talk) -> None:
    history = [{"role": "system", "content": "S" * 50}]
    for number in range(20):
        history += [{"role": "user", "content": f"{number} " * 60}, {"role": "assistant", "content": "a " * 60}]
    history += [{"role": "user", "content": "last"}]
    said = await server.chat("coder", history, stream=False, options=SMALL)
    assert (said.status, said.data["done_reason"]) == (200, "stop")
    assert said.data["prompt_eval_count"] <= 512
    assert (await server.chat("coder", history, stream=False, truncate=False, options=SMALL)).status == 400


@pytest.mark.parametrize("shift", [True, False])
async def test_an_endless_answer(server: Talk, shift: bool) -> None:
    said = await server.chat("looper", shift=shift, options={"num_ctx": 256, "num_predict": 700})
    assert said.last["done_reason"] == "length"
    assert (said.last["eval_count"] == 700) == shift
    if not shift:
        assert said.last["eval_count"] < 256


async def test_a_window_beyond_the_trained(server: Talk) -> None:
    await server.chat("coder", stream=False, options={"num_ctx": 1_000_000})
    held = await server.ps()
    assert held["coder"]["context_length"] == of("window asked beyond the trained", server.line)
    await server.load("coder", keep_alive=0)


# ---------------------------------------------------------------- keep-alive


async def test_a_model_stays_five_minutes(cold: Talk) -> None:
    await cold.load("coder")
    assert 4 * MINUTE < left((await cold.ps())["coder"]) <= 5 * MINUTE


async def test_a_keep_alive_stays_with_the_model(cold: Talk) -> None:
    await cold.load("coder", keep_alive="30m")
    await cold.chat("coder", stream=False)
    assert 29 * MINUTE < left((await cold.ps())["coder"]) <= 30 * MINUTE


async def test_minus_one_is_for_ever(cold: Talk) -> None:
    await cold.load("coder", keep_alive=-1)
    assert left((await cold.ps())["coder"]) > FOR_EVER


async def test_a_model_goes_when_its_time_is_over(cold: Talk) -> None:
    await cold.load("coder", keep_alive=0.3)
    assert await cold.until_held()


async def test_zero_lets_it_go_after_the_answer(cold: Talk) -> None:
    said = await cold.chat("coder", stream=False, keep_alive=0)
    assert said.joined() == text("coder")
    assert await cold.until_held()


async def test_a_model_that_loads_is_not_listed(cold: Talk) -> None:
    task = asyncio.create_task(cold.load("heavy-a"))
    await asyncio.sleep(0.15)
    assert await cold.ps() == {}
    assert not task.done(), "the model was loaded too soon"
    await task
    assert set(await cold.ps()) == {"heavy-a"}


# ---------------------------------------------------------------- reloads


@pytest.mark.parametrize(
    ("more", "reload"),
    [
        ({"options": {"temperature": 0.1}}, False),
        ({"options": {"num_predict": 9}}, False),
        ({"options": {"seed": 3}}, False),
        ({"options": {"num_keep": 8}}, False),
        ({"truncate": False}, False),
        ({"keep_alive": "9m"}, False),
        ({"options": {"num_ctx": 2048}}, True),
        ({"options": {"num_batch": 256}}, "num_batch"),
        ({"options": {"num_thread": 2}}, "num_thread"),
        ({"options": {"use_mmap": False}}, "use_mmap"),
        ({"options": {"main_gpu": 1}}, True),
        ({"options": {"main_gpu": 0}}, "main_gpu 0"),
        ({"shift": False}, "shift"),
    ],
    ids=str,
)
async def test_what_loads_a_model_again(server: Talk, more: dict[str, Any], reload: bool | str) -> None:
    frame = {"num_ctx": 4096, "num_predict": 1}
    await server.chat("coder", stream=False, options=frame)
    before = server.peer.loads()
    said = await server.chat("coder", stream=False, **{**more, "options": {**frame, **more.get("options", {})}})
    assert said.status == 200
    expected = of("reloads", server.line)[reload] if isinstance(reload, str) else reload
    assert (server.peer.loads() != before) == expected
    await server.load("coder", keep_alive=0)


# ---------------------------------------------------------------- room for one, room for two


async def test_one_makes_room_for_the_other(open_server: Opener) -> None:
    async with open_server(max_loaded=1) as server:
        loads = []
        for model in ("coder", "reasoner", "coder"):
            said = await server.chat(model, stream=False)
            assert said.joined() == text(model)
            assert set(await server.ps()) == {model}
            loads.append(said.data["load_duration"])
        assert (await server.chat("coder", stream=False)).data["load_duration"] < min(loads) / 2


@pytest.mark.parametrize(("first", "second", "stays"), [("1h", "2m", "coder"), ("2m", "1h", "reasoner")])
async def test_the_shortest_keep_alive_goes_first(open_server: Opener, first: str, second: str, stays: str) -> None:
    async with open_server(max_loaded=2) as server:
        await server.load("coder", keep_alive=first)
        await server.load("reasoner", keep_alive=second)
        await server.chat("coder", stream=False)
        await server.chat("reasoner", stream=False)
        await server.load("looper", keep_alive="30m")
        assert await server.until_held(stays, "looper")


async def test_a_busy_model_is_waited_for(open_server: Opener) -> None:
    async with open_server(max_loaded=1) as server:
        busy, first = await _busy(server)
        await first.wait()
        said = await server.chat("coder", stream=False)
        assert busy.done()
        assert said.joined() == text("coder")
        assert (await busy).last["done_reason"] == "length"


async def _busy(server: Talk, **more: Any) -> tuple[asyncio.Task[Said], asyncio.Event]:
    """An answer that takes long, and when it has begun."""
    first = asyncio.Event()
    return asyncio.create_task(server.chat("looper", each=lambda _: first.set(), **{"options": ENDLESS, **more})), first


async def test_hot_requests_wait_however_many(open_server: Opener) -> None:
    async with open_server(max_loaded=1, max_queue=1, parallel=1) as server:
        await server.load("looper", options={"num_ctx": 2048})
        said = await asyncio.gather(*(server.chat("looper", stream=False, options={**ENDLESS, "num_predict": 100}) for _ in range(6)))
        assert [one.status for one in said] == [200] * 6


async def test_a_full_queue_refuses_who_would_have_to_load(open_server: Opener) -> None:
    async with open_server(max_loaded=1, max_queue=1, parallel=1) as server:
        await server.load("looper", options={"num_ctx": 2048})
        busy, first = await _busy(server, options={**ENDLESS, "num_predict": 4000})
        await first.wait()
        waiting = []
        for model in ("coder", "reasoner"):
            waiting.append(asyncio.create_task(server.chat(model, stream=False)))
            await asyncio.sleep(0.1)
        refused = await server.chat("arbiter", stream=False)
        dialect = await server.ask("/v1/chat/completions", {"model": "arbiter", "messages": [{"role": "user", "content": "x"}]})
        assert not busy.done(), "the answer that keeps the host busy was over too soon"
        assert (refused.status, refused.error) == (503, "server busy, please try again.  maximum pending requests exceeded")
        assert (dialect.status, dialect.data["error"]["type"]) == (503, "api_error")
        await busy
        assert [(await task).status for task in waiting] == [200, 200]


async def test_slots_share_one_model(open_server: Opener) -> None:
    async with open_server(parallel=2) as server:
        await server.load("looper", options={"num_ctx": 2048})
        assert (await server.ps())["looper"]["context_length"] == 2048
        said = await asyncio.gather(*(server.chat("looper", stream=False, options={**ENDLESS, "num_predict": 300}) for _ in range(3)))
        assert [one.data["eval_count"] for one in said] == [300] * 3


# ---------------------------------------------------------------- the deadlock


async def _wedge(server: Talk, **hot: Any) -> asyncio.Task[Said]:
    """A cold request that waits for a busy model to go, which meanwhile gets a hot request; gives the cold one, when the hot one is done."""
    await server.load("looper", keep_alive="10m", options={"num_ctx": 2048})
    busy, first = await _busy(server, options={**ENDLESS, "num_predict": 3000})
    await first.wait()
    cold = asyncio.create_task(server.chat("coder", stream=False))
    await asyncio.sleep(0.15)
    second = asyncio.create_task(server.chat("looper", stream=False, **{"options": {**ENDLESS, "num_predict": 200}, **hot}))
    assert not busy.done(), "the answer that keeps the host busy was over too soon"
    await asyncio.gather(busy, second)
    return cold


async def test_a_keep_alive_on_a_hot_request_wedges_the_scheduler(open_server: Opener) -> None:
    async with open_server(max_loaded=1, parallel=1) as server:
        cold = await _wedge(server, keep_alive="10m")
        done, _ = await asyncio.wait({cold}, timeout=1.5)
        assert not done
        assert set(await server.ps()) == {"looper"}
        await server.load("looper", keep_alive=0)
        async with asyncio.timeout(10):
            assert (await cold).joined() == text("coder")
        assert (await server.chat("reasoner", stream=False)).joined() == text("reasoner")


async def test_without_it_nothing_is_wedged(open_server: Opener) -> None:
    async with open_server(max_loaded=1, parallel=1) as server:
        cold = await _wedge(server)
        async with asyncio.timeout(10):
            assert (await cold).joined() == text("coder")
