"""Stories of models that repeat themselves word for word: the stream is ended while it runs, what came before is kept, and honest repetition survives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mmos
from mmos.app import RunOptions
from mmos.messages import REPETITION
from mmos.rehearsal.pieces import Raw
from mmos.testing import Call, Finish, Host, Loop, Model, Say, Think, Turn, serve, stage
from tests.shell import shell

BEFORE = "First I look at the log »"
STUCK = [Say(BEFORE), Loop("then I look at the log once more. ")]


def until_told(*stuck: Turn, then: str) -> Model:
    """Repeats itself until it is set right. A script would not do: an answer that its client gave up was not given."""
    return Model.scripted("arbiter", [lambda prompt: then if "over and over" in prompt.user_text else list(stuck)], repeat=True)


THINKER = ("completion", "tools", "thinking")


async def test_a_model_that_repeats_itself_is_stopped_set_right_and_goes_on() -> None:
    async with stage({"arbiter": until_told(*STUCK, then="The log says so.")}) as on:
        answer = await on.app.run("Why?")
        assert (answer.status, answer.text) == ("answered", "The log says so.")
        first, second = on.host.requests.to("/api/chat")
        assert first.cancelled, "the host was told to stop"
        assert answer.usage["output_tokens"] < 4_000
        kept, told = second.json["messages"][-2:]
        assert kept["content"] == f"{BEFORE}then I look at the log once more. "
        assert "over and over" in told["content"]
        assert "wrote the same text over and over" in answer.document()["warnings"][0]


async def test_one_that_does_not_stop_it_ends_the_run_with_what_came_before(tmp_path: Path) -> None:
    """On the untouched file of a new user."""
    async with shell(tmp_path, {"arbiter": Model.scripted("arbiter", [STUCK], repeat=True)}) as at:
        ended = await at.mmos("run", "--json", "Why?")
        reason = ended.document["reason"]
        assert (ended.code, ended.document["status"], reason["code"]) == (5, "partial", "repetition")
        assert ended.document["answer"].startswith(BEFORE)
        assert len(ended.document["answer"]) < 100
        assert "arbiter (arbiter) repeated itself" in reason["message"]
        assert "limits.repetition: true" in reason["next"]
        assert ended.document["usage"]["model_calls"] == 2


async def test_a_specialist_that_repeats_itself_costs_its_caller_one_consultation() -> None:
    roles = {
        "arbiter": [[Call("consult_coding_specialist", {"query": "How?"})], "I say it myself."],
        "coding": Model.scripted("coding", [STUCK], repeat=True),
    }
    async with stage(roles) as on:
        answer = await on.app.run("How?")
        assert (answer.status, answer.text) == ("answered", "I say it myself.")
        result = on.sent("arbiter")[1]["messages"][-1]["content"]
        assert '"success":false' in result
        assert BEFORE in result


async def test_thoughts_that_go_round_in_circles_are_ended_too() -> None:
    circles = [Think("Wait, no. Let me check this once more. " * 600), "So."]
    async with stage({"arbiter": replace(until_told(*circles, then="So it is."), capabilities=THINKER)}) as on:
        answer = await on.app.run("Is it?")
        assert answer.text == "So it is."
        assert len(on.host.requests.to("/api/chat")) == 2


async def test_in_schema_mode_the_words_of_the_answer_are_kept() -> None:
    async with stage({"arbiter": replace(until_told(*STUCK, then="So."), capabilities=("completion",))}) as on:
        answer = await on.app.run("Why?")
        assert answer.text == "So."
        first, second = on.sent("arbiter")
        assert "format" in first
        assert "then I look at the log once more. " in second["messages"][-2]["content"]
        assert len(second["messages"][-2]["content"]) < 200


async def test_a_run_that_was_ended_for_it_is_not_taken_for_answered_when_it_is_resumed() -> None:
    well: list[str] = []
    arbiter = Model.scripted("arbiter", [lambda _prompt: "At last." if well else list(STUCK)], repeat=True)
    async with stage({"arbiter": arbiter}) as on:
        ended = await on.app.run("Why?")
        assert ended.reason is not None
        assert (ended.status, ended.reason.code) == ("partial", "repetition")
        well.append("now")
        assert (await on.app.resume(ended.run)).text == "At last."


async def test_what_is_asked_for_may_repeat_itself() -> None:
    lines, zeros = "I shall not talk in class.\n" * 200, ("0 " * 29 + "0\n") * 30
    async with stage({"arbiter": Model.scripted("arbiter", [lines, zeros], path="native")}) as on:
        assert (await on.app.run("Write it two hundred times.")).text == lines
        assert (await on.app.run("Thirty rows of zeros.")).text == zeros


async def test_whoever_wants_more_of_it_may_have_it() -> None:
    lines = "I shall not talk in class.\n" * 900
    async with stage({"arbiter": [lines]}, orchestration={"limits": {"repetition": True}}) as on:
        assert (await on.app.run("Write it nine hundred times.", options=RunOptions(max_turns=3))).text == lines


@pytest.mark.parametrize("profile", ["0.33", "0.34"])
async def test_a_host_that_stops_it_by_itself_is_understood(profile: str) -> None:
    """Older ones end the stream without a word, newer ones with an error."""
    async with stage({"arbiter": until_told(Say("It is"), Loop(" no"), then="No.")}, profile=profile) as on:
        answer = await on.app.run("Is it?")
        assert answer.text == "No."
        assert on.sent("arbiter")[1]["messages"][-2]["content"].split() == ["It", "is", "no"]
        replies = [entry.event for entry in await on.app.journal.read(run=answer.run, kinds=("model_replied",))]
        assert [reply.done_reason for reply in replies] == [REPETITION, "stop"]  # type: ignore[attr-defined]


async def test_an_openai_shaped_server_is_watched_likewise() -> None:
    far = Host("far", [until_told(*STUCK, then="So.")])
    async with serve(far) as url:
        server: dict[str, Any] = {"url": f"{url}/v1", "kind": "openai"}
        config = {"orchestration": {"servers": {"far": server}, "arbiter": {"model": "arbiter", "server": "far", "channel": "tools"}}}
        async with mmos.open(config) as app:
            answer = await app.run("Why?")
    assert answer.text == "So."
    assert far.requests.to("/v1/chat/completions")[0].cancelled


async def test_an_answer_that_was_cut_for_its_length_is_no_repetition() -> None:
    async with stage({"arbiter": [[Say("Once upon a time"), Finish()]]}) as on:
        assert (await on.app.run("Tell.")).text == "Once upon a time"


async def test_a_turn_that_repeats_the_one_before_word_for_word_is_the_last() -> None:
    stubborn = Model.scripted("arbiter", [Raw('{"calls": [half')], repeat=True, capabilities=("completion",))
    async with stage({"arbiter": stubborn}) as on:
        answer = await on.app.run("Well?")
        assert answer.reason is not None
        assert (answer.status, answer.reason.code) == ("failed", "no_answer")
        assert answer.reason.message.endswith("2 times in a row.")
        assert len(on.sent("arbiter")) == 2
