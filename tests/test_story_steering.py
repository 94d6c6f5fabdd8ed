"""Stories of a user who writes to models that talk with each other: from Python, a chat, another process."""

from __future__ import annotations

from pathlib import Path

import pytest

import mmos
from mmos import Watch
from mmos.app.records import Records
from mmos.errors import UsageError
from mmos.journal import Journal
from mmos.talk_events import TalkSteered
from mmos.testing import Call, facts, stage, until
from tests.shell import shell
from tests.talking import OWN, PASS, VERDICT, cast, say
from tests.talking import start as start_direct
from tests.terminal import terminal
from tests.test_story_mediated import DONE, arbiter, asks, read, results

WORDS = "Not on Windows."
QUESTION = Call("escalate_to_user", {"question": "Fast or safe?"})
ASKING = {"specialists": {"coding": {"tools": ["escalate_to_user"]}}}
LEADS = [asks("coding", "A?"), asks("reasoning", "B?"), DONE]


async def test_all_that_take_part_read_what_the_user_writes() -> None:
    roles = {"arbiter": arbiter(*LEADS), "coding": [QUESTION, "A1"], "reasoning": ["B1"]}
    async with stage(roles, orchestration=ASKING) as on:
        run: list[str] = []

        async def answerer(_question: mmos.events.QuestionAsked) -> str:
            await on.app.steer(run[0], f"  {WORDS} ")
            return "safe"

        answer = await on.app.run("Find the leak.", watch=Watch(answerer=answerer, on_start=run.append))
        asked = await results(on, answer.run, "consult_model")
        assert WORDS in asked[0]
        assert WORDS not in asked[1]  # the arbiter reads it once
        assert WORDS in read(on, "reasoning")[0][0]
        assert [event.text for event in await facts(on.app, answer.run, TalkSteered)] == [WORDS]
        with pytest.raises(UsageError, match="was answered before"):
            await on.app.steer(answer.run, "Too late.")


async def test_in_a_direct_talk_the_reviewer_reads_it_too() -> None:
    coding, reasoning = [QUESTION, say("A hash."), say("So.", stance="agree")], [say("A tree."), say("No.", stance="disagree")]
    async with stage(cast([start_direct(), OWN, PASS, PASS, PASS, PASS, VERDICT, "Done."], coding, reasoning), orchestration=ASKING) as on:
        run: list[str] = []

        async def answerer(_question: mmos.events.QuestionAsked) -> str:
            await on.app.steer(run[0], WORDS)
            return "safe"

        answer = await on.app.run("Find an index.", watch=Watch(answerer=answerer, on_start=run.append))
        heard = on.heard("arbiter")
        reviews, closing = [text for text in heard if "Call review" in text], [text for text in heard if "Call conclude" in text]
        assert [WORDS in text for text in reviews][:2] == [True, False]
        assert WORDS in closing[0]
        assert WORDS in on.heard("reasoning")[1]
        assert answer.text == "Done."


async def test_another_process_writes_to_a_talk(tmp_path: Path) -> None:
    async def pause(context: mmos.Context) -> str:
        """Wait."""
        async with await Journal.open(tmp_path) as other:
            await Records(other).steer(context.scope.run, WORDS)
        await until(lambda: any(talk.steered for talk in context.scope.view.talks.by_id.values()))
        return "ok"

    roles = {"arbiter": arbiter(*LEADS), "coding": [Call("pause"), "A1"], "reasoning": ["B1"]}
    async with stage(roles, orchestration={"specialists": {"coding": {"tools": ["pause"]}}}, tools=[pause], state=tmp_path) as on:
        answer = await on.app.run("Find the leak.")
        assert WORDS in (await results(on, answer.run, "consult_model"))[0]
        assert len(await facts(on.app, answer.run, TalkSteered)) == 1


async def test_what_nobody_would_read_is_refused() -> None:
    async with stage({"arbiter": ["Hello."]}) as on:
        answer = await on.app.run("Hello.")
        for text, why in (("Words.", "was answered before"), ("  ", "is empty"), ("x" * 30_000, "30,000 characters; 20,000 are allowed")):
            with pytest.raises(UsageError, match=why):
                await on.app.steer(answer.run, text)


async def test_a_waiting_run_reads_it_when_it_goes_on(tmp_path: Path) -> None:
    roles = {"arbiter": arbiter(*LEADS), "coding": [QUESTION, "A1"], "reasoning": ["B1"]}
    async with shell(tmp_path, roles, orchestration=ASKING) as on:
        waiting = await on.mmos("run", "Find the leak.", "--on-question", "wait", "--json")
        run = waiting.document["run"]
        steered = await on.mmos("runs", "steer", run, WORDS)
        assert (steered.code, steered.out) == (0, "")
        assert steered.err.startswith("coding, reasoning, arbiter read this when the run goes on: mmos runs resume ")
        assert (await on.mmos("runs", "answer", run, "safe")).code == 0
        assert WORDS in read(on.on, "reasoning")[0][0]
        late = await on.mmos("runs", "steer", run, WORDS, "--json")
        assert (late.code, late.document["reason"]["code"]) == (2, "usage")


async def test_in_a_chat_the_user_writes_to_a_talk(tmp_path: Path) -> None:
    roles = {"arbiter": arbiter(*LEADS), "coding": [QUESTION, "A1"], "reasoning": ["B1"]}
    async with shell(tmp_path, roles, orchestration=ASKING) as on:
        async with terminal(tmp_path, "chat", columns=120) as at:
            at.say("/say Hello.")
            await at.shows("No models talk with each other now.")
            at.say("Find the leak.")
            await at.shows("Fast or safe?")
            at.say(f"/say {WORDS}")
            await at.shows("They read this before they write again.")
            at.say("safe")
            await at.shows("The end.")
            at.say("/quit")
            assert await at.ended() == 0
        assert WORDS in read(on.on, "reasoning")[0][0]
