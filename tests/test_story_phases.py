"""Stories of the phases of a run: the model changes them, they limit the tools, and the beginning of the prompt stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.cli.activity import Activity
from mmos.cli.chat.reports import reasons
from mmos.cli.trace import lines, progress
from mmos.events import CallFinished, ModelAsked, PhaseChanged
from mmos.testing import Call, Model, consult, facts, stage

PHASES = {
    "plan": {"next": ["work"], "instructions": "Write a plan first.", "tools": {"deny": ["write"]}},
    "work": {"next": ["review", "plan"]},
    "review": {"next": ["work", "done"], "tools": ["look"]},
}
WITH = {"phases": PHASES}


def to(phase: str, reason: str = "It is time.") -> Call:
    return Call("change_phase", {"phase": phase, "reason": reason})


@mmos.tool
def look(thing: str) -> str:
    """Look at a thing."""
    return f"seen: {thing}"


@mmos.tool
def write(text: str) -> str:
    """Write a text."""
    return f"written: {text}"


TOOLS = [look, write]


def results(body: Any) -> list[str]:
    return [message["content"] for message in body["messages"] if message["role"] == "tool"]


async def test_a_run_goes_through_its_phases_and_ends() -> None:
    arbiter = [
        Call("look", {"thing": "door"}),
        to("work", "The plan is ready."),
        Call("write", {"text": "red"}),
        to("review"),
        to("done"),
        "Done.",
    ]
    async with stage({"arbiter": arbiter}, tools=TOOLS, orchestration=WITH) as on:
        answer = await on.app.run("Paint the door.")
        assert (answer.text, answer.document()["phases"]) == ("Done.", ["plan", "work", "review", "done"])
        changes = await facts(on.app, answer.run, PhaseChanged)
        assert [(one.by, one.before, one.phase) for one in changes] == [
            ("start", "", "plan"), ("model", "plan", "work"), ("model", "work", "review"), ("model", "review", "done"),
        ]  # fmt: skip
        assert changes[1].reason == "The plan is ready."
        assert all(end.ok for end in await facts(on.app, answer.run, CallFinished))
        assert (await on.app.replay(answer.run)).same


async def test_the_tail_names_the_phase_and_nobody_remembers_it() -> None:
    async with stage({"arbiter": [to("work"), "Done.", "Again."]}, tools=TOOLS, orchestration=WITH) as on:
        await on.app.run("Paint the door.", thread="t")
        await on.app.run("And the wall?", thread="t")
        first, second, later = (
            [message["content"] for message in body["messages"] if message["role"] == "user"] for body in on.sent("arbiter")
        )
        plan = (
            "[The phase of this work: plan. Write a plan first. In this phase you may call only: change_phase, escalate_to_user, look. "
            "Change the phase with change_phase when plan is finished. Next can be: work.]"
        )
        assert first == [f"{plan}\n\nPaint the door."]
        assert second == [
            "[The phase of this work: work. Change the phase with change_phase when work is finished. Next can be: review, plan.]\n\nPaint the door."
        ]
        assert later == ["Paint the door.", f"{plan}\n\nAnd the wall?"]


async def test_a_phase_leaves_the_beginning_of_the_prompt_as_it_is() -> None:
    """A host reuses what it has read up to the first difference. Only the exchange that changes the phase is read again."""
    strict = Model.scripted("arbiter", ["Hello.", Call("look", {"thing": "door"}), to("work"), Call("write", {"text": "red"}), "Done."])
    system = "You paint doors. " * 200
    async with stage({"arbiter": strict}, tools=TOOLS, orchestration={**WITH, "arbiter": {"system": system}}) as on:
        await on.app.run("Hello?", thread="t")
        await on.app.run("Paint the door.", thread="t")
        bodies = on.sent("arbiter")
        assert len({str(body["tools"]) for body in bodies}) == len({body["messages"][0]["content"] for body in bodies}) == 1
        entries = [entry for entry in on.host.requests.to("/api/chat") if entry.prompt_tokens]
        read = [entry.prompt_tokens - entry.cached_tokens for entry in entries]
        assert read[0] > 1400
        assert max(read[1:]) < 100, read


async def test_a_tool_of_another_phase_is_refused_with_the_name_of_the_phase() -> None:
    arbiter = [Call("write", {"text": "red"}), "I cannot."]
    async with stage({"arbiter": arbiter}, tools=TOOLS, orchestration=WITH) as on:
        answer = await on.app.run("Paint the door.")
        fault = "Error: write is not offered in the phase plan. In this phase you may call only: change_phase, escalate_to_user, look."
        assert results(on.sent("arbiter")[-1]) == [fault]
        assert [(end.ok, end.code) for end in await facts(on.app, answer.run, CallFinished)] == [(False, "tool_denied")]


async def test_calls_beside_a_change_belong_to_the_phase_of_their_turn() -> None:
    arbiter = [[to("work"), Call("write", {"text": "red"})], Call("write", {"text": "red"}), "Done."]
    async with stage({"arbiter": arbiter}, tools=TOOLS, orchestration=WITH) as on:
        answer = await on.app.run("Paint the door.")
        assert [end.ok for end in await facts(on.app, answer.run, CallFinished) if end.tool == "write"] == [False, True]
        assert (await on.app.replay(answer.run)).same


async def test_a_change_that_may_not_follow_is_refused() -> None:
    arbiter = [to("review"), to("deploy"), "I stay."]
    async with stage({"arbiter": arbiter}, tools=TOOLS, orchestration=WITH) as on:
        answer = await on.app.run("Paint the door.")
        assert "review may not follow plan." in results(on.sent("arbiter")[1])[0]
        assert 'it takes one of "plan", "work", "review", "done"' in results(on.sent("arbiter")[2])[1]
        assert answer.document()["phases"] == ["plan"]


async def test_in_the_last_phase_the_model_only_answers() -> None:
    phases = {"review": {"next": ["done"]}}
    arbiter = [to("done"), Call("look", {"thing": "door"}), "It is red."]
    async with stage({"arbiter": arbiter}, tools=TOOLS, orchestration={"phases": phases}) as on:
        answer = await on.app.run("Check the door.")
        assert answer.text == "It is red."
        assert "You cannot call a tool any more." in on.sent("arbiter")[1]["messages"][1]["content"]
        assert "not offered in the phase done" in results(on.sent("arbiter")[2])[1]


async def test_a_run_that_goes_round_and_round_is_stopped() -> None:
    rounds = [step for number in range(9) for step in (to("work", f"Now {number}."), to("plan", f"Not yet {number}."))]
    async with stage({"arbiter": [*rounds[:8], "Enough."]}, tools=TOOLS, orchestration={**WITH, "limits": {"repeats": 2}}) as on:
        answer = await on.app.run("Paint the door.")
        assert answer.document()["phases"] == ["plan", "work", "plan", "work", "plan"]
        assert "from plan to work 2 times already" in results(on.sent("arbiter")[-1])[4]


async def test_a_model_without_tools_gets_a_grammar_for_the_tools_of_the_phase() -> None:
    def say(tool: str, **arguments: str) -> str:
        return str({"calls": [{"tool": tool, "arguments": arguments}]}).replace("'", '"')

    script = [say("change_phase", phase="work", reason="Ready."), say("write", text="red"), '{"answer": "Done."}']
    arbiter = Model.scripted("arbiter", script, capabilities=("completion",))
    async with stage({"arbiter": arbiter}, tools=TOOLS, orchestration=WITH) as on:
        assert (await on.app.run("Paint the door.")).text == "Done."
        first, second, _ = on.sent("arbiter")
        assert ('"write"' in str(first["format"]).replace("'", '"'), '"write"' in str(second["format"]).replace("'", '"')) == (False, True)
        assert first["messages"][0] == second["messages"][0]  # it lists all tools in each phase


async def test_a_consulted_role_keeps_to_the_phase_and_cannot_change_it() -> None:
    phases = {"plan": {"tools": ["consult_*", "look"]}}
    coding = [Call("write", {"text": "red"}), to("plan"), "I looked."]
    roles = {"specialists": {"coding": {"tools": ["look", "write", "change_phase"]}}}
    async with stage(
        {"arbiter": [consult("coding"), "Done."], "coding": coding}, tools=TOOLS, orchestration={"phases": phases, **roles}
    ) as on:
        assert (await on.app.run("Paint the door.")).text == "Done."
        assert [tool["function"]["name"] for tool in on.sent("coding")[0]["tools"]] == ["look", "write"]
        assert "In this phase you may call only: look." in on.sent("coding")[0]["messages"][1]["content"]
        refused, unknown = results(on.sent("coding")[2])
        assert "write is not offered in the phase plan" in refused
        assert "coding may not use change_phase now" in unknown


async def test_a_function_of_a_participant_that_a_tool_makes_is_no_tool_of_a_phase() -> None:
    def score(text: str) -> int:
        """Score a text."""
        return len(text)

    @mmos.tool
    async def judge(context: mmos.Context) -> str:
        """Ask a judge."""
        return (await context.ask(mmos.Participant("judge", "coding", tools=(score,)), "Judge.")).text

    coding = [Call("score", {"text": "red"}), "It has 3."]
    phases = {"plan": {"tools": ["judge"]}}
    async with stage({"arbiter": [Call("judge"), "Done."], "coding": coding}, tools=[judge], orchestration={"phases": phases}) as on:
        answer = await on.app.run("Judge.")
        assert [end.ok for end in await facts(on.app, answer.run, CallFinished)] == [True, True]


async def test_without_phases_nothing_changes() -> None:
    async with stage({"arbiter": ["Done."]}, tools=TOOLS) as on:
        answer = await on.app.run("Paint the door.")
        assert answer.document()["phases"] == []
        assert "change_phase" not in str(on.sent("arbiter")[0])
        assert [asked.tail for asked in await facts(on.app, answer.run, ModelAsked)] == [""]


# ---------------------------------------------------------------- runs that go on, and other ways to run

ASKED = Call("escalate_to_user", {"question": "Which color?"})
WAIT = mmos.RunOptions(on_question="wait")


async def waiting(state: Path, orchestration: Any, *turns: Any) -> str:
    """A run that waits for the user after these turns."""
    async with stage({"arbiter": [*turns, ASKED]}, state=state, tools=TOOLS, orchestration=orchestration) as on:
        answer = await on.app.run("Paint the door.", options=WAIT)
        assert answer.status == "waiting"
        await on.app.answer(answer.run, "red")
        return answer.run


async def test_a_resumed_run_is_in_the_phase_that_it_was_in(tmp_path: Path) -> None:
    run = await waiting(tmp_path, WITH, to("work"))
    async with stage({"arbiter": [Call("write", {"text": "red"}), "Done."]}, state=tmp_path, tools=TOOLS, orchestration=WITH) as on:
        answer = await on.app.resume(run)
        assert (answer.text, answer.view.phases) == ("Done.", ["plan", "work"])
        assert [end.ok for end in await facts(on.app, run, CallFinished) if end.tool == "write"] == [True]


async def test_a_phase_that_is_no_longer_configured_gives_way_to_the_first_one(tmp_path: Path) -> None:
    run = await waiting(tmp_path, WITH, to("work"))
    other = {"phases": {"draft": {"tools": ["look"]}}}
    async with stage({"arbiter": ["Done."]}, state=tmp_path, tools=TOOLS, orchestration=other) as on:
        answer = await on.app.resume(run)
        assert answer.view.phases == ["plan", "work", "draft"]
        assert "[The phase of this work: draft." in on.sent("arbiter")[0]["messages"][1]["content"]
        assert any("change_phase" in warning for warning in answer.view.warnings)  # other tools than before


async def test_a_run_without_phases_begins_with_the_first_one_when_they_are_new(tmp_path: Path) -> None:
    run = await waiting(tmp_path, {})
    async with stage({"arbiter": [to("work"), "Done."]}, state=tmp_path, tools=TOOLS, orchestration=WITH) as on:
        assert (await on.app.resume(run)).view.phases == ["plan", "work"]


@pytest.mark.parametrize("today", [{}, {"phases": {"draft": {}}}], ids=["no phases today", "other phases today"])
async def test_a_run_that_goes_on_as_it_was_keeps_its_phases(tmp_path: Path, today: Any) -> None:
    run = await waiting(tmp_path, WITH)
    script = [Call("write", {"text": "red"}), to("work"), Call("write", {"text": "red"}), "Done."]
    async with stage({"arbiter": script}, state=tmp_path, tools=TOOLS, orchestration=today) as on:
        answer = await on.app.resume(run, as_it_was=True)
        assert (answer.text, answer.view.phases) == ("Done.", ["plan", "work"])
        assert [end.ok for end in await facts(on.app, run, CallFinished) if end.tool == "write"] == [False, True]


async def test_a_run_that_goes_on_as_it_was_gets_no_phases(tmp_path: Path) -> None:
    run = await waiting(tmp_path, {})
    async with stage({"arbiter": ["Done."]}, state=tmp_path, tools=TOOLS, orchestration=WITH) as on:
        answer = await on.app.resume(run, as_it_was=True)
        assert answer.view.phases == []
        assert "change_phase" not in str(on.sent("arbiter")[0])


async def test_a_fork_begins_in_the_phase_of_its_turn() -> None:
    arbiter = Model.scripted("arbiter", [to("work"), to("review"), "Done.", "Done again."], strict_turns=True)
    async with stage({"arbiter": arbiter}, tools=TOOLS, orchestration=WITH) as on:
        run = (await on.app.run("Paint the door.")).run
        fork = await on.app.fork(run, at=2)
        answer = await on.app.resume(fork.run)
        assert (answer.text, answer.view.phases) == ("Done again.", ["plan", "work"])


async def test_the_role_that_answers_alone_changes_the_phase_and_a_model_alone_has_none() -> None:
    coding = Model.scripted("coding", [to("work"), "Done.", "Hello."], strict_turns=True)
    async with stage({"arbiter": [], "coding": coding}, tools=TOOLS, orchestration=WITH) as on:
        answer = await on.app.run("Paint the door.", options=mmos.RunOptions(role_only="coding"))
        assert (answer.text, answer.view.phases) == ("Done.", ["plan", "work"])
        answer = await on.app.run("Hello?", options=mmos.RunOptions(model="coding"))
        assert (answer.text, answer.view.phases) == ("Hello.", [])
        assert on.sent("coding")[-1]["messages"] == [{"role": "user", "content": "Hello?"}]


async def test_each_task_of_a_batch_has_phases_of_its_own() -> None:
    async with stage({"arbiter": [to("work"), "Done."] * 2}, tools=TOOLS, orchestration=WITH) as on:
        ends = [answer.view.phases async for _, answer in on.app.batch(["Paint the door.", "Paint the wall."], concurrency=1)]
        assert ends == [["plan", "work"]] * 2


async def test_a_role_that_must_consult_first_may_answer_where_the_phase_has_no_consultation() -> None:
    first = {"phases": {"plan": {"tools": ["look"]}}, "arbiter": {"consult_first": True}}
    async with stage({"arbiter": ["Done."], "coding": []}, tools=TOOLS, orchestration=first) as on:
        assert (await on.app.run("Paint the door.")).text == "Done."


async def test_a_tool_that_the_user_denies_the_arbiter_stays_denied() -> None:
    fixed = {**WITH, "arbiter": {"tools": {"deny": ["change_phase"]}}}
    async with stage({"arbiter": ["Done."]}, tools=TOOLS, orchestration=fixed) as on:
        await on.app.run("Paint the door.")
        assert "change_phase" not in str(on.sent("arbiter")[0])


# ---------------------------------------------------------------- what the user sees


async def test_progress_records_and_chat_show_each_change() -> None:
    async with stage({"arbiter": [to("work", "The plan\nis ready."), "Done."]}, tools=TOOLS, orchestration=WITH) as on:
        entries = await on.app.journal.read(run=(await on.app.run("Paint the door.")).run)
    changes = [entry.event for entry in entries if isinstance(entry.event, PhaseChanged)]
    assert [progress(change) for change in changes] == ["phase: plan", "phase: work · The plan is ready."]
    record = "\n".join(lines(entries))
    assert "phase: plan\n" in record
    assert "phase: work after plan, by model: The plan is ready.\n" in record
    assert [line.strip() for line in reasons(entries, 100) if "phase:" in line] == ["phase: plan", "phase: work: The plan is ready."]
    activity = Activity()
    for entry in entries:
        activity.on_event(entry.event, 0.0)
    assert " · phase: work · " in activity.status(1.0, 100)
