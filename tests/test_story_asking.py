"""Tools that ask participants: side by side, by name, with a schema, and only once, whatever happens between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos import RunOptions, UserQuestion
from mmos.cli.trace import lines
from mmos.events import LaneClosed, LaneOpened, ModelAsked, ModelReplied
from mmos.messages import File, Message
from mmos.testing import Call, Model, facts, stage

NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


# ---------------------------------------------------------------- side by side


async def test_two_questions_of_one_call_have_two_lanes() -> None:
    async def both(context: mmos.Context) -> str:
        one, other = await asyncio.gather(context.ask("coding", "Is it code?"), context.ask("analysis", "Is it a text?"))
        return f"{one.text} {other.text}"

    roles = {"arbiter": [Call("both"), "Done."], "coding": ["It is code."], "analysis": ["It is a text."]}
    async with stage(roles, tools=[both]) as on:
        answer = await on.app.run("What is it?")
        assert on.heard("arbiter")[1] == "It is code. It is a text."
        assert (on.heard("coding"), on.heard("analysis")) == (["Is it code?"], ["Is it a text?"])
        opened = await facts(on.app, answer.run, LaneOpened)
        call = next(iter(answer.view.started_calls))
        assert [lane.lane for lane in opened] == ["arbiter", f"arbiter/{call}/coding", f"arbiter/{call}/analysis"]
        replies = {reply.lane: reply.message.content for reply in await facts(on.app, answer.run, ModelReplied)}
        assert replies[f"arbiter/{call}/analysis"] == "It is a text."


async def test_one_role_may_be_asked_twice_side_by_side() -> None:
    async def twice(context: mmos.Context) -> list[str]:
        answers = await asyncio.gather(*(context.ask("coding", text) for text in ("One?", "Two?")))
        return [answer.text for answer in answers]

    async with stage({"arbiter": [Call("twice"), "Done."], "coding": ["First.", "Second."]}, tools=[twice]) as on:
        answer = await on.app.run("Ask twice.")
        assert sorted(on.heard("coding")) == ["One?", "Two?"]
        keys = [lane.key for lane in await facts(on.app, answer.run, LaneOpened) if lane.key]
        assert keys == ["coding", "coding-2"]
        closed = await facts(on.app, answer.run, LaneClosed)
        assert {lane.lane.rpartition("/")[2]: lane.status for lane in closed} == {
            "coding": "answered",
            "coding-2": "answered",
            "arbiter": "answered",
        }


# ---------------------------------------------------------------- only once


async def test_a_resumed_tool_asks_no_model_again_that_has_answered(tmp_path: Path) -> None:
    steps: list[str] = []

    async def plan(context: mmos.Context) -> str:
        draft = await context.ask("coding", "Draft a plan.")
        number = await context.step("reserve", lambda: steps.append(context.effect_id) or len(steps))
        assert await context.step("below", lambda: {"zero": -1}) == {"zero": -1}
        assert await context.step("far", lambda: -(2**50)) == -(2**50)
        wish = await context.ask_user(UserQuestion("Fast or safe?"))
        better = await context.ask("coding", f"Make it {wish}: {draft.text}")
        return f"{number}: {better.text}"

    roles = {"arbiter": [Call("plan"), "Done."], "coding": ["Plan A.", "Plan A, safely."]}
    async with stage(roles, tools=[plan], state=tmp_path) as on:
        waiting = await on.app.run("Plan it.", options=RunOptions(on_question="wait"))
        assert waiting.status == "waiting"
        await on.app.answer(waiting.run, "safe")
        answer = await on.app.resume(waiting.run)
        assert (answer.text, on.heard("arbiter")[1]) == ("Done.", "1: Plan A, safely.")
        assert on.heard("coding") == ["Draft a plan.", "Make it safe: Plan A."]
        assert steps == [f"{answer.run}/{next(iter(answer.view.started_calls))}"]
        shown = [line.strip().partition("  ")[2].strip() for line in lines(await on.app.journal.read(run=answer.run))]
        assert [line for line in shown if line.startswith("step ")] == [
            "step reserve gave 1",
            'step below gave {"zero":-1}',
            "step far gave -1125899906842624",
        ]


async def test_a_question_that_has_changed_is_asked_anew(tmp_path: Path) -> None:
    times: list[int] = []

    async def moving(context: mmos.Context) -> str:
        times.append(1)
        first = await context.ask("coding", f"Question {len(times)}?")
        await context.ask_user(UserQuestion("Go on?"))
        return first.text

    roles = {"arbiter": [Call("moving"), "Done."], "coding": ["One.", "Two."]}
    async with stage(roles, tools=[moving], state=tmp_path) as on:
        waiting = await on.app.run("Move.", options=RunOptions(on_question="wait"))
        await on.app.answer(waiting.run, "yes")
        await on.app.resume(waiting.run)
        assert (on.heard("coding"), on.heard("arbiter")[1]) == (["Question 1?", "Question 2?"], "Two.")


async def test_a_named_question_keeps_its_answer_and_a_failed_one_is_asked_again() -> None:
    async def named(context: mmos.Context) -> list[str]:
        answers = []
        for text in ("One?", "Two?", "Three?"):
            try:
                answers.append((await context.ask("coding", text, key="only", seconds=0.5)).text)
            except mmos.MmosError as error:
                answers.append(error.code)
        return answers

    async with stage({"arbiter": [Call("named"), "Done."], "coding": ["Here."]}, tools=[named]) as on:
        on.host.faults.add("hang", model="coding", times=1)
        answer = await on.app.run("Name it.")
        assert on.heard("arbiter")[1] == '["tool_timeout","Here.","Here."]'
        keys = [lane.key for lane in await facts(on.app, answer.run, LaneOpened)]
        assert keys == ["", "only", "only~2"]


# ---------------------------------------------------------------- a pause is no error of the tool


async def swallows(ask: Callable[[], Awaitable[str]]) -> str:
    with suppress(Exception):  # a tool of a careless author
        return await ask()
    return "swallowed"


async def retries(ask: Callable[[], Awaitable[str]]) -> str:
    for _ in range(3):
        with suppress(BaseException):  # a retry library of a more careless one
            return await ask()
    return "tired"


async def gathers(ask: Callable[[], Awaitable[str]]) -> str:
    return str(await asyncio.gather(ask(), return_exceptions=True))


async def groups(ask: Callable[[], Awaitable[str]]) -> str:
    async with asyncio.TaskGroup() as group:
        made = group.create_task(ask())
    return made.result()


@pytest.mark.parametrize("around", [swallows, retries, gathers, groups])
@pytest.mark.parametrize("inner", [False, True])
async def test_no_tool_can_swallow_a_pause(tmp_path: Path, around: Any, inner: bool) -> None:
    async def wonder(context: mmos.Context) -> str:
        async def ask() -> str:
            if inner:
                return (await context.ask("coding", "Ask the user.")).text
            return await context.ask_user(UserQuestion("Really?"))

        return await around(ask)

    asks = Call("escalate_to_user", {"question": "Really?"})
    roles = {"arbiter": [Call("wonder"), "Done."], "coding": [asks, "He said yes."]}
    config = {"specialists": {"coding": {"tools": {"allow": ["escalate_to_user"]}}}}
    async with stage(roles, tools=[wonder], state=tmp_path, orchestration=config) as on:
        failed = await on.app.run("Wonder.", options=RunOptions(on_question="fail"))
        assert (failed.status, failed.document()["reason"]["code"]) == ("failed", "question_unanswered")
    async with stage(roles, tools=[wonder], state=tmp_path, orchestration=config) as on:
        waiting = await on.app.run("Wonder.", options=RunOptions(on_question="wait"))
        assert waiting.status == "waiting"
        await on.app.answer(waiting.run, "yes")
        answer = await on.app.resume(waiting.run)
        assert answer.text == "Done."
        assert ("He said yes." if inner else "yes") in on.heard("arbiter")[1]


# ---------------------------------------------------------------- who, what it remembers, what it gives back


async def test_a_participant_is_made_on_the_spot() -> None:
    def dice() -> int:
        """Throw dice."""
        return 4

    async def judge(context: mmos.Context) -> Any:
        one = mmos.Participant("judge", "coding:latest", system="Throw dice, then judge.", tools=(dice,), options={"temperature": 0})
        answer = await context.ask(one, "Which number?", answer=NUMBER)
        return answer.data

    roles = {"arbiter": [Call("judge"), "Done."], "coding": [Call("dice"), "4", '{"n": 4}']}
    async with stage(roles, tools=[judge]) as on:
        answer = await on.app.run("Judge.")
        sent = on.sent("coding")
        assert on.heard("arbiter")[1] == '{"n":4}'
        assert [message["content"] for message in sent[0]["messages"]] == ["Throw dice, then judge.", "Which number?"]
        assert [tool["function"]["name"] for tool in sent[0]["tools"]] == ["dice"]
        assert sent[0]["options"]["num_ctx"] == on.sent("arbiter")[0]["options"]["num_ctx"]
        assert {asked.role for asked in await facts(on.app, answer.run, ModelAsked)} == {"arbiter", "judge"}


async def test_what_a_participant_remembers_is_said_by_name() -> None:
    async def ask(context: mmos.Context, memory: str) -> str:
        return (await context.ask("coding", f"({memory})", memory=memory)).text

    turns = ["thread", "none", "conversation:x", "conversation:x", "thread"]
    roles = {"arbiter": [*(Call("ask", {"memory": memory}) for memory in turns), "Done."], "coding": [f"answer {n}" for n in range(5)]}
    async with stage(roles, tools=[ask]) as on:
        await on.app.run("Remember.")
        told = [[message["content"] for message in body["messages"] if message["role"] != "system"] for body in on.sent("coding")]
        assert told == [
            ["(thread)"],
            ["(none)"],
            ["(conversation:x)"],
            ["(conversation:x)", "answer 2", "(conversation:x)"],
            ["(thread)", "answer 0", "(thread)"],
        ]


async def test_a_copied_lane_goes_on_from_what_was_said_there() -> None:
    async def fork(context: mmos.Context) -> str:
        await context.ask("coding", "Draft.", key="draft")
        other = f"lane:{context.scope.lane}/{context.call}/draft"
        await asyncio.gather(*(context.ask("coding", text, memory=other) for text in ("Shorter.", "Longer.")))
        return "ok"

    async with stage({"arbiter": [Call("fork"), "Done."], "coding": ["The draft.", "S", "L"]}, tools=[fork]) as on:
        await on.app.run("Fork.")
        told = sorted([message["content"] for message in body["messages"] if message["role"] != "system"] for body in on.sent("coding")[1:])
        assert told == [["Draft.", "The draft.", "Longer."], ["Draft.", "The draft.", "Shorter."]]


async def test_the_time_of_one_question_is_limited() -> None:
    async def hasty(context: mmos.Context) -> str:
        return (await context.ask("coding", "Be quick.", seconds=0.2)).text

    async with stage({"arbiter": [Call("hasty"), "Done."], "coding": []}, tools=[hasty]) as on:
        on.host.faults.add("hang", model="coding")
        answer = await on.app.run("Hurry.")
        assert answer.status == "answered"
        assert "coding did not answer within 0.2 s" in on.heard("arbiter")[1]


async def test_a_participant_made_on_the_spot_is_shown_images() -> None:
    async def look(context: mmos.Context) -> str:
        one = mmos.Participant("critic", "coding:latest")
        return (await context.ask(one, Message("user", "What is it?", files=context.files))).text

    picture = File("dot.png", image="iVBORw0KGgo=")
    seeing = Model.scripted("coding", ["A dot."], capabilities=("completion", "vision"))
    async with stage({"arbiter": [Call("look"), "Done."], "coding": seeing}, tools=[look]) as on:
        answer = await on.app.run("Look.", files=[picture])
        assert (answer.text, on.heard("arbiter")[1]) == ("Done.", "A dot.")
        assert "dot.png" in on.heard("coding")[0]


# ---------------------------------------------------------------- what a strict template refuses


@pytest.mark.parametrize(("channel", "after"), [("tools", ['<tool_call>{"name": "look", ', '{"answer": "Done."}']), ("schema", ["Done."])])
async def test_no_two_messages_of_the_user_are_sent_in_a_row(channel: str, after: list[str]) -> None:
    def look(at: str) -> str:
        return f"saw {at}"

    both = [Call("look", {"at": "a"}), Call("look", {"at": "b"})]
    arbiter = Model.scripted("arbiter", [both, *after], strict_turns=True)
    config = {"arbiter": {"channel": channel}}
    async with stage({"arbiter": arbiter}, tools=[look], orchestration=config) as on:
        answer = await on.app.run("Look twice.")
        assert (answer.status, answer.text) == ("answered", "Done.")
        sent = [[message["role"] for message in body["messages"]] for body in on.sent("arbiter")]
        assert not any(("user", "user") in pairwise(roles) for roles in sent)
        told = on.sent("arbiter")[-1]["messages"][-1]["content"]
        assert told.index("saw a") < told.index("saw b")


# ---------------------------------------------------------------- what is refused


async def test_wrong_questions_are_told() -> None:
    wrong: list[str] = []

    async def tries(context: mmos.Context) -> str:
        for bad in (
            lambda: context.ask("nobody", "?"),
            lambda: context.ask("coding", "?", key="a/b"),
            lambda: context.ask("coding", "?", tools=["missing"]),
            lambda: context.ask("coding", "?", answer={"type": "nonsense"}),
            lambda: context.ask("coding", "?", memory="lane:nowhere"),
            lambda: context.ask("coding", "?", memory="for ever"),
            lambda: context.step("x", object),
        ):
            try:
                await bad()
            except mmos.MmosError as error:
                wrong.append(error.message)
        return "ok"

    async with stage({"arbiter": [Call("tries"), "Done."], "coding": []}, tools=[tries]) as on:
        await on.app.run("Try.")
        assert [text.partition(":")[0] for text in wrong] == [
            "There is no role 'nobody'; roles",
            "'a/b' is no key",
            "There is no tool 'missing'; tools",
            "The schema is not a JSON Schema",
            "There is no lane 'nowhere' in this run.",
            "'for ever' is no memory",
            "The result of a step has no form in JSON",
        ]
