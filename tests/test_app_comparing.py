"""Comparisons through an app: each answer is a run, a judge is blind, and what fails counts as wrong."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest

import mmos
from mmos.app.contest import Attempt, Contest, Notebook
from mmos.app.entrants import Entrant, entrants_of
from mmos.app.standing import comparison_of, numbered
from mmos.comparing.comparison import Comparison
from mmos.rehearsal.personas import Model
from mmos.rehearsal.prompt import Prompt
from mmos.testing import Call, Finish, Host, Say, serve, stage
from mmos.views.run import RunView

ASKS = [Call("escalate_to_user", {"question": "Which sum?"})]
"""A question that nobody answers: the run fails."""


def asked(count: int) -> list[mmos.Case]:
    return [mmos.Case(f"What is {number} + 1?", number + 1) for number in range(count)]


def sums(prompt: Prompt) -> str:
    return f"The answer is {int(prompt.messages[-1]['content'].split()[2]) + 1}."


def prefers(words: str) -> Any:
    """A judge that prefers the answer with these words, wherever it stands."""

    def say(prompt: Prompt) -> str:
        first = prompt.messages[-1]["content"].partition("Answer 1:")[2].partition("Answer 2:")[0]
        return orjson.dumps({"reason": "Because.", "better": "1" if words in first else "2"}).decode()

    return say


def pair(comparison: Comparison) -> dict[str, Any]:
    [one] = comparison.document()["pairs"]  # type: ignore[misc]
    return dict(one)


async def test_sides_answer_the_same_cases_in_runs_of_their_own() -> None:
    async with stage({"arbiter": ["I do not know."] * 8, "coding": [sums] * 16}) as on:
        found = await on.app.compare(["coding", "arbiter"], asked(8))
        assert pair(found)["text"].startswith("coding is better than arbiter. coding: right where the other is wrong on 8 of 8 cases")
        [coding, arbiter] = found.document()["sides"]  # type: ignore[misc]
        assert (coding["right"], arbiter["right"], coding["model_calls"], arbiter["failed"]) == (8, 0, 8, 0)
        assert coding["gpu_seconds"] > 0
        assert coding["loads"] == 1
        assert sorted(on.heard("coding")) == [case.task for case in asked(8)]  # a model alone has the task and no more
        again = await on.app.compare(["coding", "coding"], asked(4))
        assert [standing.side for standing in again.standings] == ["coding", "coding (2)"]
        assert pair(again)["verdict"] == "unclear"


async def test_a_side_may_be_a_role_or_a_function_and_have_several_samples() -> None:
    async def upper(case: mmos.Case) -> str | None:
        return (await on.app.run(case.task, options=mmos.RunOptions(model="coding"))).text

    async def refuses(case: mmos.Case) -> str | None:
        raise mmos.UsageError(f"It has no words for {case.id}.")

    async with stage({"arbiter": [], "coding": [sums] * 40}) as on:
        found = await on.app.compare(["role:coding", mmos.Side("upper", upper), mmos.Side("refuses", refuses)], asked(6), samples=2)
        assert [standing.mean for standing in found.standings] == [1.0, 1.0, 0.0]
        assert [standing.failed for standing in found.standings] == [0, 0, 12]
        assert found.failures[0].why == "It has no words for 1."
        assert found.pairs[0].difference.cases == 6
        assert "3 comparisons were made" in found.notes[-1]


async def test_the_whole_of_mmos_may_have_a_strategy() -> None:
    async with stage({"arbiter": [sums] * 12}) as on:
        found = await on.app.compare(["strategy:single", "arbiter"], asked(6))
        assert [standing.mean for standing in found.standings] == [1.0, 1.0]
        strategies = [RunView.of(await on.app.journal.read(run=run)).options.get("strategy") for run in await runs_of(on.app)]
        assert sorted(map(str, strategies)) == ["None"] * 6 + ["single"] * 6


async def runs_of(app: mmos.App) -> list[str]:
    return [entry.run for entry in await app.journal.read(kinds=("run_started",))]


async def test_what_fails_counts_as_wrong_and_is_named() -> None:
    async with stage({"arbiter": [ASKS] * 6, "coding": [sums] * 6}) as on:
        found = await on.app.compare(["arbiter", "coding"], asked(6))
        assert pair(found)["better"] == "coding"
        assert {(one["id"], one["side"]) for one in found.document()["failures"]} == {(str(n), "arbiter") for n in range(1, 7)}  # type: ignore[attr-defined]
        assert "Which sum?" in found.failures[0].why


async def test_tools_of_a_case_are_described_and_groups_have_scores_of_their_own() -> None:
    tools = [
        {
            "name": "weather",
            "description": "Tells the weather.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        }
    ]
    call = {"name": "weather", "arguments": {"city": "Rome"}}
    cases = [
        {"task": "How warm is Rome?", "tools": tools, "expect": call, "group": "tools"},
        {"task": "What is 1 + 1?", "answer": 2, "type": "sums"},
    ]
    async with stage({"arbiter": [], "coding": ["weather(city='Rome')", "2"], "analysis": ["<think>\nNot 3.\n</think>Warm.", "3"]}) as on:
        found = await on.app.compare(["coding", "analysis"], cases, concurrency=1)
        assert on.heard("coding")[0].startswith("How warm is Rome?\n\nYou may call these tools.")
        assert '{"name":"weather","description":"Tells the weather."' in on.heard("coding")[0]
        assert [(one.name, one.cases, dict(one.means)) for one in found.groups] == [
            ("sums", 1, {"coding": 1.0, "analysis": 0.0}), ("tools", 1, {"coding": 1.0, "analysis": 0.0}),
        ]  # fmt: skip
        assert found.document()["groups"] == [
            {"group": "sums", "cases": 1, "scores": {"coding": 1.0, "analysis": 0.0}},
            {"group": "tools", "cases": 1, "scores": {"coding": 1.0, "analysis": 0.0}},
        ]


async def test_a_judge_compares_blindly_and_in_both_orders() -> None:
    async with stage({"arbiter": ["A mutex is a lock."] * 8, "coding": ["No idea."] * 8, "analysis": [prefers("lock")] * 16}) as on:
        found = await on.app.compare(["arbiter", "coding"], [f"Explain {n}." for n in range(8)], judge="role:analysis")
        assert pair(found)["text"].startswith("arbiter is better than coding. arbiter: preferred on 8 of 8 cases")
        assert len(on.heard("analysis")) == 16
        firsts = [text.partition("Answer 1:")[2].partition("Answer 2:")[0] for text in on.heard("analysis")]
        assert sum("lock" in first for first in firsts) == 8
        assert not any("arbiter" in text or "coding" in text for text in on.heard("analysis"))


async def test_the_judge_may_be_any_model_that_is_no_side() -> None:
    models = {"arbiter": Model.scripted("qwen2.5:7b", ["A lock."]), "coding": Model.scripted("qwen2.5:3b", ["Hm."])}
    judges = {"analysis": Model.scripted("qwen2.5:14b", []), "writing": Model.scripted("mistral:7b", [prefers("lock")] * 2)}
    async with stage({**models, **judges}) as on:
        found = await on.app.compare(["arbiter", "role:coding"], ["What is a mutex?"], judge="auto")
        assert (pair(found)["a_better"], len(on.sent("mistral"))) == (1, 2)
        with pytest.raises(mmos.UsageError, match="each one is a side"):
            await on.app.compare(["qwen2.5:7b", "qwen2.5:3b", "qwen2.5:14b", "mistral:7b"], ["What?"], judge="auto")


async def test_no_case_goes_to_a_cloud_unless_the_user_names_it_as_the_judge() -> None:
    models = {"arbiter": Model.scripted("qwen2.5:7b", ["A lock."]), "coding": Model.scripted("qwen2.5:3b", ["Hm."])}
    cloud, own = Model.scripted("gpt-oss:120b-cloud", []), Model.scripted("mistral:7b", [prefers("lock")] * 2)
    allowed = {"fleet": {"allow_cloud": True}}
    async with stage({**models, "analysis": cloud, "writing": own}, orchestration=allowed) as on:
        found = await on.app.compare(["arbiter", "role:coding"], ["What is a mutex?"], judge="auto")
        assert (pair(found)["a_better"], on.sent("cloud"), len(on.sent("mistral"))) == (1, [], 2)


async def test_a_judge_that_follows_the_place_decides_nothing() -> None:
    first = orjson.dumps({"reason": "It is first.", "better": "1"}).decode()
    async with stage(
        {"arbiter": ["One."] * 7, "coding": ["Two."] * 7, "analysis": [first] * 12 + [[Say('{"reason": "'), Finish()]] * 8}
    ) as on:
        found = await on.app.compare(["arbiter", "coding"], [f"Explain {n}." for n in range(7)], judge="analysis", concurrency=1)
        assert (pair(found)["ties"], pair(found)["cases"]) == (6, 6)
        assert "said something else when the answers changed places, on 6 of 6 pairs" in found.notes[0]
        assert "no verdict on 1 pair" in found.notes[1]


async def test_a_judge_is_not_asked_about_equal_answers_or_missing_ones() -> None:
    async with stage({"arbiter": ["Same.", ASKS], "coding": ["Same.", "Two."], "analysis": []}) as on:
        found = await on.app.compare(["coding", "arbiter"], ["One?", "Two?"], judge="analysis", concurrency=1)
        assert on.heard("analysis") == []
        assert (pair(found)["a_better"], pair(found)["ties"]) == (1, 1)


async def test_wrong_usage_is_said_before_a_model_is_asked() -> None:
    async with stage({"arbiter": [], "coding": []}) as on:
        for sides, cases, terms in (
            (["coding"], asked(1), {}),
            (["coding", "arbiter"], [], {}),
            (["coding", "arbiter"], ["Explain."], {}),
            (["coding", "arbiter"], asked(1), {"samples": 0}),
            (["coding", "arbiter"], asked(1), {"within": 3.0}),
            (["coding", "role:absent"], asked(1), {}),
            (["coding", "m@nowhere"], asked(1), {}),
            (["coding", ""], asked(1), {}),
            (["coding", "strategy:absent"], asked(1), {}),
            (["coding", "arbiter"], [mmos.Case("x", 1, id="1"), mmos.Case("y", 1, id="1")], {}),
            ("coding", asked(1), {}),
        ):  # fmt: skip
            with pytest.raises(mmos.UsageError):
                await on.app.compare(sides, cases, **terms)  # type: ignore[arg-type]
        with pytest.raises(mmos.HostError, match="absent:7b"):
            await on.app.compare(["coding", "absent:7b"], asked(1))
        assert on.host.requests.to("/api/chat") == []


# ---------------------------------------------------------------- the order of the work


async def order(sides: list[str], count: int, *, models: int = 2) -> list[str]:
    async with stage({"arbiter": [], "coding": []}) as on:
        contest = Contest(on.app, [Entrant(side) for side in sides], list(numbered(asked(count))))
        return [item.entrant.name for item in contest._in_order(contest.attempts) if isinstance(item, Attempt)]


def swaps(names: list[str]) -> int:
    return sum(one != other for one, other in itertools.pairwise(names))


async def test_sides_take_turns_with_few_swaps_and_early_pairs() -> None:
    assert swaps(await order(["a", "b"], 40)) == 1
    many = await order(["a", "b", "c"], 400)
    assert swaps(many) == 8  # four blocks with two swaps each: the side that ended a block begins the next one
    assert set(many[:300]) == {"a", "b", "c"}


async def test_models_that_do_not_fit_together_are_loaded_once_each() -> None:
    models = {name: Model.scripted(name, [sums] * 12) for name in ("arbiter", "coding")}
    async with stage(models, vram_gb=6) as on:
        found = await on.app.compare(["arbiter@here", "coding"], asked(12))
        assert [standing.cost.loads for standing in found.standings] == [1, 1]


async def test_sides_without_a_common_host_do_not_wait_for_each_other() -> None:
    hosts = [Host(name, [Model.scripted(f"m-{name}", [sums] * 30)]) for name in ("near", "far")]
    async with serve(hosts[0]) as near, serve(hosts[1]) as far:
        servers = {"near": {"url": near}, "far": {"url": far}}
        async with mmos.open({"orchestration": {"servers": servers, "arbiter": {"model": "m-near", "server": "near"}}}) as app:
            seen: list[str] = []
            notebook = Notebook(ends=lambda item, given: seen.append(item.entrant.name) if isinstance(item, Attempt) else None)
            contest = Contest(app, entrants_of(app, ["m-near@near", "m-far@far"]), list(numbered(asked(24))), notebook=notebook)
            await contest.hold()
            assert set(seen[:24]) == {"m-near@near", "m-far@far"}  # on one host, the second side would begin when the first one has ended
            assert comparison_of(contest).standings[1].mean == 1.0
