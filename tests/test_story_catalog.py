"""The catalog of an app: it knows the models of its hosts, asks no model, and lists what is not reachable."""

from __future__ import annotations

import mmos
from mmos.app import open_app
from mmos.rehearsal.personas import Model
from mmos.testing import Call, stage

ENTRIES = {"quick": {"model": "gone:1b", "capabilities": ["fast_inference"], "memory_usage": "2GB"}}


def scripted(name: str, **more: object) -> Model:
    return Model.scripted(name, ["Yes."] * 8, **more)  # type: ignore[arg-type]


async def test_an_app_knows_its_models_and_asks_none() -> None:
    roles = {"arbiter": scripted("arbiter:7b"), "coding": scripted("my-coder:32b")}
    async with stage(roles, orchestration={"models": ENTRIES}) as made:
        models = {model.name: model for model in await made.app.models()}
        assert set(models) == {"arbiter:7b", "my-coder:32b", "gone:1b"}
        assert models["my-coder:32b"].hosts == ("here",)
        assert "CODE_SPECIALIZED" in models["my-coder:32b"].capabilities
        assert models["gone:1b"].hosts == ()
        assert models["gone:1b"].why == {"FAST_INFERENCE": "configuration: models.quick"}
        assert not made.sent("arbiter")
        before = len(made.host.requests)
        assert await made.app.models()
        assert len(made.host.requests) == before  # the lists are fresh


async def test_a_fleet_that_is_down_hides_no_configured_model() -> None:
    roles = {"arbiter": {"model": "arbiter:7b"}}
    config = {"orchestration": {**roles, "servers": {"here": {"url": "http://127.0.0.1:9"}}, "models": ENTRIES}}
    async with open_app(config) as app:
        models = await app.models()
    assert [(model.name, model.hosts) for model in models] == [("arbiter:7b", ()), ("gone:1b", ())]
    assert models[1].memory_gb == 2.0


async def test_a_participant_of_a_tool_may_name_a_model_by_its_key() -> None:
    async def judge(context: mmos.Context) -> str:
        return (await context.ask(mmos.Participant("judge", "strict", options={"top_p": 0.5}), "Is it good?")).text

    entries = {"strict": {"model": "other", "max_tokens": 7, "options": {"temperature": 0}, "context_window": 2048}}
    roles = {"arbiter": Model.scripted("arbiter", [Call("judge"), "Done."]), "other": Model.scripted("other", ["Yes."])}
    async with stage(roles, tools=[judge], orchestration={"models": entries}) as made:
        answer = await made.app.run("Judge it.")
        (sent,) = made.sent("other")
    assert answer.text == "Done."
    assert {name: sent["options"][name] for name in ("num_predict", "temperature", "top_p", "num_ctx")} == {
        "num_predict": 7, "temperature": 0, "top_p": 0.5, "num_ctx": 8192,
    }  # fmt: skip
