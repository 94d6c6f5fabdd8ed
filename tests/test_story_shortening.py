"""Stories of prompts that do not fit their window: they become shorter step by step, and nothing that matters is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.cli.threads_compact import sentence
from mmos.errors import NoAnswer
from mmos.events import HistoryShortened, LaneOpened, ModelAsked
from mmos.prompting.request import requests_of
from mmos.rehearsal.prompt import Prompt
from mmos.testing import Call, Model, Think, consult, facts, stage, until
from mmos.views.run import REFERENCE
from mmos.views.transcript import transcript
from mmos.window_events import HistorySummarised, MessagesShortened
from tests.shell import shell

FACT = "The name of my ship is Aurelia. Never call it anything else."
LONG = "So it goes with the tides and the winds. " * 25
SMALL: dict[str, Any] = {"arbiter": {"context_window": 2048, "keep_alive": "5m"}, "recovery": {"enabled": False}}


def words(messages: list[dict[str, Any]]) -> str:
    return "\n".join(str(message["content"]) for message in messages)


async def test_a_thread_goes_on_for_30_turns_and_its_first_words_stay() -> None:
    answers = Model.scripted("arbiter", [LONG], repeat=True)
    analysis = Model.scripted("analysis", ["They talked about tides and winds."], repeat=True)
    async with stage({"arbiter": answers, "analysis": analysis}, orchestration=SMALL) as on:
        shortened, summaries = 0, 0
        for number in range(30):
            answer = await on.app.run(FACT if not number else f"And what of tide {number}?", thread="t")
            assert answer.status == "answered"
            prompt = on.sent("arbiter")[-1]["messages"]
            assert "Aurelia" in words(prompt), number
            shortened += len(await facts(on.app, answer.run, HistoryShortened))
            found = await facts(on.app, answer.run, HistorySummarised)
            assert all(event.before > event.after > 0 for event in found)
            asked = (await facts(on.app, answer.run, ModelAsked))[-1]
            assert all(asked.estimate - 150 <= event.after <= asked.estimate + 30 for event in found), "the tool read_artifact may be new"
            summaries += len(found)
        assert shortened == 0
        assert 3 <= summaries <= 15
        assert "They talked about tides and winds." in words(prompt)


async def test_a_long_result_becomes_a_reference_and_can_be_read_again() -> None:
    lines = "\n".join(f"line {number}: {'x' * 20} {number * 7}" for number in range(140))
    look = mmos.tool(name="look", description="Look.")(lambda: lines)
    found: list[str] = []

    def third(prompt: Prompt) -> Call:
        found.extend(name for message in prompt.messages[1:] for name in REFERENCE.findall(message["content"]))
        return Call("read_artifact", {"reference": f"artifact:{found[0]}", "from": 41, "lines": 2})

    arbiter = Model.scripted("arbiter", [Call("look", {}), "Seen.", LONG, third, "Line 40 says 280."])
    async with stage({"arbiter": arbiter}, tools=[look], orchestration=SMALL) as on:
        await on.app.run("Look.", thread="t")
        await on.app.run("And?", thread="t")
        answer = await on.app.run("What is line 40?", thread="t")
        assert answer.text == "Line 40 says 280."
        (event,) = await facts(on.app, answer.run, MessagesShortened)
        assert (event.what, list(event.current)) == ("results", [])
        assert event.before - event.after > 400
        last = on.sent("arbiter")[-1]
        assert "line 40: xxxxxxxxxxxxxxxxxxxx 280" in last["messages"][-1]["content"]
        assert "read_artifact" in [tool["function"]["name"] for tool in last["tools"]]
        assert any("became a reference" in warning for warning in answer.document()["warnings"])


async def test_the_reasoning_of_specialists_goes_first() -> None:
    coding = Model.scripted("coding", [[Think("Hm. " * 1000), "Use a lock."]], repeat=True, capabilities=("completion", "thinking"))
    roles: dict[str, Any] = {"arbiter": [consult("coding"), "Lock it.", LONG, "Then lock it.", "Yes."], "coding": coding}
    specialists = {"specialists": {"coding": {"think": True}}}
    async with stage(roles, orchestration={**SMALL, **specialists}) as on:
        runs = [(await on.app.run(task, thread="t")).run for task in ("How?", "And?", "So?")]
        (event,) = [event for run in runs for event in await facts(on.app, run, MessagesShortened)]
        assert event.what == "reasoning"
        prompt = words(on.sent("arbiter")[-1]["messages"])
        assert "Hm. Hm." not in prompt
        assert "Use a lock." in prompt
        assert "read_artifact" not in str(on.sent("arbiter")[-1]["tools"]), "there is nothing to read"


async def test_when_nobody_can_summarise_the_oldest_exchanges_are_left_out_and_the_answer_says_so() -> None:
    roles = {"arbiter": Model.scripted("arbiter", [LONG], repeat=True), "analysis": Model.scripted("analysis", [""], repeat=True)}
    async with stage(roles, orchestration=SMALL) as on:
        warnings: list[str] = []
        for number in range(5):
            answer = await on.app.run(f"And tide {number}?", thread="t")
            assert answer.status == "answered"
            warnings += answer.document()["warnings"]
        assert any("no model could summarise" in warning for warning in warnings)
        assert any("were left out of the prompt" in warning for warning in warnings)


async def test_a_kill_while_a_model_summarises_costs_nothing(tmp_path: Path) -> None:
    roles = {
        "arbiter": Model.scripted("arbiter", [LONG], repeat=True),
        "analysis": Model.scripted("analysis", ["Of tides."], repeat=True),
    }
    async with stage(roles, state=tmp_path, orchestration=SMALL) as on:
        on.host.faults.add("hang", model="analysis")
        for number in range(9):
            running = asyncio.create_task(on.app.run(f"And tide {number}?", thread="t"))
            await asyncio.wait([running, asyncio.create_task(until(lambda: on.sent("analysis")))], return_when=asyncio.FIRST_COMPLETED)
            if on.sent("analysis"):
                break
            await running
        running.cancel()
        await asyncio.wait([running])
        run = (await on.app.journal.read(kinds=(LaneOpened.kind,)))[-1].run
    async with stage(roles, state=tmp_path, orchestration=SMALL) as on:
        answer = await on.app.resume(run)
        assert answer.status == "answered"
        (event,) = await facts(on.app, run, HistorySummarised)
        assert event.exchanges
        (asked,) = [event for event in await facts(on.app, run, ModelAsked) if event.role == "arbiter"]
        entries = await on.app.journal.read(thread=(await on.app.journal.read(run=run))[0].thread)
        remade = [request for entry, request in requests_of(entries) if request and entry.event == asked]
        assert [message.content for message in remade[0].messages] == [message["content"] for message in on.sent("arbiter")[-1]["messages"]]
        assert (await on.app.replay(run)).same


async def test_a_conversation_is_compacted_on_request(tmp_path: Path) -> None:
    roles = {
        "arbiter": Model.scripted("arbiter", [LONG], repeat=True),
        "analysis": Model.scripted("analysis", ["Of tides."], repeat=True),
    }
    async with stage(roles, state=tmp_path) as on:
        for task in (FACT, "And the tides?", "And the winds?"):
            await on.app.run(task, thread="t")
        done = await on.app.compact("t")
        assert (done.exchanges, done.by) == (2, "analysis")
        assert 0 < done.after < done.before
        assert (await on.app.compact("t")).exchanges == 0
    async with stage(roles, state=tmp_path) as on:
        answer = await on.app.run("Go on.", thread="t")
        prompt = words(on.sent("arbiter")[-1]["messages"])
        assert prompt.count(LONG) == 1, "of the newest exchange"
        assert "Of tides." in prompt
        assert "Aurelia" in prompt
        assert [row.task for row in transcript(await on.app.journal.read(thread=(await on.app.journal.read(run=answer.run))[0].thread))] == [
            FACT, "And the tides?", "And the winds?", "Go on.",
        ]  # fmt: skip


async def test_a_summary_that_is_longer_than_what_was_said_does_not_count() -> None:
    roles = {"arbiter": Model.scripted("arbiter", ["Hi."], repeat=True), "analysis": Model.scripted("analysis", [LONG], repeat=True)}
    async with stage(roles) as on:
        for task in ("Hello.", "Hello again."):
            await on.app.run(task, thread="t")
        done = await on.app.compact("t")
        assert (done.exchanges, done.after > done.before) == (0, True)
        assert "is not shorter" in sentence(done)
        await on.app.run("And again.", thread="t")
        assert "Hello." in [message["content"] for message in on.sent("arbiter")[-1]["messages"]]


async def test_compacting_fails_with_a_reason_when_no_model_can_be_asked() -> None:
    roles = {"arbiter": Model.scripted("arbiter", [LONG], repeat=True), "analysis": Model.scripted("analysis", [""], repeat=True)}
    async with stage(roles) as on:
        for task in ("One.", "Two."):
            await on.app.run(task, thread="t")
        with pytest.raises(NoAnswer):
            await on.app.compact("t")
        with pytest.raises(mmos.NotFound):
            await on.app.compact("other")
        assert (await on.app.run("Three.", thread="t")).status == "answered"


async def test_a_compacted_conversation_goes_to_another_machine(tmp_path: Path) -> None:
    roles = {
        "arbiter": Model.scripted("arbiter", [LONG], repeat=True),
        "analysis": Model.scripted("analysis", ["Of tides."], repeat=True),
    }
    async with shell(tmp_path, roles, state=tmp_path / ".mmos") as at:
        for task in (FACT, "And the tides?", "And the winds?"):
            await at.on.app.run(task, thread="t")
        done = await at.mmos("threads", "compact", "t", "--json")
        assert (done.document["exchanges"], done.document["by"]) == (2, "analysis")
        (tmp_path / "t.jsonl").write_text((await at.mmos("threads", "export", "t", "--format", "json")).out)
        assert (await at.mmos("runs", "import", "t.jsonl", "--state", "there")).code == 0
        async with mmos.open(at.on.config, state=tmp_path / "there") as there:
            await there.run("Go on.", thread="t")
        prompt = words(at.on.sent("arbiter")[-1]["messages"])
        assert prompt.count(LONG) == 1, "of the newest exchange"
        assert "Aurelia" in prompt


async def test_nobody_reads_a_text_that_was_not_in_its_own_prompt() -> None:
    look = mmos.tool(name="look", description="Look.")(lambda: "\n".join(f"line {number}: {'x' * 20}" for number in range(160)))
    stolen = [Call("read_artifact", {"reference": "artifact:zzzzzz-1"}), "There is none."]
    async with stage({"arbiter": [Call("look", {}), "Seen.", LONG, *stolen]}, tools=[look], orchestration=SMALL) as on:
        for task in ("Look.", "And?", "Read it."):
            answer = await on.app.run(task, thread="t")
        assert answer.text == "There is none."
        assert "There is no text artifact:zzzzzz-1 for you" in on.heard("arbiter")[-1]
