"""Stories of runs that go on after their prompts, tools or options have changed: with the words of today, or as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

import mmos
from mmos.app import replaying
from mmos.events import Forked, FrameKept, ModelAsked, RunResumed, Warned
from mmos.rehearsal.pieces import Raw
from mmos.replay import walk
from mmos.replay.state import around
from mmos.replay.walk import Walk
from mmos.testing import Call, Model, consult, facts, stage
from mmos.views.run import RunView
from tests.shell import shell

ASKED = Call("escalate_to_user", {"question": "Which color?"})
WAIT = mmos.RunOptions(on_question="wait")


def said(channel: str, *turns: Any) -> list[Any]:
    """The same turns, as a model says them on a channel."""
    if channel == "tools":
        return list(turns)
    return [
        orjson.dumps(
            {"answer": turn} if isinstance(turn, str) else {"calls": [{"tool": turn.tool, "arguments": dict(turn.arguments)}]}
        ).decode()
        for turn in turns
    ]


def look(thing: str) -> str:
    """Look at a thing."""
    return f"seen: {thing}"


@mmos.tool(name="look", description="Look hard.")
def look_harder(thing: str, hard: bool = True) -> str:
    return f"seen hard: {thing}"


def setting(channel: str, **arbiter: Any) -> dict[str, Any]:
    return {"arbiter": {"channel": channel, **arbiter}, "specialists": {"coding": {"channel": channel}}}


async def waiting(state: Path, channel: str) -> str:
    """A run that waits for the user, after a turn of the arbiter, one of a specialist, and a call of a function."""
    first = [consult("coding", "How?"), ASKED]
    roles = {"arbiter": said(channel, *first), "coding": ["With a brush."]}
    before = setting(channel, system="Be kind.", options={"temperature": 0.5})
    async with stage(roles, state=state, tools=[look], orchestration=before) as on:
        answer = await on.app.run("Paint the door.", options=WAIT)
        assert answer.status == "waiting"
        await on.app.answer(answer.run, "red")
        return answer.run


CHANGED = {"system": "Be strict.", "options": {"temperature": 0.1, "top_k": 5}}


@pytest.mark.parametrize("channel", ["tools", "schema"])
async def test_a_run_goes_on_with_the_words_of_today_and_says_so(tmp_path: Path, channel: str) -> None:
    run = await waiting(tmp_path, channel)
    roles = {"arbiter": said(channel, Call("look", {"thing": "door", "hard": True}), "Red."), "coding": []}
    async with stage(roles, state=tmp_path, tools=[look_harder], orchestration=setting(channel, **CHANGED)) as on:
        answer = await on.app.resume(run)
        assert (answer.status, answer.text) == ("answered", "Red.")
        (warning,) = [event.text for event in await facts(on.app, run, Warned)]
        parts = {
            "tools": "system text, tool look: description, tool look: parameters, option temperature, option top_k",
            "schema": "system text, format, option temperature, option top_k",
        }[channel]
        assert warning == (
            f"The prompts or tools of this run have changed since it began. arbiter, since turn 1 (a1): {parts}. "
            f"`mmos runs resume {run} --as-it-was` keeps those from before."
        )
        body = on.sent("arbiter")[0]
        assert "Be strict." in body["messages"][0]["content"]
        assert (body["options"]["temperature"], body["options"]["top_k"]) == (0.1, 5)
        assert "seen hard: door" in str(on.sent("arbiter")[1])


@pytest.mark.parametrize("channel", ["tools", "schema"])
async def test_a_run_goes_on_as_it_was(tmp_path: Path, channel: str) -> None:
    run = await waiting(tmp_path, channel)
    roles = {"arbiter": said(channel, Call("look", {"thing": "door"}), "Red."), "coding": []}
    async with stage(roles, state=tmp_path, tools=[look_harder], orchestration=setting("schema", **CHANGED)) as on:
        answer = await on.app.resume(run, as_it_was=True)
        assert (answer.status, answer.text) == ("answered", "Red.")
        assert await facts(on.app, run, Warned) == []
        assert [event.as_it_was for event in await facts(on.app, run, RunResumed)] == [True]
        frames = {event.frame for event in await facts(on.app, run, ModelAsked) if event.role == "arbiter"}
        assert len(frames) == 1  # byte for byte what the run has kept
        assert "seen hard: door" in str(on.sent("arbiter")[1])  # the function is the one of today


@pytest.mark.parametrize("channel", ["tools", "schema"])
async def test_a_tool_that_is_gone_stays_offered_and_says_so(tmp_path: Path, channel: str) -> None:
    run = await waiting(tmp_path, channel)
    roles = {"arbiter": said(channel, Call("look", {"thing": "door"}), "Red."), "coding": []}
    async with stage(roles, state=tmp_path, orchestration=setting(channel, **CHANGED)) as on:
        assert (await on.app.resume(run, as_it_was=True)).text == "Red."
        assert "look is no longer there." in on.heard("arbiter")[1]
        assert len([frame for frame in await facts(on.app, run, FrameKept) if "look" in frame.tools + frame.specs]) == 1


UNCLEAR = Raw('<tool_call>\n{"name": "ask_a_wizard", "arguments": {"question": "How do I merge lists in coding?"}}\n</tool_call>')
MEANT = Raw("<start_function_call>call:consult_coding_specialist{query:<escape>How to merge lists<escape>}<end_function_call>")


def cast(*arbiter: Any) -> dict[str, Any]:
    return {
        "arbiter": Model.scripted("arbiter", list(arbiter), path="native", tag="<nothing>"),
        "coding": ["So."],
        "interpreter": Model.scripted("functiongemma", [MEANT], path="functiongemma"),
    }


@pytest.mark.parametrize("as_it_was", [True, False])
async def test_the_interpreter_keeps_its_words_and_options_too(tmp_path: Path, as_it_was: bool) -> None:
    before = {"specialists": {"interpreter": {"system": "Be exact.", "options": {"top_k": 1}}}}
    async with stage(cast(UNCLEAR, ASKED), state=tmp_path, orchestration=before) as on:
        run = (await on.app.run("How do I merge lists in coding?", options=WAIT)).run
        await on.app.answer(run, "red")
    after = {"specialists": {"interpreter": {"system": "Be {{ quick }}.", "options": {"top_k": 9}}}}
    async with stage(cast(UNCLEAR, "Thus."), state=tmp_path, orchestration=after) as on:
        assert (await on.app.resume(run, as_it_was=as_it_was)).text == "Thus."
        (body,) = on.sent("functiongemma")
        assert (body["options"]["top_k"], "Be exact." in body["messages"][0]["content"]) == ((1, True) if as_it_was else (9, False))
        frames = {event.frame for event in await facts(on.app, run, ModelAsked) if event.role == "interpreter"}
        assert len(frames) == (1 if as_it_was else 2)
        warned = [event.text for event in await facts(on.app, run, Warned) if "have changed since" in event.text]
        assert ["interpreter, since turn 1 (a2): system text, option top_k" in text for text in warned] == ([] if as_it_was else [True])


async def test_a_run_that_nothing_has_changed_for_goes_on_without_a_word(tmp_path: Path) -> None:
    run = await waiting(tmp_path, "tools")
    same = setting("tools", system="Be kind.", options={"temperature": 0.5})
    async with stage({"arbiter": ["Red."], "coding": []}, state=tmp_path, tools=[look], orchestration=same) as on:
        assert (await on.app.resume(run)).text == "Red."
        assert await facts(on.app, run, Warned) == []


async def test_a_change_is_told_once(tmp_path: Path) -> None:
    run = await waiting(tmp_path, "tools")
    again = [ASKED, "Red."]
    async with stage({"arbiter": again, "coding": []}, state=tmp_path, tools=[look], orchestration=setting("tools")) as on:
        assert (await on.app.resume(run)).status == "waiting"
        assert len(await facts(on.app, run, Warned)) == 1
        await on.app.answer(run, "green")
        assert (await on.app.resume(run)).text == "Red."
        assert len(await facts(on.app, run, Warned)) == 1  # the newest request already had the words of today


async def test_the_command_warns_and_goes_on_as_it_was(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [ASKED, ASKED, "Red."], "coding": []}) as at:
        run = (await at.mmos("run", "Paint it.", "--on-question", "wait")).out.strip()
        file = tmp_path / "orchestration.yaml"
        file.write_text(file.read_text().replace("model: arbiter", "model: arbiter\n    system: Be strict."))
        ended = await at.mmos("runs", "answer", run, "red", "--as-it-was")
        assert (ended.code, "have changed since" in ended.err) == (3, False)
        last = await at.mmos("runs", "answer", run, "green", "--as-today")
        assert (last.code, last.out) == (0, "Red.\n")
        assert f"arbiter, since turn 1 (a1): system text. `mmos runs resume {run} --as-it-was` keeps those from before." in last.err
        texts = [body["messages"][0]["content"] for body in at.on.sent("arbiter")]
        assert ["Be strict." in text for text in texts] == [False, False, True]


async def test_as_it_was_takes_the_warning_back_and_its_hint_names_the_state_folder(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [ASKED, ASKED, "Red."], "coding": []}) as at:
        run = (await at.mmos("run", "Paint it.", "--on-question", "wait", "--state", "there")).out.strip()
        file = tmp_path / "orchestration.yaml"
        file.write_text(file.read_text().replace("model: arbiter", "model: arbiter\n    system: Be strict."))
        today = await at.mmos("runs", "answer", run, "red", "--state", "there")
        assert f"`mmos runs resume {run} --as-it-was --state there` keeps those from before." in today.err
        shown = await at.mmos("runs", "show", run, "--state", "there")
        assert shown.out.rstrip().endswith(f"mmos runs answer {run} TEXT --state there")
        last = await at.mmos("runs", "answer", run, "green", "--as-it-was", "--state", "there")
        assert (last.code, last.out, "have changed since" in last.err) == (0, "Red.\n", False)


async def test_a_run_that_went_on_as_it_was_stays_so_until_the_user_says_otherwise(tmp_path: Path) -> None:
    run = await waiting(tmp_path, "tools")
    turns = [ASKED, ASKED, "Red."]
    async with stage(
        {"arbiter": turns, "coding": []}, state=tmp_path, tools=[look_harder], orchestration=setting("tools", **CHANGED)
    ) as on:
        for as_it_was in (True, None, False):
            await on.app.resume(run, as_it_was=as_it_was)
            if as_it_was is not False:
                await on.app.answer(run, "green")
        assert [event.as_it_was for event in await facts(on.app, run, RunResumed)] == [True, True, False]
        assert ["Be strict." in body["messages"][0]["content"] for body in on.sent("arbiter")] == [False, False, True]
        fork = await on.app.fork(run, at=1)
        assert not RunView.of(await on.app.journal.read(run=fork.run)).as_it_was


SCHEMA = {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]}


async def test_options_of_a_resume_hold_from_then_on(tmp_path: Path) -> None:
    async with stage({"arbiter": [ASKED], "other": [ASKED, '{"color": "red"}', "Blue."]}, state=tmp_path) as on:
        run = (await on.app.run("Paint the door.", options=WAIT)).run
        await on.app.answer(run, "red")
        changed = mmos.RunOptions(schema=SCHEMA, roles={"arbiter": "other"}, timeout=90)
        assert (await on.app.resume(run, options=changed)).status == "waiting"
        await on.app.answer(run, "green")
        answer = await on.app.resume(run)
        assert (answer.status, answer.data) == ("answered", {"color": "red"})
        assert answer.view.options == {"on_question": "wait", "timeout": 90.0, "roles": {"arbiter": "other"}, "schema": SCHEMA}
        assert [sorted(event.options) for event in await facts(on.app, run, RunResumed)] == [["roles", "schema", "timeout"], []]
        assert (await on.app.replay(run)).same
        fork = await on.app.fork(run, at=1, options=mmos.RunOptions(timeout=60))  # of a turn before they changed
        assert (await facts(on.app, fork.run, Forked))[-1].options == {**answer.view.options, "timeout": 60.0}


@pytest.mark.parametrize("as_it_was", [True, False])
async def test_options_that_no_longer_fit_the_configuration_do_not_block_a_run(tmp_path: Path, as_it_was: bool) -> None:
    async with stage({"arbiter": [ASKED], "coding": []}, state=tmp_path) as on:
        run = (await on.app.run("Paint it.", options=mmos.RunOptions(on_question="wait", roles={"coding": "coding"}))).run
        await on.app.answer(run, "red")
    async with stage({"arbiter": ["Red."]}, state=tmp_path) as on:
        before = await on.app.replay(run)
        assert (len(before.unknown), before.differing) == (len(before.comparisons), [])
        answer = await on.app.resume(run, options=mmos.RunOptions(roles={"arbiter": "arbiter"}), as_it_was=as_it_was)
        assert (answer.status, answer.text) == ("answered", "Red.")
        told = "MMOS cannot tell whether models are now asked in other words than before in this run: the options of the run cannot be used today"
        assert [text.startswith(told) and "coding" in text for text in answer.view.warnings] == ([] if as_it_was else [True])


async def test_the_comparison_before_a_long_run_goes_on_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0
    step = Walk._request

    async def counted(through: Walk, event: ModelAsked) -> Any:
        nonlocal compared
        compared += 1
        return await step(through, event)

    turns = [*(Call("look", {"thing": f"door {number}"}) for number in range(6)), ASKED]
    async with stage({"arbiter": turns}, state=tmp_path, tools=[look]) as on:
        run = (await on.app.run("Look.", options=WAIT)).run
        monkeypatch.setitem(walk._COMPARES, ModelAsked, ("request", counted))
        assert not await replaying.changed(on.app.journal, run, await around(on.app.journal, run), on.app._present)
        assert compared == 2  # the first and the newest with the only frame
