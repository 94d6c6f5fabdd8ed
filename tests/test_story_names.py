"""Stories of one model under several names: its host loads it once, in one window, and every command knows it under each of them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import mmos
from mmos.app import RunOptions
from mmos.rehearsal.personas import Speed
from mmos.testing import Call, Host, Model, serve
from tests.fleets import fleet_at

SPELLINGS = ["qwen2.5:14b", "library/qwen2.5:14b", "Qwen2.5:14B"]
ASK = [{"role": "user", "content": "How?"}]
ALL = [Call("consult_coding_specialist", {"query": "How?"}), Call("consult_analysis_specialist", {"query": "How?"})]


def one_model(*turns: Any) -> Host:
    return Host("here", [Model.scripted("qwen2.5:14b", [*turns]), Model("small:1b")])


def spelled(url: str, *spellings: str) -> dict[str, Any]:
    """A configuration whose three roles have one model and ask for different windows."""
    roles = {
        name: {"model": model, "server": "here", "context_window": window}
        for name, model, window in zip(("arbiter", "coding", "analysis"), spellings, (4096, 16384, 8192), strict=True)
    }
    return {"orchestration": {"servers": {"here": {"url": url}}, "arbiter": roles.pop("arbiter"), "specialists": roles}}


# ---------------------------------------------------------------- the fleet


async def test_a_model_is_warm_under_all_its_names() -> None:
    host = Host("here", [Model("qwen2.5:14b")])
    async with serve(host) as url, mmos.Fleet.open({"here": {"url": url}}) as fleet:
        warm = [(await fleet.ask(name, ASK)).placement["warm"] for name in SPELLINGS]
    assert warm == [False, True, True]
    assert host.loads == 1


async def test_calls_under_all_names_share_the_slots_of_a_host() -> None:
    host = Host("here", [Model("qwen2.5:14b", speed=Speed(load_seconds=2.0))], time_scale=10.0)
    most = 0
    async with serve(host) as url, mmos.Fleet.open({"here": {"url": url}}) as fleet:
        asking = [asyncio.create_task(fleet.ask(name, ASK)) for name in SPELLINGS]
        while not all(task.done() for task in asking):
            most = max(most, host.open)
            await asyncio.sleep(0.01)
        await asyncio.gather(*asking)
    assert most == 2  # a slot, and one call ahead


async def test_a_long_prompt_widens_the_window_of_all_names() -> None:
    host = Host("here", [Model("qwen2.5:14b")])
    async with serve(host) as url, mmos.Fleet.open({"here": {"url": url}}) as fleet:
        await fleet.ask(SPELLINGS[2], [{"role": "user", "content": "word " * 5000}])
        for name in SPELLINGS:
            await fleet.ask(name, ASK)
    assert len({seen.num_ctx for seen in host.requests.to("/api/chat")}) == 1


# ---------------------------------------------------------------- one window


async def test_roles_that_spell_one_model_in_three_ways_load_it_once_in_one_window() -> None:
    host = one_model(ALL, "So.", "Thus.", "All agree.", "Yes.")
    async with serve(host) as url, mmos.open(spelled(url, *SPELLINGS)) as app:
        answer = await app.run("How?")
        again = await app.run("Sure?")
    assert (len(answer.view.warnings), again.view.warnings) == (2, [])
    asked = host.requests.to("/api/chat")
    assert (answer.text, len(asked), {seen.num_ctx for seen in asked}, host.loads) == ("All agree.", 5, {16384}, 1)


async def test_a_role_that_a_run_gives_another_spelling_shares_the_window() -> None:
    host = one_model(ALL, "So.", "Thus.", "All agree.")
    async with serve(host) as url, mmos.open(spelled(url, "qwen2.5:14b", "small:1b", "qwen2.5:14b")) as app:
        await app.run("How?", options=RunOptions(roles={"coding": "Library/Qwen2.5:14B"}))
    assert ({seen.num_ctx for seen in host.requests.to("/api/chat")}, host.loads) == ({16384}, 1)


async def test_a_model_alone_has_the_window_of_the_roles_that_spell_it_otherwise() -> None:
    host = one_model("So.", "Thus.")
    async with serve(host) as url, mmos.open(spelled(url, *SPELLINGS)) as app:
        for model in ("registry.ollama.ai/library/Qwen2.5:14b@here", "qwen2.5:14b"):
            await app.run("How?", options=RunOptions(model=model))
    assert ({seen.num_ctx for seen in host.requests.to("/api/chat")}, host.loads) == ({16384}, 1)


async def test_check_and_run_tell_two_spellings(tmp_path: Path) -> None:
    host = Host("here", [Model.scripted("qwen2.5:14b", ["So."])])
    async with fleet_at(tmp_path, host, roles={"arbiter": {"model": "qwen2.5:14b"}, "coding": {"model": "Qwen2.5:14B"}}) as at:
        checked, ran = await at.mmos("config", "check"), await at.mmos("run", "How?")
    assert (checked.code, ran.code, ran.out) == (0, 0, "So.\n")
    assert (
        "specialists.coding.model: Qwen2.5:14B and qwen2.5:14b are one model; MMOS treats them as one; write qwen2.5:14b here"
        in checked.err
    )
    assert "mmos: warning: Qwen2.5:14B (coding) and qwen2.5:14b are one model. MMOS treats them as one. Write qwen2.5:14b for" in ran.err


async def test_commands_know_a_model_under_all_its_names(tmp_path: Path) -> None:
    host = Host("here", [Model("qwen2.5:14b")])
    roles = {name: {"model": model} for name, model in zip(("arbiter", "coding", "analysis"), SPELLINGS, strict=True)}
    roles["coding"]["context_window"] = 16384
    async with fleet_at(tmp_path, host, roles=roles) as at:
        tested = await at.mmos("models", "test", "Qwen2.5:14B", "--json")
        warmed = await at.mmos("models", "warm", SPELLINGS[1], "--json")
        listed = await at.mmos("models", "list", "--json")
        shown = await at.mmos("config", "show", "--json")
    assert (tested.code, warmed.code) == (0, 0)
    assert (warmed.document["hosts"][0]["was_loaded"], warmed.document["hosts"][0]["window"]) == (True, 16384)
    (model,) = listed.document["models"]
    assert (model["model"], sorted(model["roles"])) == ("qwen2.5:14b", ["analysis", "arbiter", "coding"])
    effective = shown.document["orchestration"]
    channels = {role.get("channel") for role in (effective["arbiter"], *effective["specialists"].values())}
    assert channels == {tested.document["cards"][0]["channel"]}
