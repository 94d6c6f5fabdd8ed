"""Stories of the key `fleet` of a configuration, over rehearsal hosts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.events import ModelAsked
from mmos.testing import Host, Model, consult, facts, stage
from tests.fleets import fleet_at
from tests.shell import shell

ASK = [{"role": "user", "content": "How?"}]


def host(name: str, *models: str, **more: float) -> Host:
    return Host(name, [Model.scripted(model, ["So."], repeat=True) for model in models], **more)


@pytest.mark.parametrize(("policy", "hosts"), [("completion_time", "aaa"), ("round_robin", "aba"), ("least_busy", "aba")])
async def test_the_file_chooses_the_policy(tmp_path: Path, policy: str, hosts: Sequence[str]) -> None:
    async with (
        fleet_at(tmp_path, host("a", "general:7b"), host("b", "general:7b"), fleet={"policy": policy}) as place,
        mmos.Fleet.open(place.folder / "orchestration.yaml") as fleet,
    ):
        assert [(await fleet.ask("general:7b", ASK)).host for _ in range(3)] == list(hosts)


async def test_the_check_names_the_nearest_policy(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, host("a", "general:7b"), fleet={"policy": "fasstest"}) as place:
        checked = await place.mmos("config", "check", "--offline")
        assert checked.code == 2
        assert "did you mean 'fastest'?" in checked.err


# ---------------------------------------------------------------- several models for a role


def listed(*models: str) -> dict[str, Any]:
    return {"specialists": {"coding": {"model": list(models)}}}


async def test_the_next_model_answers_when_no_host_has_the_first(tmp_path: Path) -> None:
    roles = {"arbiter": [consult("coding"), "Done."], "coding": ["So."]}
    async with shell(tmp_path, roles, orchestration=listed("nope:7b", "coding")) as at:
        ended = await at.mmos("run", "--json", "How?")
        assert (ended.code, ended.document["status"], ended.document["answer"]) == (0, "answered", "Done.")
        (warning,) = ended.document["warnings"]
        assert warning.startswith(
            "coding: coding answers in place of nope:7b. No host can serve nope:7b. here does not have the model nope:7b."
        )
        assert {role["role"]: role["model"] for role in ended.document["roles"]} == {"arbiter": "arbiter", "coding": "coding"}
        shown = await at.mmos("runs", "show", ended.document["run"])
        assert "coding answers in place of nope:7b" in shown.out


async def test_the_first_model_answers_while_a_host_can_serve_it() -> None:
    roles = {"arbiter": [consult("coding"), "Done."], "coding": ["So."], "spare": ["No."]}
    async with stage(roles, orchestration=listed("coding", "spare")) as on:
        answer = await on.app.run("How?")
        assert (answer.text, answer.document()["warnings"], len(on.sent("coding")), on.sent("spare")) == ("Done.", [], 1, [])


async def test_a_model_that_failed_is_left_alone_for_a_while_and_each_run_says_so() -> None:
    spare = Model.scripted("spare", [consult("coding"), "Done."], repeat=True)
    async with stage({"arbiter": spare, "coding": ["So."]}, orchestration={"arbiter": {"model": ["big:70b", "spare"]}}) as on:
        for _ in range(2):
            answer = await on.app.run("How?")
            assert answer.text == "Done."
            assert answer.document()["warnings"][0].startswith("arbiter: spare answers in place of big:70b.")
            asked = await facts(on.app, answer.run, ModelAsked)
            assert [event.model for event in asked if event.role == "arbiter"][-2:] == ["spare", "spare"]
        assert [entry.model for entry in on.host.requests.to("/api/chat")].count("big:70b") == 1


async def test_without_any_model_the_run_says_what_each_host_says() -> None:
    async with stage({"arbiter": ["Done."]}, orchestration={"arbiter": {"model": ["big:70b", "huge:180b"]}}) as on:
        answer = await on.app.run("How?")
        assert (answer.status, answer.reason.code if answer.reason else "") == ("failed", "model_missing")
        assert "big:70b" in " ".join(answer.document()["warnings"])
        assert "huge:180b" in answer.document()["reason"]["message"]


async def test_each_model_gets_its_own_window_and_channel() -> None:
    plain = Model.scripted("plain", ['{"answer": "So."}'], capabilities=("completion",))
    roles = {"arbiter": plain, "wide": ["Wide."], "plain": plain}
    changes = {"arbiter": {"model": ["nope", "plain"], "context_window": 4096}, "specialists": {"plain": {"context_window": 8192}}}
    async with stage(roles, orchestration=changes) as on:
        answer = await on.app.run("How?")
        asked = await facts(on.app, answer.run, ModelAsked)
        assert [(event.model, event.window, event.channel) for event in asked] == [("nope", 4096, "tools"), ("plain", 8192, "schema")]


async def test_the_check_and_the_doctor_look_at_every_model(tmp_path: Path) -> None:
    roles = {"coding": {"model": ["nope:7b", "coder:7b"]}}
    async with fleet_at(tmp_path, host("a", "general:7b", "coder:7b"), roles=roles) as place:
        checked = await place.mmos("config", "check")
        assert checked.code == 0
        assert "orchestration.specialists.coding.model: a does not have nope:7b" in checked.err + checked.out
        examined = json.loads((await place.mmos("doctor", "--json")).out)
        (missing,) = [finding for finding in examined["findings"] if finding["code"] == "model_missing"]
        assert (missing["level"], "coding" in missing["message"]) == ("warning", True)
        shown = await place.mmos("config", "show")
        assert 'model: ["nope:7b", "coder:7b"]' in shown.out
        rows = json.loads((await place.mmos("models", "list", "--json")).out)["models"]
        assert {row["model"]: row["roles"] for row in rows}["coder:7b"] == ["coding"]
