"""Ensembles and votes as a whole: several models answer one task, and their answers become one, over real HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmos import RunOptions
from mmos.rehearsal.pieces import Say, Stall
from mmos.rehearsal.prompt import Prompt
from mmos.run_events import RunRated
from mmos.testing import Call, Fail, Model, stage

BROKEN = [Fail("broken")] * 4
QUESTION = "How many legs do 3 spiders have?"


def ensemble(aggregate: str, *names: str, **keys: Any) -> dict[str, Any]:
    return {
        "pattern": "ensemble",
        "aggregate": aggregate,
        "models": [{"role": name} for name in names],
        "aggregator_model": "judge",
        **keys,
    }


def voting(*names: str, **keys: Any) -> dict[str, Any]:
    return {"pattern": "voting", "models": [{"role": name} for name in names], "aggregator_model": "judge", **keys}


async def run(roles: dict[str, Any], pattern: dict[str, Any], task: str = QUESTION) -> tuple[Any, dict[str, Any], Any]:
    async with stage({"arbiter": [], **roles}) as on:
        answer = await on.app.run(task, options=RunOptions(pattern=pattern))
        documents = answer.document()["patterns"]
        return answer, documents[0] if documents else {}, on


def chooses(text: str, *, close: bool = False):
    """A judge who finds the answer with this text best."""

    def said(prompt: Prompt) -> str:
        words = str(prompt.messages[-1]["content"])
        letters = {
            part[0]: part.split("<<<\n", 1)[1].split("\n>>>")[0] for part in words.split("Answer ")[1:] if part[1:].startswith(":\n<<<")
        }
        best = next((letter for letter, answer in letters.items() if answer == text), next(iter(letters)))
        second = next(letter for letter in letters if letter != best)
        return json.dumps({"why": "it is right", "best": best, "second": second, "close": close})

    return said


async def test_a_synthesis_is_anonymous_and_keeps_who_disagrees():
    def writes(prompt: Prompt) -> str:
        words = str(prompt.messages[-1]["content"])
        assert "coding" not in words
        letter = words.split("It is 10.")[0].rsplit("Answer ", 1)[1][0]
        return f"The limit is 12.\nDISSENT {letter}: it says 10"

    answer, document, _ = await run(
        {"coding": ["It is 12."], "analysis": ["It is 10."], "judge": [writes]}, ensemble("synthesize", "coding", "analysis")
    )
    assert answer.text == "The limit is 12.\n\nanalysis disagrees: it says 10"
    assert document["dissent"] == [{"model": "analysis", "text": "it says 10"}]


async def test_a_member_that_hangs_or_fails_is_left_out_and_named():
    roles = {"coding": ["It is 12."], "analysis": BROKEN, "judge": []}
    answer, document, on = await run(roles, ensemble("synthesize", "coding", "analysis"))
    assert answer.text == "It is 12."
    assert "analysis gave no answer" in document["why"]
    assert {one["name"]: one["status"] for one in document["members"]} == {"coding": "answered", "analysis": "failed"}
    assert not on.sent("judge"), "one answer needs nobody to put it together"


async def test_a_writer_that_fails_loses_no_answer():
    roles = {"coding": ["It is 12."], "analysis": ["It is 10."], "judge": BROKEN}
    answer, document, _ = await run(roles, ensemble("synthesize", "coding", "analysis"))
    assert answer.text in ("It is 12.", "It is 10.")
    assert document["status"] == "partial"


async def test_a_judge_chooses_and_the_answer_stays_as_it_is():
    roles = {"coding": ["One long answer."], "analysis": ["Another answer."], "judge": [chooses("Another answer.")]}
    answer, document, _ = await run(roles, ensemble("best", "coding", "analysis"))
    assert answer.text == "Another answer."
    assert document["members"][document["chosen"]]["name"] == "analysis"


async def test_a_close_choice_is_made_in_both_orders():
    steady = [chooses("Another answer.", close=True)] * 3
    _, document, on = await run(
        {"coding": ["One answer."], "analysis": ["Another answer."], "judge": steady}, ensemble("best", "coding", "analysis")
    )
    assert "both orders" in document["why"]
    first, second = (str(body["messages"][-1]["content"]) for body in on.sent("judge")[1:])
    assert (first.index("One answer.") < first.index("Another answer.")) is not (
        second.index("One answer.") < second.index("Another answer.")
    )


async def test_the_best_of_n_is_checked_before_it_is_judged():
    pattern = ensemble("best_of_n", "coding", samples=2)
    roles = {"coding": ["```python\ndef add(a, b:\n```", "```python\ndef add(a, b):\n    return a + b\n```"], "judge": []}
    answer, document, on = await run(roles, pattern, "Write add in Python.")
    assert "return a + b" in answer.text
    assert len(document["members"]) == 2
    assert not on.sent("judge")


async def test_a_vote_counts_numbers_in_any_words():
    roles = {"coding": ["3 * 8 = 24, so the answer is 24."], "analysis": ["24"], "reasoning": ["They have 18 legs."]}
    answer, document, _ = await run(roles, ensemble("vote", "coding", "analysis", "reasoning", voting="majority"))
    assert "24" in answer.text
    assert document["agreement"] == pytest.approx(2 / 3, abs=0.001)
    assert document["dissent"] == [{"model": "reasoning", "text": "18"}]
    assert sorted(str(one["vote"]) for one in document["members"]) == ["18", "24", "24"]


async def test_a_cascade_stops_when_two_agree():
    roles = {"coding": ["24"], "analysis": ["The answer is 24."], "reasoning": ["18"]}
    answer, document, on = await run(roles, voting("coding", "analysis", "reasoning"))
    assert "24" in answer.text
    assert (document["agreement"], len(document["members"])) == (1.0, 2)
    assert not on.sent("reasoning")
    assert "asked 2 of 3" in document["why"]


async def test_a_cascade_asks_on_while_members_disagree_fail_or_abstain():
    roles = {"coding": ["24"], "analysis": ["I don't know."], "reasoning": BROKEN, "fourth": ["It is 24."]}
    answer, document, _ = await run(roles, voting("coding", "analysis", "reasoning", "fourth"))
    assert "24" in answer.text
    assert [one["status"] for one in document["members"]] == ["answered", "abstained", "failed", "answered"]
    assert document["agreement"] == pytest.approx(2 / 3, abs=0.001)


async def test_a_judge_decides_a_tie():
    roles = {"coding": ["24"], "analysis": ["18"], "judge": [chooses("18")]}
    answer, document, _ = await run(roles, voting("coding", "analysis"))
    assert answer.text == "18"
    assert document["agreement"] == 0.5
    assert document["dissent"] == [{"model": "coding", "text": "24"}]


async def test_a_split_in_a_tool_call_goes_back_to_the_arbiter():
    use = Call("run_pattern", {"pattern": "count", "task": QUESTION})
    pattern = {"pattern": "voting", "models": [{"role": "coding"}, {"role": "analysis"}]}
    async with stage(
        {"arbiter": [use, "It is 24."], "coding": ["24"], "analysis": ["18"]}, orchestration={"patterns": {"count": pattern}}
    ) as on:
        assert (await on.app.run(QUESTION)).text == "It is 24."
        told = on.heard("arbiter")[1]
        assert "coding: 24" in told
        assert "analysis: 18" in told


async def test_members_of_a_consensus_read_each_other_without_names():
    roles = {"coding": ["24", "24"], "analysis": ["18", "I see. 24"]}
    answer, document, on = await run(roles, ensemble("consensus", "coding", "analysis"))
    assert "24" in answer.text
    assert document["agreement"] == 1.0
    assert len(document["members"]) == 4
    assert "18" in on.heard("coding")[1]
    assert "analysis" not in on.heard("coding")[1]


async def test_a_consensus_ends_when_it_gets_no_closer():
    roles = {"coding": ["24", "24"], "analysis": ["18", "18"], "judge": [chooses("24")]}
    answer, document, _ = await run(roles, ensemble("consensus", "coding", "analysis"))
    assert answer.text == "24"
    assert len(document["members"]) == 5


async def test_members_rank_the_answers_of_all():
    prefers = chooses("Second.")

    def ranks(prompt: Prompt) -> str:
        return json.dumps({"ranking": [json.loads(prefers(prompt))["best"]]})

    pattern = ensemble("vote", "coding", "analysis", voting="ranked")
    answer, document, _ = await run({"coding": ["First.", ranks], "analysis": ["Second.", ranks]}, pattern, "Write a word.")
    assert answer.text == "Second."
    assert document["agreement"] == 1.0


async def test_votes_trust_whom_the_user_found_right(tmp_path: Path):
    poll = {"pattern": "voting", "models": [{"role": name} for name in ("coding", "analysis", "reasoning")]}
    wrong = {"coding": ["18"], "analysis": ["24"], "reasoning": ["24"]}
    async with stage({"arbiter": [], **wrong}, state=tmp_path) as on:
        answer = await on.app.run(QUESTION, options=RunOptions(pattern=poll))
        assert len(answer.document()["patterns"][0]["members"]) == 3
        on.app.journal.append(answer.run, "", RunRated(good=True))
        await on.app.journal.durable()
    async with stage({"arbiter": [], "coding": [], "analysis": ["24"], "reasoning": ["24"]}, state=tmp_path) as on:
        answer = await on.app.run(QUESTION, options=RunOptions(pattern=poll))
        assert answer.text == "24"
        assert not on.sent("coding"), "it was wrong, so others are asked first"


async def test_prose_is_alike_for_an_embedding_model_only_where_no_word_contradicts():
    one, other, against = "Restart the server now.", "Now do restart that server, please.", "Never restart the server now."
    embedder = Model.scripted("embedder", [], capabilities=frozenset({"embedding"}))
    poll = {"pattern": "voting", "voting": "majority", "models": [{"role": name} for name in ("coding", "analysis", "reasoning")]}
    async with stage({"arbiter": [], "coding": [one], "analysis": [other], "reasoning": [against], "embedder": embedder}) as on:
        answer = await on.app.run("What helps?", options=RunOptions(pattern=poll))
        document = answer.document()["patterns"][0]
        assert (answer.text, document["dissent"]) == (one, [{"model": "reasoning", "text": against}])
        assert on.host.requests.to("/api/embed")


async def test_a_vote_does_not_wait_for_a_member_that_hangs_and_one_that_writes_nonsense_decides_nothing():
    poll = voting("coding", "analysis", "reasoning", "fourth", deadline=1)
    roles = {
        "arbiter": [],
        "coding": [[Say("So "), Stall()]],
        "analysis": ["24"],
        "reasoning": ["?" * 50],
        "fourth": ["It is 24."],
        "judge": [],
    }
    async with stage(roles, vram_gb=80, orchestration={"servers": {"here": {"vram_gb": 80}}}) as on:
        answer = await on.app.run(QUESTION, options=RunOptions(pattern=poll))
        document = answer.document()["patterns"][0]
        assert "24" in (answer.text or "")
        assert {one["name"]: one["status"] for one in document["members"]} == {
            "coding": "late", "analysis": "answered", "reasoning": "abstained", "fourth": "answered",
        }  # fmt: skip
        assert any("coding gave the pattern voting no answer" in warning for warning in answer.view.warnings)


@pytest.mark.parametrize("way", ["auto", "majority", "ranked"])
async def test_one_vote_is_no_agreement(way: str):
    answer, document, _ = await run({"coding": ["24"], "analysis": BROKEN}, voting("coding", "analysis", voting=way))
    assert (answer.text, document["agreement"]) == ("24", None)
