"""What a fleet learns of its hosts is kept in the state folder, and a file that is damaged, foreign or of another model does no harm."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.events import ModelReplied
from mmos.fleet.asking import Ask
from mmos.hosts.face import ChatRequest
from mmos.messages import Message
from mmos.rehearsal.personas import Speed
from mmos.testing import Host, Model, serve

ASK = [Message("user", "How? " * 60)]
ANSWER = "one two three four five six seven eight nine ten"
SLOW, FAST = Speed(1.0, 400.0, 20.0), Speed(1.0, 8000.0, 400.0)
SCALE = 100.0


def hosts() -> list[Host]:
    return [
        Host(name, [Model.scripted("m", [ANSWER], repeat=True, speed=speed)], time_scale=SCALE)
        for name, speed in (("a", SLOW), ("b", FAST))
    ]


@asynccontextmanager
async def served(*hosts: Host) -> AsyncIterator[dict[str, Any]]:
    async with AsyncExitStack() as stack:
        yield {host.name: {"url": await stack.enter_async_context(serve(host)), "time_scale": SCALE} for host in hosts}


async def ask_each(fleet: mmos.Fleet, *names: str) -> None:
    for name in names:
        for _ in range(2):
            await fleet.serve(Ask(ChatRequest("m", ASK, 4096), (name,)))


async def chosen(servers: dict[str, Any], state: Path | None) -> str:
    """The host that a new fleet chooses for its first call."""
    async with mmos.Fleet.open(servers, state=state) as fleet:
        return (await fleet.ask("m", ASK)).host


def kept(state: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((state / "fleet.json").read_text())
    return {key.partition("@")[0]: host["models"] for key, host in document["hosts"].items()}


async def test_the_next_run_knows_the_fast_host(tmp_path: Path) -> None:
    async with served(*hosts()) as servers:
        async with mmos.Fleet.open(servers, state=tmp_path) as fleet:
            await ask_each(fleet, "a", "b")
        assert kept(tmp_path)["b"]["m:latest"].keys() == {"digest", "read", "write", "load", "measured", "lengths"}
        assert (await chosen(servers, None), await chosen(servers, tmp_path)) == ("a", "b")


async def test_an_app_keeps_what_its_fleet_learns(tmp_path: Path) -> None:
    async with served(*hosts()) as servers:
        config = {"orchestration": {"servers": servers, "arbiter": {"model": "m", "server": "b"}}}
        async with mmos.open(config, state=tmp_path) as app:
            await app.run("How?")
    assert kept(tmp_path).keys() == {"b"}


async def test_the_answers_of_each_role_have_a_length_of_their_own(tmp_path: Path) -> None:
    """Two roles share a model. Each run expects what its role said in earlier runs, and not what the other said."""
    long = " ".join([ANSWER] * 40)
    model = Model.scripted("m", ["Yes.", long], repeat=True, speed=FAST)
    async with served(Host("b", [model], time_scale=SCALE)) as servers:
        roles = {"brief": {"model": "m"}, "wordy": {"model": "m"}}
        config = {"orchestration": {"servers": servers, "arbiter": {"model": "m"}, "specialists": roles}}
        first = await writing(config, tmp_path, "brief")
        await writing(config, tmp_path, "wordy")
        brief, wordy = await writing(config, tmp_path, "brief"), await writing(config, tmp_path, "wordy")
    lengths = kept(tmp_path)["b"]["m:latest"]["lengths"]
    assert {kind: round(mean) for kind, (mean, _) in lengths.items() if kind} == {"brief": 1, "wordy": 400}
    assert brief < first / 10  # 1 token instead of 200
    assert wordy > 100 * brief


async def writing(config: dict[str, Any], state: Path, role: str) -> float:
    """The seconds for which a new process expects a role to write its answer."""
    async with mmos.open(config, state=state) as app:
        answer = await app.run("How?", options=mmos.RunOptions(role_only=role))
        [reply] = [entry.event for entry in await app.journal.read(run=answer.run) if isinstance(entry.event, ModelReplied)]
    return float(reply.placement["write"])


async def test_without_a_folder_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with served(*hosts()) as servers, mmos.Fleet.open(servers) as fleet:
        await ask_each(fleet, "a")
    assert list(tmp_path.iterdir()) == []


async def test_another_model_under_the_same_name_starts_anew(tmp_path: Path) -> None:
    slow, fast = hosts()
    async with served(slow, fast) as servers:
        async with mmos.Fleet.open(servers, state=tmp_path) as fleet:
            await ask_each(fleet, "a", "b")
        for host in (slow, fast):
            host.installed = {name: replace(model, size=model.size + 1) for name, model in host.installed.items()}
        assert await chosen(servers, tmp_path) == "a"


async def test_two_processes_keep_what_each_has_learned(tmp_path: Path) -> None:
    async with served(*hosts()) as servers:
        async with mmos.Fleet.open(servers, state=tmp_path) as one, mmos.Fleet.open(servers, state=tmp_path) as other:
            await ask_each(one, "a")
            await ask_each(other, "b")
        assert kept(tmp_path).keys() == {"a", "b"}
    assert [path.name for path in tmp_path.glob("fleet*")] == ["fleet.json"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"version": 2, "hosts": {}}', '{"version": 1, "hosts": 7}'],
)
async def test_a_file_that_is_damaged_is_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "fleet.json").write_text(text)
    async with served(*hosts()) as servers, mmos.Fleet.open(servers, state=tmp_path) as fleet:
        await ask_each(fleet, "b")
    assert kept(tmp_path).keys() == {"b"}


@pytest.mark.parametrize("value", [None, 7, "x", [], [1], [-1, 2], [True, 2], [1e300, 2], [0.1, 0], [0.1, 2.5], [0.1, "2"], {"x": 1}])
async def test_values_that_make_no_sense_are_ignored(tmp_path: Path, value: object) -> None:
    async with served(*hosts()) as servers:
        async with mmos.Fleet.open(servers, state=tmp_path) as fleet:
            await ask_each(fleet, "a", "b")
        file = tmp_path / "fleet.json"
        document = json.loads(file.read_text())
        for host in document["hosts"].values():
            host["memory"] = value
            host["models"]["m:latest"] |= dict.fromkeys(("read", "write", "load", "measured", "lengths"), value)
        file.write_text(json.dumps(document))
        assert await chosen(servers, tmp_path) == "a"


async def test_a_folder_that_cannot_be_written_costs_no_call(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_text("a file")
    async with served(*hosts()) as servers:
        assert await chosen(servers, state) == "a"
