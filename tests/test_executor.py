"""Every rung of a call that the stories leave out: odd faults, crashes, loops beside each other, questions within tools."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.app import RunOptions
from mmos.app.lifecycle import Watch
from mmos.context import UserQuestion
from mmos.errors import HostBusy, QuestionUnanswered, StateFull, ToolError
from mmos.events import CallFinished, CallStarted, Event, LaneOpened, LoopNoticed, ModelReplied, QuestionAsked, RunResumed, RunStarted
from mmos.journal import Journal, new_id
from mmos.messages import Message, ToolCall
from mmos.testing import Call, Model, stage
from tests.wire import answer, call, done, serving, stream


async def read_by_the_model(act: Callable[..., Any], **arguments: Any) -> str:
    """What the arbiter reads of a call to this function."""
    act.__name__ = "act"
    async with stage({"arbiter": [Call("act", arguments), "ok"]}, tools=[act]) as on:
        assert (await on.app.run("Go.")).text == "ok"
        return on.heard("arbiter")[1]


# ---------------------------------------------------------------- what tools may raise


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no such day"), "Error: act failed: ValueError: no such day"),
        (KeyError("x"), "Error: act failed: KeyError: 'x'"),
        (RuntimeError(), "Error: act failed: RuntimeError"),
        (TimeoutError("its own clock"), "Error: act failed: TimeoutError: its own clock"),
        (TimeoutError(), "Error: act failed: TimeoutError"),
        (StopAsyncIteration("odd"), "Error: act failed: StopAsyncIteration: odd"),
        (ToolError("Ask for less.", next_step="Try ten."), "Error: Ask for less. Try ten."),
        (ToolError("", report='{"success": false}'), '{"success": false}'),
        (mmos.MmosError("It went wrong.", next_step="Do this."), "Error: It went wrong. Do this."),
        (HostBusy("Its queue is full."), "Error: Its queue is full."),
        (FileNotFoundError(2, "No such file", "na\udcffme"), "Error: act failed: FileNotFoundError: [Errno 2] No such file: 'na\\udcffme'"),
        (OSError("half \ud83d"), "Error: act failed: OSError: half ?"),
        (
            ExceptionGroup("two", [ValueError("a"), ExceptionGroup("one", [KeyError("b")])]),
            "Error: act failed: ValueError: a; KeyError: 'b'",
        ),
        (asyncio.CancelledError(), "Error: act failed: it was cancelled from within."),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_fault_becomes_a_message(error: BaseException, text: str) -> None:
    assert await read_by_the_model(raising(error)) == text


async def test_a_fault_keeps_its_code_in_the_journal() -> None:
    async with stage({"arbiter": [Call("act"), "ok"]}, tools=[raising(HostBusy("full"))]) as on:
        answer = await on.app.run("Go.")
        (finished,) = [entry.event for entry in await on.app.journal.read(run=answer.run) if isinstance(entry.event, CallFinished)]
        assert (finished.ok, finished.code) == (False, "host_busy")


@pytest.mark.parametrize("grouped", [False, True], ids=["alone", "in a group"])
@pytest.mark.parametrize(("error", "code"), [(QuestionUnanswered("Sure?"), "question_unanswered"), (StateFull("disk"), "state_full")])
async def test_what_no_model_can_mend_ends_the_run(error: mmos.MmosError, code: str, grouped: bool) -> None:
    fault: Exception = ExceptionGroup("several", [ValueError("x"), error]) if grouped else error
    for turn in (Call("act"), [Call("act"), Call("act")]):
        async with stage({"arbiter": [turn, "never"]}, tools=[raising(fault)]) as on:
            try:
                reason = (await on.app.run("Go.")).reason
                ended = reason.code if reason else ""
            except mmos.MmosError as raised:
                ended = raised.code
            assert ended == code
            assert len(on.sent("arbiter")) == 1


def test_ctrl_c_within_a_tool_is_not_swallowed() -> None:
    async def act() -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        async with stage({"arbiter": [Call("act"), "never"]}, tools=[act]) as on:
            await on.app.run("Go.")

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())


# ---------------------------------------------------------------- what hosts may send


HOLDS_NOTHING = answer({"models": []})
"""What a host answers when it is asked which models it has, and which are in memory."""
"""What it is asked before a load."""


def on_wire(url: str) -> dict[str, Any]:
    return {"orchestration": {"servers": {"here": {"url": url}}, "arbiter": {"model": "m", "server": "here", "channel": "tools"}}}


async def test_arguments_that_cannot_be_written_down_are_a_fault_of_their_host() -> None:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    calling = stream(done(message={"tool_calls": [call("act", {"x": deep})]}))
    async with (
        serving(HOLDS_NOTHING, HOLDS_NOTHING, *[calling] * 8) as wire,
        mmos.open(on_wire(wire.url), tools=[raising(ValueError())]) as app,
    ):
        answer = await app.run("Go.")
    assert answer.status == "failed"
    assert answer.reason is not None
    assert answer.reason.code == "host_not_understood"


async def test_a_host_that_hands_out_the_same_id_every_turn_does_no_harm() -> None:
    notes: list[str] = []

    async def note(text: str) -> str:
        notes.append(text)
        return text

    turns = [stream(done(message={"tool_calls": [call("note", {"text": text}, id="call_0")]})) for text in "ab"]
    async with serving(HOLDS_NOTHING, HOLDS_NOTHING, *turns, stream(done("Noted."))) as wire:
        async with mmos.open(on_wire(wire.url), tools=[note]) as app:
            answer = await app.run("Go.")
        assert (answer.text, notes, len(answer.view.finished_calls)) == ("Noted.", ["a", "b"], 2)


# ---------------------------------------------------------------- calls that were cut off


async def cut_off(folder: Path, times: int = 1) -> str:
    """A run whose process died in the middle of `transfer(amount=5)`, so many times."""
    run, thread = new_id(), new_id()
    begun = ToolCall("call_1", "transfer", {"amount": 5})
    facts: list[Event] = [
        RunStarted("Move 5.", "dead"),
        LaneOpened(run, "arbiter", Message("user", "Move 5.")),
        ModelReplied("a1", run, "arbiter", "arbiter", "here", Message("assistant", "", (begun,))),
        CallStarted("call_1", run, "arbiter", "transfer", {"amount": 5}),
        *[RunResumed("dead")] * (times - 1),
    ]
    async with await Journal.open(folder) as journal:
        for fact in facts:
            journal.append(run, thread, fact)
    return run


async def test_one_that_may_be_repeated_is_repeated(tmp_path: Path) -> None:
    moved: list[int] = []

    @mmos.tool(after_crash="repeat")
    def transfer(amount: int) -> str:
        moved.append(amount)
        return "moved"

    run = await cut_off(tmp_path)
    async with stage({"arbiter": ["Moved."]}, tools=[transfer], state=tmp_path) as on:
        assert (await on.app.resume(run)).text == "Moved."
        assert (moved, on.heard("arbiter")) == ([5], ["moved"])


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_one_that_can_be_checked_is_checked(tmp_path: Path, asynchronous: bool) -> None:
    async def check_later(arguments: Any) -> dict[str, Any]:
        return check(arguments)

    def check(arguments: Any) -> dict[str, Any]:
        return {"moved": arguments["amount"]}

    @mmos.tool(after_crash=check_later if asynchronous else check)
    def transfer(amount: int) -> str:
        raise AssertionError("not again")

    run = await cut_off(tmp_path)
    async with stage({"arbiter": ["It was moved."]}, tools=[transfer], state=tmp_path) as on:
        assert (await on.app.resume(run)).text == "It was moved."
        assert on.heard("arbiter") == ['{"moved":5}']


async def test_each_time_it_is_cut_off_the_user_is_asked_anew(tmp_path: Path) -> None:
    asked: list[str] = []
    moved: list[int] = []

    async def answer_user(question: QuestionAsked) -> str:
        asked.append(question.text)
        return "repeat"

    def transfer(amount: int) -> str:
        moved.append(amount)
        return "moved"

    run = await cut_off(tmp_path, times=2)
    async with stage({"arbiter": ["Moved."]}, tools=[transfer], state=tmp_path) as on:
        assert (await on.app.resume(run, watch=Watch(answerer=answer_user))).text == "Moved."
        assert ("transfer(amount=5), 2 times by now" in asked[0], moved) == (True, [5])


async def test_a_decision_that_waits_is_kept_to(tmp_path: Path) -> None:
    def transfer(amount: int) -> str:
        raise AssertionError("the user said no")

    run = await cut_off(tmp_path)
    async with stage({"arbiter": ["Left as it is."]}, tools=[transfer], state=tmp_path) as on:
        waiting = await on.app.resume(run, options=RunOptions(on_question="wait"))
        assert waiting.status == "waiting"
        await on.app.answer(run, "skip")
        assert (await on.app.resume(run)).text == "Left as it is."
        assert "The user says: skip" in on.heard("arbiter")[0]


# ---------------------------------------------------------------- questions within tools


async def test_a_tool_may_ask_several_things_and_waits_for_each(tmp_path: Path) -> None:
    async def wizard(context: mmos.Context) -> str:
        name = await context.ask_user(UserQuestion("Name?"))
        size = await context.ask_user(UserQuestion("Size?", "choice", ("s", "l")))
        return f"{name}/{size}"

    async with stage({"arbiter": [Call("wizard"), "Done."]}, tools=[wizard], state=tmp_path) as on:
        waiting = await on.app.run("Set it up.", options=RunOptions(on_question="wait"))
        for question, text in (("Name?", "Ann"), ("Size?", "l")):
            assert waiting.document()["question"]["text"] == question
            await on.app.answer(waiting.run, text)
            waiting = await on.app.resume(waiting.run)
        assert (waiting.status, waiting.text, on.heard("arbiter")[1]) == ("answered", "Done.", "Ann/l")
        assert len(waiting.view.questions) == 2


async def test_a_loop_that_the_user_is_asked_about_waits_for_him_and_was_not_cut_off(tmp_path: Path) -> None:
    pokes: list[int] = []

    def poke() -> str:
        pokes.append(1)
        return "ow"

    config = {"limits": {"repeats": 1}}
    async with stage({"arbiter": [*[Call("poke")] * 5, "Enough."]}, tools=[poke], state=tmp_path, orchestration=config) as on:
        waiting = await on.app.run("Poke.", options=RunOptions(on_question="wait"))
        assert "keeps calling poke()" in waiting.document()["question"]["text"]
        await on.app.answer(waiting.run, "go on")
        answer = await on.app.resume(waiting.run)
        assert (answer.text, len(pokes)) == ("Enough.", 2)
        noticed = [entry.event for entry in await on.app.journal.read(run=answer.run) if isinstance(entry.event, LoopNoticed)]
        assert [fact.measure for fact in noticed] == ["nudge", "withhold", "ask"]


# ---------------------------------------------------------------- loops


async def test_exchanges_beside_each_other_are_no_loop() -> None:
    async def look(path: str) -> str:
        return f"{path} seen"

    coding = Model.scripted("coding", [lambda prompt: "Seen." if prompt.results else Call("look", {"path": "."})], repeat=True)
    arbiter = [[Call("consult_coding_specialist", {"query": f"Part {n}?"}) for n in range(8)], "All."]
    config = {"specialists": {"coding": {"tools": ["look"]}}, "limits": {"repeats": 2}}
    async with stage({"arbiter": arbiter, "coding": coding}, tools=[look], orchestration=config) as on:
        answer = await on.app.run("Look everywhere.")
        assert (answer.text, answer.view.tools["look"].calls, answer.view.tools["look"].failed) == ("All.", 8, 0)


async def test_going_round_between_models_is_a_loop() -> None:
    def again(role: str) -> Model:
        other = {"coding": "analysis", "analysis": "coding"}[role]
        return Model.scripted(role, [Call(f"consult_{other}_specialist", {"query": "And you?"})], repeat=True)

    config = {
        "specialists": {role: {"tools": ["consult_*"]} for role in ("coding", "analysis")},
        "limits": {"repeats": 2, "depth": 50, "turns": 4},
    }
    roles = {
        "arbiter": [Call("consult_coding_specialist", {"query": "How?"}), "ok"],
        "coding": again("coding"),
        "analysis": again("analysis"),
    }
    async with stage(roles, orchestration=config) as on:
        answer = await on.app.run("Go round.")
        noticed = [entry.event for entry in await on.app.journal.read(run=answer.run) if isinstance(entry.event, LoopNoticed)]
        assert noticed[0].times == 3
        assert sum(map(len, answer.view.lanes.values())) < 11


async def test_a_withheld_tool_stays_withheld_while_its_turn_is_tried_again() -> None:
    async def poke() -> str:
        return "ow"

    config = {"limits": {"repeats": 1}}
    async with stage({"arbiter": [*[Call("poke")] * 4, "Enough."]}, tools=[poke], orchestration=config) as on:
        refusal = '{"error":{"code":400,"message":"exceeds the available context size","n_prompt_tokens":900,"n_ctx":8192}}'
        on.host.faults.add("status", status=400, body=refusal, after=3, times=1)
        answer = await on.app.run("Poke.")
        offered = [{tool["function"]["name"] for tool in body["tools"]} for body in on.sent("arbiter")]
        assert ["poke" in names for names in offered] == [True, True, True, False, False, True]
        assert "may not use poke now" in on.heard("arbiter")[5]
        assert answer.text == "Enough."
