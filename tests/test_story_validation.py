"""Stories of answers that a scripted judge reads: what it may say, what is believed, and what becomes of the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

import mmos
from mmos.app import RunOptions
from mmos.quality_events import AnswerJudged, JudgeTried
from mmos.testing import Fail, Model, Turn, facts, stage
from tests.judging import bad, better, on_canaries, opinion, steps

VALIDATE = RunOptions(validate=True)
TASK = "What is 7 * 6?"
WRONG = "Seven times six is forty-eight."
RIGHT = "Seven times six is forty-two."
FAULTY = opinion(WRONG, correct=bad("is forty-eight", "7 * 6 is 42.", "Write forty-two."))
KNOWN = on_canaries(True, True)


def critic(*turns: Turn, canaries: Sequence[Turn] = KNOWN, name: str = "critic", **card: Any) -> Model:
    """A judge of another family than that of the others."""
    return Model.scripted(name, [*canaries, *turns], **{"family": "mistral", **card})


def quality(answer: mmos.Answer) -> dict[str, Any]:
    found: dict[str, Any] = answer.document()["quality"]
    return found


# ---------------------------------------------------------------- verdicts


async def test_an_answer_passes() -> None:
    async with stage({"arbiter": [RIGHT], "critic": critic(opinion(RIGHT))}) as on:
        answer = await on.app.run(TASK, options=VALIDATE)
        found = quality(answer)
        assert (answer.text, answer.status, found["verdict"], found["score"], found["confidence"]) == (
            RIGHT,
            "answered",
            "pass",
            1.0,
            0.857,
        )
        assert (found["judges"], found["threshold"], found["findings"], found["steps"]) == (["critic:latest"], 0.8, [], [])
        assert found["why"] == ["critic:latest was right about 2 of 2 known answers"]
        assert answer.usage["model_calls"] == 4
        assert {use["role"]: use["calls"] for use in answer.document()["roles"]} == {"arbiter": 1, "judge": 3}
        assert [one.right for one in await facts(on.app, answer.run, JudgeTried)] == [True, True]
        assert answer.document()["warnings"] == []
        assert TASK in on.heard("critic")[-1]
        assert RIGHT in on.heard("critic")[-1]


async def test_nobody_is_asked_without_a_wish() -> None:
    async with stage({"arbiter": [RIGHT], "critic": critic()}) as on:
        answer = await on.app.run(TASK)
        assert (answer.document()["quality"], answer.usage["model_calls"], on.sent("critic")) == (None, 1, [])


async def test_an_answer_fails_and_its_author_makes_it_better() -> None:
    roles = {"arbiter": [WRONG, RIGHT, "You are welcome."], "critic": critic(FAULTY, opinion(RIGHT))}
    async with stage(roles) as on:
        answer = await on.app.run(TASK, thread="t", options=VALIDATE)
        assert (answer.text, quality(answer)["verdict"], steps(answer)) == (RIGHT, "pass", [("revision-1", True)])
        assert [one.verdict for one in await facts(on.app, answer.run, AnswerJudged)] == ["fail", "pass"]
        assert '- incorrect: 7 * 6 is 42. (the words: "is forty-eight") What to do: Write forty-two.' in on.heard("arbiter")[1]
        assert [message["content"] for message in on.sent("arbiter")[1]["messages"][1:3]] == [TASK, WRONG]
        later = await on.app.run("Thanks.", thread="t")
        assert later.text == "You are welcome."
        assert [message["content"] for message in on.sent("arbiter")[2]["messages"][1:]] == [TASK, RIGHT, "Thanks."]


async def test_a_fault_that_needs_no_judge_goes_back_at_once() -> None:
    broken, whole = "```python\ndef f(:\n    pass\n```", "```python\ndef f():\n    pass\n```"
    async with stage({"arbiter": [broken, whole], "critic": critic(opinion("def f(): pass"))}) as on:
        answer = await on.app.run("Write f.", options=VALIDATE)
        assert (answer.text, quality(answer)["verdict"]) == (whole, "pass")
        first, second = await facts(on.app, answer.run, AnswerJudged)
        assert (first.verdict, first.judges, first.certain, second.judges) == ("fail", (), 1, ("critic:latest",))
        assert first.findings[0]["kind"] == "syntax"
        assert len(on.sent("critic")) == 3


async def test_an_answer_that_does_not_become_better_is_kept() -> None:
    roles = {"arbiter": [WRONG, "Seven times six is fifty."], "critic": critic(FAULTY, opinion("is fifty", correct=bad("is fifty", "No.")))}
    async with stage(roles) as on:
        answer = await on.app.run(TASK, options=VALIDATE)
        assert (answer.text, answer.status, answer.exit_code) == (WRONG, "answered", 0)
        assert (quality(answer)["verdict"], quality(answer)["score"], steps(answer)) == ("fail", 0.5, [("revision-1", False)])
        finding = quality(answer)["findings"][0]
        assert (finding["kind"], finding["severity"], finding["cure"], finding["by"]) == (
            "incorrect",
            "error",
            "Write forty-two.",
            "critic:latest",
        )
        (warning,) = answer.document()["warnings"]
        assert warning == "The answer did not pass its validation: score 0.50, and 0.80 is needed. incorrect: 7 * 6 is 42."


async def test_an_answer_is_revised_again_only_if_that_has_helped() -> None:
    short = opinion(RIGHT, complete=bad("What is 7 * 6?", "No steps."))
    roles = {"arbiter": [WRONG, RIGHT, f"{RIGHT} Six sevens."], "critic": critic(FAULTY, short, opinion("Six sevens."))}
    async with stage(roles) as on:
        answer = await on.app.run(TASK, options=VALIDATE)
        assert (answer.text, quality(answer)["verdict"]) == (f"{RIGHT} Six sevens.", "pass")
        assert steps(answer) == [("revision-1", True), ("revision-2", True)]
        assert [message["content"] for message in on.sent("arbiter")[2]["messages"]][1:] == [
            TASK, WRONG, on.heard("arbiter")[1], RIGHT, on.heard("arbiter")[2],
        ]  # fmt: skip


async def test_a_larger_model_answers_when_the_author_cannot() -> None:
    roles = {
        "arbiter": ["So do I.", WRONG, WRONG],
        "critic": critic(FAULTY, opinion(RIGHT), parameter_size="7B"),
        "giant": Model.scripted("giant", [RIGHT], parameter_size="70B"),
    }
    async with stage(roles) as on:
        await on.app.run("I like sevens.", thread="t")
        answer = await on.app.run(TASK, options=VALIDATE, thread="t")
        assert (answer.text, quality(answer)["verdict"]) == (RIGHT, "pass")
        assert steps(answer) == [("revision-1", False), ("larger-model", True)]
        assert [message["content"] for message in on.sent("giant")[0]["messages"][1:]] == ["I like sevens.", "So do I.", TASK]
        assert quality(answer)["steps"][0]["why"] == "it is the same answer"
        assert on.sent("giant")[0]["messages"][0] == on.sent("arbiter")[0]["messages"][0], "with the role's own system text"


# ---------------------------------------------------------------- what is not believed


@pytest.mark.parametrize(
    "said",
    [
        ["It is fine.", "Really, it is fine."],
        ["{}", "{}"],
        [opinion("words that are not in the answer")],
        [opinion("s")],
        [opinion(RIGHT, correct={"quote": RIGHT, "fault": "", "cure": "", "verdict": "cannot_tell"})],
        [opinion(RIGHT, correct=bad(RIGHT, ""))],
        [Fail("broken")],
    ],
    ids=["prose", "empty", "invented", "too short", "cannot tell", "no fault named", "no reply"],
)
async def test_nothing_passes_that_a_judge_did_not_show(said: list[Turn]) -> None:
    roles = {"arbiter": [RIGHT], "critic": Model.scripted("critic", [*KNOWN, *said, Fail("broken"), Fail("broken")], family="mistral")}
    async with stage(roles) as on:
        answer = await on.app.run(TASK, options=VALIDATE)
        assert (answer.text, answer.status, quality(answer)["verdict"], steps(answer)) == (RIGHT, "answered", "cannot_verify", [])
        assert answer.document()["warnings"][-1].startswith("MMOS could not verify the answer: ")


async def test_a_judge_that_fails_on_known_answers_says_nothing_that_counts() -> None:
    roles = {"arbiter": [RIGHT], "critic": critic(opinion(RIGHT), canaries=on_canaries(False, True))}
    async with stage(roles) as on:
        answer = await on.app.run(TASK, options=VALIDATE)
        assert (quality(answer)["verdict"], answer.text, len(on.sent("critic"))) == ("cannot_verify", RIGHT, 2)
        assert "critic:latest was right about 1 of 2 known answers, so its verdict does not count" in quality(answer)["why"]


async def test_another_judge_is_chosen_when_one_has_failed_often() -> None:
    roles = {
        "arbiter": [RIGHT, RIGHT, RIGHT],
        "critic": critic(canaries=on_canaries(False, True, False, True), parameter_size="9B"),
        "other": critic(opinion(RIGHT), name="other", family="gemma"),
    }
    async with stage(roles) as on:
        found = [quality(await on.app.run(TASK, options=VALIDATE)) for _ in range(3)]
        assert [one["judges"] for one in found] == [["critic:latest"], ["critic:latest"], ["other:latest"]]
        assert [one["verdict"] for one in found] == ["cannot_verify", "cannot_verify", "pass"]


async def test_a_judge_that_was_wrong_once_gets_another_chance() -> None:
    wrong, right, *later = on_canaries(False, True, True, True)
    async with stage({"arbiter": [RIGHT, RIGHT], "critic": critic(*later, opinion(RIGHT), canaries=[wrong, right])}) as on:
        found = [quality(await on.app.run(TASK, options=RunOptions(validate=True))) for _ in range(2)]
        assert [one["why"][0] for one in found] == [
            "critic:latest was right about 1 of 2 known answers, so its verdict does not count",
            "critic:latest was right about 3 of 4 known answers",
        ]
        assert found[1]["why"][1] == "the verdict would be pass, but the confidence of 0.78 is below 0.8"


async def test_a_judge_that_cannot_write_a_verdict_cannot_judge() -> None:
    async with stage({"arbiter": [RIGHT], "critic": critic("Fine.", "Fine.", "Fine.", "Fine.", canaries=[])}) as on:
        answer = await on.app.run(TASK, options=VALIDATE)
        assert quality(answer)["why"] == ["critic:latest was right about 0 of 2 known answers, so its verdict does not count"]
        assert answer.text == RIGHT


async def test_a_judge_whose_host_is_gone_is_not_tried() -> None:
    async with stage({"arbiter": [RIGHT], "critic": critic(*[Fail("broken")] * 6, canaries=[])}) as on:
        answer = await on.app.run(TASK, options=VALIDATE)
        assert await facts(on.app, answer.run, JudgeTried) == []
        assert quality(answer)["why"][-1].startswith("critic:latest did not judge: ")
        assert (answer.text, quality(answer)["verdict"]) == (RIGHT, "cannot_verify")


async def test_a_judge_is_tried_until_enough_is_known() -> None:
    right = on_canaries(*[True] * 8)
    turns = [turn for place in range(0, 8, 2) for turn in (*right[place : place + 2], opinion(RIGHT))]
    async with stage({"arbiter": [RIGHT] * 5, "critic": critic(*turns, opinion(RIGHT), canaries=[])}) as on:
        answers = [await on.app.run(TASK, options=VALIDATE) for _ in range(5)]
        assert [quality(answer)["confidence"] for answer in answers] == [0.857, 0.889, 0.909, 0.923, 0.923]
        assert [answer.usage["model_calls"] for answer in answers] == [4, 4, 4, 4, 2]


# ---------------------------------------------------------------- who judges


async def test_the_author_judges_only_when_there_is_no_other_model() -> None:
    async with stage({"arbiter": [RIGHT, *KNOWN, opinion(RIGHT)]}) as on:
        answer = await on.app.run(TASK, options=VALIDATE)
        assert (quality(answer)["verdict"], quality(answer)["confidence"]) == ("pass", 0.814)
        assert quality(answer)["why"][-1] == "arbiter:latest judges its own answer"


async def test_the_configuration_names_the_judge() -> None:
    keys = {"quality": {"validation": "always", "judge": "critic"}, "defaults": {"quality_threshold": 0.4}}
    roles = {"arbiter": [WRONG, WRONG], "critic": critic(FAULTY, FAULTY, family="llama"), "other": critic(name="other")}
    async with stage(roles, orchestration=keys) as on:
        answer = await on.app.run(TASK)
        assert (quality(answer)["judges"], quality(answer)["verdict"], quality(answer)["threshold"]) == (["critic:latest"], "pass", 0.4)
        answer = await on.app.run(TASK, options=RunOptions(validate=False))
        assert answer.document()["quality"] is None


async def test_two_judges_must_agree() -> None:
    first, second = KNOWN
    disagreeing = [first, opinion(RIGHT), second, opinion(RIGHT, correct=bad(RIGHT, "No."))]
    roles = {
        "arbiter": [RIGHT, RIGHT],
        "one": critic(first, opinion(RIGHT), second, opinion(RIGHT), name="one", canaries=[], parameter_size="9B"),
        "two": critic(*disagreeing, name="two", canaries=[], family="gemma"),
    }
    async with stage(roles, orchestration={"quality": {"cross_validation": True}}) as on:
        found = quality(await on.app.run(TASK, options=VALIDATE))
        assert (found["verdict"], found["judges"], found["confidence"]) == ("pass", ["one:latest", "two:latest"], 0.962)
        found = quality(await on.app.run(TASK, options=VALIDATE))
        assert (found["verdict"], found["findings"]) == ("cannot_verify", [])
        assert found["why"][-1].startswith("not decided: correct (")


async def test_both_orders_decide_between_two_answers() -> None:
    longer = opinion(RIGHT, complete=bad("What is 7 * 6?", "It could say more."))
    said = [KNOWN[0], FAULTY, longer]
    roles = {
        "arbiter": [WRONG, RIGHT, RIGHT],
        "one": critic(*said, better("2"), better("1"), longer, name="one", canaries=[], parameter_size="9B"),
        "two": critic(*said, longer, name="two", canaries=[], family="gemma"),
    }
    async with stage(roles, orchestration={"quality": {"cross_validation": True}}) as on:
        answer = await on.app.run(TASK, options=VALIDATE)
        orders = [message.partition("Answer 2:")[0] for message in on.heard("one") if "Answer 2:" in message]
        assert [WRONG in first for first in orders] == [False, True]
        assert quality(answer)["steps"][0] == {
            "step": "revision-1", "kept": False, "why": "score 0.50 before, 0.70 now; in both orders, the judge prefers the old one",
        }  # fmt: skip
        assert answer.text == WRONG
