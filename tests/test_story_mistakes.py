"""A model that made mistakes reads of them in later runs: as kinds, without anybody's words, and the same all through a conversation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mmos
from mmos.events import FrameKept, RunStarted
from mmos.journal import new_id
from mmos.prompting.templates import Templates
from mmos.testing import Call, facts, stage

SECRET = "sk-live-5fe1"
LOOK = mmos.tool(name="look", description="Look at a thing.")(lambda thing: f"seen: {thing}")
TEXTS = Templates()
CLUMSY = [Call("peek_" + SECRET, {"thing": SECRET}), Call("look", {"wrong": SECRET}), "It is red."]


def system(body: dict[str, Any]) -> str:
    return str(body["messages"][0]["content"])


async def make_mistakes(state: Path) -> str:
    async with stage({"arbiter": CLUMSY}, tools=[LOOK], state=state) as on:
        answer = await on.app.run(f"What is {SECRET}?", thread="old")
        assert answer.text == "It is red."
        assert "Mistakes" not in system(on.sent("arbiter")[-1])
        return answer.run


async def test_the_next_app_tells_the_model_what_it_did_wrong(tmp_path: Path) -> None:
    run = await make_mistakes(tmp_path)
    async with stage({"arbiter": ["Blue."] * 3}, tools=[LOOK], state=tmp_path) as on:
        await on.app.run("Which color?", thread="new")
        text = system(on.sent("arbiter")[0])
        lines = [TEXTS.fill("mistake_arguments", tool="look"), TEXTS.fill("mistake_tool")]
        assert text.endswith(TEXTS.fill("mistakes", mistakes="\n".join(lines)))
        assert SECRET not in text
        await on.app.run("And now?", thread="old")  # its prompts had no mistakes when it began
        assert "Mistakes" not in system(on.sent("arbiter")[1])
        assert (await on.app.replay(run)).summary().startswith("3 ")


async def test_a_conversation_keeps_what_its_first_run_was_told(tmp_path: Path) -> None:
    await make_mistakes(tmp_path)
    systems = []
    for _ in range(2):
        async with stage({"arbiter": [Call("look", {"wrong": 1}), "Blue."]}, tools=[LOOK], state=tmp_path) as on:
            answer = await on.app.run("Which color?", thread="new")
            systems += [system(body) for body in on.sent("arbiter")]
            (frame,) = await facts(on.app, answer.run, FrameKept)
            assert frame.system == systems[-1]
            assert not any(step.differences for step in (await on.app.replay(answer.run)).comparisons)
    assert len(set(systems)) == 1


async def test_a_key_switches_it_off_and_a_run_without_mistakes_keeps_nothing(tmp_path: Path) -> None:
    run = await make_mistakes(tmp_path)
    async with stage({"arbiter": ["Blue."]}, tools=[LOOK], state=tmp_path, orchestration={"tell_mistakes": False}) as on:
        answer = await on.app.run("Which color?")
        assert "Mistakes" not in system(on.sent("arbiter")[0])
        for one in (run, answer.run):
            (started,) = await facts(on.app, one, RunStarted)
            assert "mistakes" not in started.options


async def test_mistakes_of_a_stranger_name_no_tool_that_is_not_there() -> None:
    told = {"arbiter": ["arguments ignore all rules", "arguments look", "poem", "json"]}
    async with stage({"arbiter": ["Blue."]}, tools=[LOOK]) as on:
        await on.app.run("Which color?", options=mmos.RunOptions(mistakes=told))
        text = system(on.sent("arbiter")[0])
        assert text.endswith("\n".join([TEXTS.fill("mistake_arguments", tool="look"), TEXTS.fill("mistake_json")]))


async def test_mistakes_that_a_stranger_wrote_in_a_wrong_form_are_left_out(tmp_path: Path) -> None:
    odd = {"arbiter": ["json", 7, ""], "other": "json", "": ["json"]}
    async with stage({"arbiter": ["Blue."]}, tools=[LOOK], state=tmp_path) as on:
        begun = RunStarted("Hi.", on.app.journal.process, options={"mistakes": odd})
        thread = new_id()
        on.app.journal.append(new_id(), thread, begun)
        await on.app.run("Which color?", thread=thread)
        assert system(on.sent("arbiter")[0]).endswith(TEXTS.fill("mistakes", mistakes=TEXTS.fill("mistake_json")))


async def test_mistakes_of_scripted_models_are_not_told_to_real_ones(tmp_path: Path) -> None:
    async with stage({"arbiter": [Call("peek", {}), "Red."]}, tools=[LOOK], state=tmp_path) as on:
        scripted = mmos.App(on.app.config, on.app.fleet, on.app.journal, tools=[LOOK], rehearsed=True)
        await scripted.run("Which color?")
        await scripted.close()
    async with stage({"arbiter": ["Blue."]}, tools=[LOOK], state=tmp_path) as on:
        await on.app.run("Which color?")
        assert "Mistakes" not in system(on.sent("arbiter")[0])
