"""Tests of how much of each prompt repeats the one before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmos.events import ModelReplied
from mmos.prompting.reuse import reuse_of
from mmos.rehearsal.prompt import Prompt
from mmos.testing import Model, consult, facts, stage
from scripts.bench_prefixes import CASES, LEAST, reused
from tests.shell import shell


@pytest.mark.parametrize("case", CASES)
async def test_conversations_of_ten_turns_reuse_nearly_all_of_their_prompts(case: str) -> None:
    uses = {use.role: use for use in await reused(CASES[case])}
    assert uses["arbiter"].share >= LEAST
    assert uses["arbiter"].requests >= 19


async def test_the_texts_say_what_a_host_counts() -> None:
    """A host that tells how much it had in its cache, and the comparison of the texts, are near each other."""
    arbiter = [[consult("coding")], "So it is. " * 30, [consult("coding")], "And so. " * 30, "Yes."]
    coding = Model.scripted("coding", ["It depends."], repeat=True)
    async with stage({"arbiter": arbiter, "coding": coding}, profile="0.34") as on:
        for question in ("What?", "And then?", "Really?"):
            answer = await on.app.run(question, thread="t")
        entries = await on.app.journal.read(thread=answer.thread)
        told = {use.role: use for use in reuse_of(entries)}
        assert told["arbiter"].told
        assert 0.7 < told["arbiter"].share <= 1
        assert answer.document()["usage"]["reused_prompt_tokens"] == sum(
            one.usage.cached_tokens or 0 for one in await facts(on.app, answer.run, ModelReplied)
        )


async def test_another_conversation_repeats_nothing_of_this_one() -> None:
    async with stage({"arbiter": ["One.", "Two.", "Three."]}) as on:
        await on.app.run("What holds?", thread="one")
        answer = await on.app.run("And now?", thread="one")
        other = await on.app.run("And now?", thread="two")
        entries = await on.app.journal.read(thread=answer.thread)
        assert [(use.role, use.requests) for use in reuse_of(entries)] == [("arbiter", 1)]
        assert [use.requests for use in reuse_of(entries, answer.run)] == [1]
        assert reuse_of(await on.app.journal.read(thread=other.thread)) == []


async def test_it_is_shown_where_somebody_asks(tmp_path: Path) -> None:
    def echo(prompt: Prompt) -> str:
        return f"Answer {prompt.turn}."

    async with shell(tmp_path, {"arbiter": Model.scripted("arbiter", [echo], repeat=True)}) as at:
        ended = await at.mmos("chat", "--thread", "t", given=b"One?\nTwo?\nThree?\n/usage\n")
        assert "prompts repeated from the ones before: arbiter (arbiter" in ended.out
        assert "prompts repeated" in (await at.mmos("threads", "show", "t")).out
        [use] = (await at.mmos("threads", "show", "t", "--json")).document["prefixes"]
        assert (use["role"], use["requests"]) == ("arbiter", 2)
        assert use["share"] > 0.5
        run = (await at.mmos("runs", "list", "--json")).document["runs"][-1]["run"]
        assert "prompts repeated from the ones before: arbiter" in (await at.mmos("runs", "show", run)).out
