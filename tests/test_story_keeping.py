"""Stories of models that stay in memory, and of those that leave first, over rehearsal hosts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

import mmos
from mmos.config.load import from_mapping
from mmos.errors import NoHost
from mmos.fleet.build import arguments_of
from mmos.fleet.warmth import Wish
from mmos.testing import Host, serve, until
from tests.shell import command
from tests.test_story_warm import ASK, SCALE, asked, hosts, loads_ahead, model, run_of


def pinning(url: str, *, fits: bool = False, **role: Any) -> dict[str, Any]:
    server = {"url": url, "vram_gb": 16 if fits else 8, "time_scale": SCALE}
    return {
        "orchestration": {
            "servers": {"box": server},
            "arbiter": {"model": "a", "pin": True, **role},
            "specialists": {"other": {"model": "b"}},
        }
    }


@asynccontextmanager
async def pinned(folder: Path | None = None, *, fits: bool = False, **role: Any) -> AsyncIterator[tuple[mmos.Fleet, Host]]:
    box = Host("box", [model("a"), model("b"), model("c")], vram_gb=16.0 if fits else 8.0, time_scale=SCALE, swap_seconds=0.5)
    async with serve(box) as url:
        config = from_mapping(pinning(url, fits=fits, **role), environ={})
        if folder is not None:
            (folder / "orchestration.yaml").write_text(yaml.safe_dump(pinning(url, fits=fits, **role)))
        async with mmos.Fleet.open(config) as fleet:
            await fleet.census()
            yield fleet, box


async def test_a_pinned_model_is_not_unloaded_for_another_and_the_error_says_so() -> None:
    async with pinned() as (fleet, box):
        await fleet.ask("a", ASK)
        with pytest.raises(NoHost, match="b does not fit beside the pinned models: box has a:latest") as refused:
            await fleet.ask("b", ASK)
        assert "Remove `pin` from a role" in (refused.value.next_step or "")
        assert box.loads == 1


async def test_of_two_models_beside_a_pinned_one_the_other_one_leaves() -> None:
    async with pinned(fits=True) as (fleet, box):
        for name in "abcab":
            await fleet.ask(name, ASK, num_ctx=4096)
        assert (box.loads, {loaded.name for loaded in await fleet.host("box").ps()}) == (4, {"a:latest", "b:latest"})


@pytest.mark.parametrize(("role", "sent"), [({}, -1), ({"keep_alive": "1h"}, "1h")])
async def test_the_load_of_a_pinned_model_tells_the_host_to_keep_it_and_later_calls_say_nothing(role: dict[str, Any], sent: object) -> None:
    async with pinned(**role) as (fleet, box):
        for _ in range(2):
            await fleet.ask("a", ASK)
        assert [entry.json.get("keep_alive") for entry in box.requests.to("/api/chat")] == [sent, None]
        assert await asked(fleet, Wish("a", window=4096)) is False
    async with pinned(**role) as (fleet, box):
        assert await asked(fleet, Wish("a", window=4096))
        await until(lambda: box.loads)
        assert [entry.json.get("keep_alive") for entry in box.requests.to("/api/chat")] == [sent]


async def test_hosts_shows_what_is_pinned(tmp_path: Path) -> None:
    async with pinned(tmp_path) as (fleet, _):
        await fleet.ask("a", ASK)
        shown = await command(tmp_path, "hosts")
        assert "for ever · pinned" in shown.out
        told = await command(tmp_path, "hosts", "--json")
        assert [loaded["pinned"] for loaded in told.document["hosts"][0]["loaded"]] == [True]


async def test_a_chat_loads_what_is_pinned_first() -> None:
    async with run_of() as plain:
        config = dict(plain.config)["orchestration"]
        config["specialists"]["coding"]["pin"] = True
        async with mmos.open({"orchestration": config}) as app:
            await app.warm_up()
            await until(lambda: plain.host.loads == 2)
            assert [name.partition(":")[0] for name in loads_ahead(plain)] == ["coding", "arbiter"]


# ---------------------------------------------------------------- who leaves first


def said(box: Host) -> list[tuple[str, object]]:
    """What the host was told to keep, in order."""
    return [
        (entry.model.partition(":")[0], entry.json["keep_alive"]) for entry in box.requests.to("/api/chat") if "keep_alive" in entry.json
    ]


@asynccontextmanager
async def crowded(**role: Any) -> AsyncIterator[tuple[mmos.Fleet, Host, Clock]]:
    """A host that holds two of its three models. Its clock stands still: `Clock.seconds` moves ours."""
    clock = Clock()
    box = Host("box", [model(name, 2.0) for name in "abc"], vram_gb=16.0, time_scale=1000.0)
    async with serve(box) as url:
        server = {"url": url, "vram_gb": 16, "time_scale": 1000.0}
        document = {
            "orchestration": {
                "servers": {"box": server},
                "arbiter": {"model": "z", "server": "box"},
                "specialists": {"one": {"model": "a", **role}},
            }
        }
        made = arguments_of(from_mapping(document, environ={}), None, None)
        async with mmos.Fleet(**made, clock=clock) as fleet:
            await fleet.census()
            yield fleet, box, clock


class Clock:
    """Ours, and it can be set forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead


async def ask(fleet: mmos.Fleet, *names: str) -> None:
    for name in names:
        await fleet.ask(name, ASK, num_ctx=4096)


async def test_a_host_is_told_to_keep_what_is_asked_often_and_to_let_go_what_was_asked_once() -> None:
    async with crowded() as (fleet, box, clock):
        await ask(fleet, "b", "c", "a", "a")
        assert said(box) == [], "nobody knows yet what is needed, so each host's own time counts"
        clock.ahead += 0.1  # a hundred seconds of the host
        await ask(fleet, "a")
        await until(lambda: len(said(box)) == 2)
        held = {loaded.name.partition(":")[0] for loaded in await fleet.host("box").ps()} - {"a"}
        assert dict(said(box)) == {"a": 1800.0, held.pop(): 120.0}
        loads = box.loads
        clock.ahead += 0.1
        await ask(fleet, "a")
        assert (len(said(box)), box.loads) == (2, loads), "it is said once, and it loads nothing again"


async def test_the_time_in_the_configuration_counts() -> None:
    async with crowded(keep_alive="7m") as (fleet, box, clock):
        await ask(fleet, "b", "c", "a", "a", "a")
        clock.ahead += 0.1
        await ask(fleet, "a")
        await until(lambda: len(said(box)) == 2)
        assert [time for name, time in said(box) if name == "a"] == ["7m"]


async def test_where_all_models_fit_nothing_is_said() -> None:
    async with hosts("box") as (fleet, boxes):
        await fleet.census()
        await ask(fleet, "a", "a", "a", "a")
        assert said(boxes["box"]) == []


async def test_what_a_chat_expects_is_loaded_for_an_hour() -> None:
    async with crowded() as (fleet, box, _):
        await ask(fleet, "b", "c")
        await asked(fleet, Wish("a", window=4096))
        await until(lambda: box.loads == 3)
        assert said(box) == [("a", 3600.0)]
