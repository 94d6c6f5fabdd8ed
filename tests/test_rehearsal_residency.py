"""Memory, loads and the line before them: who is loaded, who has to leave, who waits, and how the line gets stuck."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from mmos.rehearsal import Architecture, Host, serve
from mmos.testing import until
from tests.leaping import leaping, now
from tests.rehearsal_ask import GIB, Reply, a_model, ask, chat, resident, unload

BUSY = "server busy, please try again.  maximum pending requests exceeded"


async def ps(url: str) -> dict[str, dict[str, Any]]:
    rows = (await ask(url, "/api/ps", method="GET")).row["models"]
    return {row["name"].removesuffix(":latest"): row for row in rows}


def busy(url: str, model: str, **more: Any) -> asyncio.Task[Reply]:
    """A request that a stall keeps in its slot until it is cancelled."""
    return asyncio.create_task(chat(url, model, **more))


# ---------------------------------------------------------------- room


async def test_another_model_needs_four_fifths_of_what_is_free() -> None:
    models = [a_model("first", size=6 * GIB), a_model("fits", size=3 * GIB), a_model("does-not", size=3 * GIB + GIB // 2)]
    async with serve(Host("h", models, vram_gb=10)) as url:
        await chat(url, "first", keep_alive=-1)
        await chat(url, "fits")
        assert await resident(url) == ["first", "fits"]
        await chat(url, "does-not")
        assert "fits" not in await resident(url)
        assert "does-not" in await resident(url)


async def test_the_first_is_loaded_whatever_it_takes_and_pays_with_speed() -> None:
    models = [a_model("large", size=20 * GIB), a_model("small", size=2 * GIB)]
    async with serve(Host("h", models, vram_gb=10)) as url:
        slow = (await chat(url, "large")).row
        row = (await ps(url))["large"]
        fast = (await chat(url, "small")).row
        assert await resident(url) == ["small"]
    assert row["size_vram"] == 10 * GIB < row["size"]
    assert slow["eval_duration"] > 5 * fast["eval_duration"]


async def test_a_window_takes_memory_for_every_slot() -> None:
    built = Architecture(layers=48, heads=40, kv_heads=8, head_size=128, embedding_length=5120)

    async def size(parallel: int, window: int) -> int:
        async with serve(Host("h", [a_model("m", architecture=built)], parallel=parallel, vram_gb=64)) as url:
            await chat(url, options={"num_ctx": window})
            row = (await ps(url))["m"]
        assert row["context_length"] == window
        return int(row["size"])

    token = 192 * 1024
    assert await size(1, 8192) - await size(1, 4096) == 4096 * token
    assert await size(4, 4096) - await size(1, 4096) == 3 * 4096 * token


async def test_few_layers_on_gpus_never_make_anybody_leave() -> None:
    models = [a_model("first", size=9 * GIB), a_model("router", size=3 * GIB)]
    async with serve(Host("h", models, vram_gb=10)) as url:
        await chat(url, "first")
        await chat(url, "router", options={"num_gpu": 0})
        told = await ps(url)
    assert set(told) == {"first", "router"}
    assert told["router"]["size_vram"] == 0


async def test_a_model_goes_to_one_gpu_or_to_all_of_them() -> None:
    models = [a_model("a", size=15 * GIB), a_model("b", size=15 * GIB), a_model("wide", size=22 * GIB)]
    async with serve(Host("h", models, gpus=[24, 24])) as url:
        await chat(url, "a")
        await chat(url, "b")
        assert set(await resident(url)) == {"a", "b"}
        await chat(url, "wide")
        told = await ps(url)
    assert len(told) == 2
    assert told["wide"]["size_vram"] == told["wide"]["size"]


@pytest.mark.parametrize(("limit", "left"), [(None, {"b", "c", "d"}), (1, {"d"}), (2, {"c", "d"})])
async def test_so_many_models_and_no_more(limit: int | None, left: set[str]) -> None:
    async with serve(Host("h", [a_model(name) for name in "abcd"], max_loaded=limit)) as url:
        for seconds, name in enumerate("abcd"):
            await chat(url, name, keep_alive=100 + seconds)
        assert set(await resident(url)) == left


async def test_not_the_oldest_but_the_shortest_keep_alive_leaves() -> None:
    async with serve(Host("h", [a_model(name) for name in "abc"], max_loaded=2)) as url:
        await chat(url, "a", keep_alive="10m")
        await chat(url, "b", keep_alive="1m")
        await chat(url, "b")
        await chat(url, "c")
        assert set(await resident(url)) == {"a", "c"}


async def test_names_of_one_file_share_one_place() -> None:
    models = [a_model("one", "first", blob="w"), a_model("two", "second", blob="w")]
    host = Host("h", models)
    async with serve(host) as url:
        assert [(await chat(url, name)).content for name in ("one", "two", "one")] == ["first", "first", "first"]
        assert (host.loads, await resident(url)) == (1, ["one"])
        await chat(url, "two", options={"num_ctx": 2048})
        assert (host.loads, await resident(url)) == (2, ["two"])


async def test_a_copy_is_the_same_weights_under_another_name() -> None:
    host = Host("h", [a_model("one")])
    async with serve(host) as url:
        assert (await ask(url, "/api/copy", {"source": "one", "destination": "two"})).status == 200
        missing = await ask(url, "/api/copy", {"source": "nope", "destination": "x"})
        await chat(url, "one")
        await chat(url, "two")
        assert host.loads == 1
        tags = (await ask(url, "/api/tags", method="GET")).row["models"]
        assert (await ask(url, "/api/delete", {"model": "two"}, "DELETE")).status == 200
        gone = await ask(url, "/api/delete", {"model": "two"}, "DELETE")
    assert [tag["name"] for tag in tags] == ["two:latest", "one:latest"]
    assert len({tag["digest"] for tag in tags}) == 1
    assert (missing.status, missing.error) == (404, 'model "nope" not found')
    assert (gone.status, gone.error) == (404, "model 'two' not found")


# ---------------------------------------------------------------- keep alive


async def test_keep_alive_sticks() -> None:
    host = Host("h", [a_model()], wall=lambda: 1_700_000_000_000_000_000)
    expected = {None: "2023-11-14T22:18:20Z", "30m": "2023-11-14T22:43:20Z", 1.5: "2023-11-14T22:13:21.5Z"}
    async with serve(host) as url:
        for keep, stamp in expected.items():
            await chat(url, **({} if keep is None else {"keep_alive": keep}))
            await chat(url)
            assert (await ps(url))["m"]["expires_at"] == stamp
        await chat(url, keep_alive=-1)
        await chat(url)
        assert (await ps(url))["m"]["expires_at"] > "2300"
        await chat(url, keep_alive=0)
        assert await resident(url) == []


async def test_the_host_says_how_long_models_stay() -> None:
    host = Host("h", [a_model()], keep_alive=60, wall=lambda: 1_700_000_000_000_000_000)
    async with serve(host) as url:
        await chat(url)
        assert (await ps(url))["m"]["expires_at"] == "2023-11-14T22:14:20Z"


@leaping
async def test_the_expiry_of_a_busy_model_may_lie_in_the_past() -> None:
    host = Host("h", [a_model("m", " ".join(f"w{number}" for number in range(9000)))], time_scale=1000.0, steady=now)
    async with serve(host) as url:
        await chat(url, messages=[], keep_alive=200)
        working = busy(url, "m")
        await until(lambda: host.open == 1)
        [runner] = host.residency.loaded()
        await until(lambda: host.residency.seconds_left(runner) < 0)
        assert await resident(url) == ["m"]
        assert host.residency.seconds_left(runner) < 0
        await working
        assert host.loads == 1
        await asyncio.sleep(0.21)
        assert await resident(url) == []


# ---------------------------------------------------------------- the line


async def test_loading_takes_as_long_as_reading_the_file() -> None:
    host = Host("h", [a_model("m", size=8_000_000_000)], disk_gbps=2.0)
    async with serve(host) as url:
        assert (await chat(url)).row["load_duration"] == 4_000_000_000
        stats = (await ask(url, "/__stats", method="GET")).row
    assert (stats["loads"], stats["load_seconds"], stats["swaps"]) == (1, 4.0, 0)


@leaping
async def test_a_swap_waits_until_the_memory_is_free() -> None:
    host = Host("h", [a_model(name, size=6 * GIB) for name in "ab"], vram_gb=8, swap_seconds=5, time_scale=100.0, steady=now)
    async with serve(host) as url:
        first = (await chat(url, "a")).row["load_duration"] / 1e9
        second = (await chat(url, "b")).row["load_duration"] / 1e9
    assert first == pytest.approx(4.0, abs=0.1)
    assert second == pytest.approx(9.0, abs=0.1)
    assert host.residency.tally.swaps == 1


@leaping
async def test_loads_come_one_after_the_other_and_what_is_loaded_answers() -> None:
    host = Host("h", [a_model(name) for name in "abc"], time_scale=40.0, steady=now)
    async with serve(host) as url:
        await chat(url, "a", keep_alive=-1)
        cold = [busy(url, name) for name in "bc"]
        await until(lambda: host.open == 2)
        await chat(url, "a")
        assert not any(task.done() for task in cold)
        told = [(await task).row["load_duration"] / 1e9 for task in cold]
    assert sorted(told) == [pytest.approx(4.0, abs=0.1), pytest.approx(8.0, abs=0.1)]


async def test_a_full_line_refuses_cold_requests_alone() -> None:
    host = Host("h", [a_model(name, speed={"load_seconds": 100_000}) for name in "abc"] + [a_model("hot")], max_queue=1, time_scale=1.0)
    async with serve(host) as url:
        host.installed["hot:latest"] = a_model("hot", speed={"load_seconds": 0.001, "prefill": 1e6, "decode": 1e6})
        await chat(url, "hot", keep_alive=-1)
        waiting = [busy(url, "a")]
        await until(lambda: host.open == 1)
        waiting.append(busy(url, "b"))
        await until(lambda: host.open == 2)
        for path, body in (
            ("/api/chat", {"messages": [{"role": "user", "content": "x"}]}),
            ("/api/generate", {"prompt": "x"}),
            ("/api/embed", {"input": "x"}),
        ):
            refused = await ask(url, path, {"model": "c", "stream": False, **body})
            assert (refused.status, refused.error) == (503, BUSY)
        v1 = await ask(url, "/v1/chat/completions", {"model": "a", "messages": [{"role": "user", "content": "x"}]})
        assert (v1.status, v1.row["error"]["type"], v1.row["error"]["message"]) == (503, "api_error", BUSY)
        assert all(reply.status == 200 for reply in await asyncio.gather(*(chat(url, "hot") for _ in range(6))))
        for task in waiting:
            task.cancel()
        await until(lambda: host.open == 0)
    assert (host.loads, host.residency.tally.refused) == (1, 4)


@leaping
async def test_who_leaves_the_line_is_passed_over() -> None:
    host = Host("h", [a_model("slow", speed={"load_seconds": 1000}), a_model("next")], time_scale=1000.0, steady=now)
    async with serve(host) as url:
        first, second, third = busy(url, "slow"), busy(url, "next"), busy(url, "slow")
        await until(lambda: host.open == 3)
        second.cancel()
        first.cancel()
        assert (await third).status == 200
        assert await resident(url) == ["slow"]
    assert host.loads == 1


async def test_a_load_that_runs_out_of_memory() -> None:
    host = Host("h", [a_model()])
    host.faults.add("oom", times=1)
    async with serve(host) as url:
        failed = await chat(url)
        assert await resident(url) == []
        assert (await chat(url)).status == 200
        host.faults.add("oom")
        assert (await chat(url)).status == 200
    assert failed.status == 500
    assert failed.error.startswith(
        "llama-server process has terminated: exit status 1: cudaMalloc failed: out of memory\nerror loading model"
    )


async def test_a_load_that_stands_still() -> None:
    host = Host("h", [a_model()], time_scale=10_000.0, profile="0.34")
    host.faults.add("load_stall", times=1, seconds=60)
    async with serve(host) as url:
        failed = await chat(url)
        assert await resident(url) == []
        assert (await chat(url)).status == 200
    assert (failed.status, failed.error) == (500, "timed out waiting for llama-server to start - ")


async def test_an_engine_that_died_is_loaded_again_by_the_next_request() -> None:
    host = Host("h", [a_model()])
    host.faults.add("error_line", times=1)
    async with serve(host) as url:
        crashed = await chat(url)
        assert (crashed.status, await resident(url)) == (500, ["m"])
        assert (await chat(url)).row["load_duration"] >= 4e9
        host.faults.add("killed", times=1)
        assert (await chat(url)).row["load_duration"] >= 4e9
        assert (await chat(url)).row["load_duration"] < 1e9
    assert host.loads == 3


# ---------------------------------------------------------------- the deadlock


async def stuck(url: str, host: Host, **hot: Any) -> asyncio.Task[Reply]:
    """A load that waits for a busy model, which another request comes to meanwhile; then both of these end."""
    host.faults.add("stall", model="a", times=2)
    first = busy(url, "a")
    await until(lambda: host.loads == 1 and len(host.requests) == 1)
    load = busy(url, "b")
    await until(lambda: host.open == 2)
    second = busy(url, "a", **hot)
    await until(lambda: host.open == 3)
    for task in (first, second):
        task.cancel()
    await until(lambda: sum(seen.cancelled for seen in host.requests) == 2)
    return load


async def test_a_hot_request_with_a_keep_alive_stops_every_load_for_ever() -> None:
    host = Host("h", [a_model(name) for name in "abc"], max_loaded=1, parallel=2)
    async with serve(host) as url:
        load = await stuck(url, host, keep_alive="5m")
        later = busy(url, "c")
        await until(lambda: host.open == 2)
        load.cancel()  # that its client leaves does not help
        await until(lambda: host.open == 1)
        assert await resident(url) == ["a"]
        assert (await chat(url, "a")).status == 200
        await asyncio.sleep(0.02)
        assert not later.done()
        await unload(url, "a")
        assert (await later).status == 200
        assert await resident(url) == ["c"]


async def test_without_the_keep_alive_the_load_goes_on() -> None:
    host = Host("h", [a_model(name) for name in "ab"], max_loaded=1, parallel=2)
    async with serve(host) as url:
        load = await stuck(url, host)
        assert (await load).status == 200
        assert await resident(url) == ["b"]


async def test_a_deadlock_on_demand_and_its_rescue() -> None:
    host = Host("h", [a_model(name) for name in "ab"])
    async with serve(host) as url:
        await chat(url, "a")
        host.faults.add("deadlock", model="b", times=1)
        cold = busy(url, "b")
        await until(lambda: host.open == 1)
        assert (await chat(url, "a")).status == 200
        await asyncio.sleep(0.02)
        assert not cold.done()
        await unload(url, "a")
        assert (await cold).status == 200


async def test_only_a_model_that_leaves_ends_a_deadlock() -> None:
    host = Host("h", [a_model(name) for name in "abc"])
    async with serve(host) as url:
        await chat(url, "a")
        host.faults.add("deadlock", model="b", times=1)
        cold = busy(url, "b")
        await until(lambda: host.open == 1)
        await unload(url, "c")  # it is not in memory
        await asyncio.sleep(0.02)
        assert not cold.done()
        await chat(url, "a", keep_alive=0)
        assert (await cold).status == 200


@pytest.mark.parametrize("seed", range(3))
@leaping
async def test_a_crowd_that_comes_and_goes_leaves_nothing_behind(seed: int) -> None:
    chance = random.Random(seed)
    host = Host("h", [a_model(name, size=3 * GIB) for name in "abcd"], vram_gb=8, max_queue=8, parallel=2, time_scale=2000.0, steady=now)
    async with serve(host) as url:
        tasks = []
        for _ in range(120):
            window = chance.choice((1024, 2048))
            tasks.append(busy(url, chance.choice("abcd"), options={"num_ctx": window}))
            await asyncio.sleep(chance.random() / 200)
            if chance.random() < 0.3:
                chance.choice(tasks).cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert {reply.status for reply in done if isinstance(reply, Reply)} <= {200, 503}
        await until(lambda: host.open == 0)
        assert all(runner.users == 0 for runner in host.residency.loaded())
        for name in "abcd":
            assert (await chat(url, name)).status == 200


async def test_the_same_requests_give_the_same_bytes_on_every_route() -> None:
    async def run() -> list[str]:
        host = Host("h", [a_model("m", "one two"), a_model("n", "three", path="native")], vram_gb=8, seed=3, wall=lambda: 10**18)
        async with serve(host) as url:
            told = [(await chat(url, name, stream=stream)).text for name in "mn" for stream in (True, False)]
            body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
            told += [(await ask(url, "/v1/chat/completions", {**body, "stream": stream})).text for stream in (True, False)]
            return [*told, (await ask(url, "/api/ps", method="GET")).text, (await ask(url, "/api/tags", method="GET")).text]

    first = await run()
    assert first == await run()
    assert all(first)
