"""Prompts are facts: what went to a model can be made again, what was learned of it lasts, and what concerns one turn stays out of the thread."""

from __future__ import annotations

from pathlib import Path

import mmos
from mmos.events import FrameKept, ModelAsked, ModelLearned
from mmos.participant.models import WRAPPERS
from mmos.testing import Call, Model, consult, facts, stage

REFUSED = "registry.ollama.ai/library/arbiter does not support tools"
ANSWERS = ['{"answer": "One."}', '{"answer": "Two."}']


async def test_a_refusal_of_tools_is_known_after_a_restart(tmp_path: Path) -> None:
    async with stage({"arbiter": ANSWERS, "coding": []}, state=tmp_path) as on:
        on.host.faults.add("status", status=400, error=REFUSED, times=1)
        run = (await on.app.run("Hello.")).run
        learned = [event for event in await facts(on.app, run, ModelLearned) if event.channel]
        assert [(event.model, event.servers, event.channel) for event in learned] == [("arbiter", ("here",), "schema")]
    async with stage({"arbiter": ANSWERS, "coding": []}, state=tmp_path) as on:
        await on.app.run("Hello again.")
        assert ["tools" in body for body in on.sent("arbiter")] == [False]


async def test_a_model_that_was_replaced_gets_tools_again(tmp_path: Path) -> None:
    async with stage({"arbiter": ANSWERS, "coding": []}, state=tmp_path) as on:
        on.host.faults.add("status", status=400, error=REFUSED, times=1)
        await on.app.run("Hello.")
    newer = Model.scripted("arbiter", ["Three."], size=5_100_000_000)  # another size is another digest
    async with stage({"arbiter": newer, "coding": []}, state=tmp_path) as on:
        await on.app.run("Hello again.")
        assert ["tools" in body for body in on.sent("arbiter")] == [True]


async def test_how_a_model_counts_is_known_after_a_restart(tmp_path: Path) -> None:
    task = "日本の首都はどこですか。" * 100  # characters that the estimate and the host count differently
    async with stage({"arbiter": ["Tokyo."] * 9}, state=tmp_path) as on:
        run = (await on.app.run(task)).run
        (asked,) = await facts(on.app, run, ModelAsked)
        assert len(await facts(on.app, run, ModelLearned)) == 1
    async with stage({"arbiter": ["Tokyo."] * 9}, state=tmp_path) as on:
        again = (await on.app.run(task)).run
        (corrected,) = await facts(on.app, again, ModelAsked)
        assert corrected.estimate < asked.estimate / 2
        assert not await facts(on.app, again, ModelLearned)  # nothing new


async def test_a_frame_is_kept_once_in_a_run() -> None:
    arbiter = [consult("coding", f"Part {number}?") for number in range(3)]
    async with stage({"arbiter": [*arbiter, "Done."], "coding": ["Yes."] * 3}) as on:
        run = (await on.app.run("Build it.")).run
        frames, asked = await facts(on.app, run, FrameKept), await facts(on.app, run, ModelAsked)
        assert len(asked) == 7
        assert [frame.frame for frame in frames] == list(dict.fromkeys(request.frame for request in asked))
        assert len(frames) == 2


# ---------------------------------------------------------------- the tail


LOOK = mmos.tool(name="look", description="Look at a thing.")(lambda thing: f"seen: {thing}")


async def test_the_last_turn_says_so_and_nobody_remembers_it() -> None:
    strict = Model.scripted("arbiter", [Call("look", {"thing": "door"}), "It is red.", "Blue."], strict_turns=True)
    async with stage({"arbiter": strict}, tools=[LOOK], orchestration={"limits": {"turns": 2}}) as on:
        assert (await on.app.run("Which color?", thread="t")).text == "It is red."
        assert (await on.app.run("And the wall?", thread="t")).text == "Blue."
        first, last, later = on.sent("arbiter")
        notice = "[You cannot call a tool any more. Answer now with what you have.]"
        assert first["messages"][1]["content"] == "Which color?"
        assert last["messages"][1]["content"] == f"{notice}\n\nWhich color?"
        assert last["messages"][2:] == later["messages"][2:4]  # the messages after it are as they always are
        assert notice not in str(later)


async def test_without_calls_left_every_turn_says_so() -> None:
    arbiter = [Call("look", {"thing": "door"}), "It is red."]
    async with stage({"arbiter": arbiter}, tools=[LOOK], orchestration={"limits": {"calls": 1}}) as on:
        run = (await on.app.run("Which color?")).run
        assert [bool(asked.tail) for asked in await facts(on.app, run, ModelAsked)] == [False, True]


def test_what_surrounds_a_request_is_one_list() -> None:
    assert [wrapper.__name__ for wrapper in WRAPPERS] == ["Settle", "Budget", "Recount", "Rescue", "Record", "Patience", "Progress"]
    assert all(wrapper.__doc__ and wrapper.serve.__qualname__.startswith(wrapper.__name__) for wrapper in WRAPPERS)
