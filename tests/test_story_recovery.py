"""Stories of failures that a scripted reasoning model is asked about: each suggestion is checked, permitted, carried out and judged."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import mmos
from mmos.app import RunOptions
from mmos.app.lifecycle import Watch
from mmos.events import CallFinished, QuestionAsked
from mmos.recovery_events import RecoveryBegun, RecoverySuggested, RolledBack
from mmos.testing import Call, Fail, Model, consult, facts, stage
from tests.recovering import EMPTY, approach, gist, read, spoken, suggest, write, written

# ---------------------------------------------------------------- the five suggestions


async def test_a_call_is_made_again_with_other_arguments() -> None:
    wrong = Call("read", {"path": "wrong.txt"})
    roles = {
        "arbiter": [wrong, wrong, "It says: the content."],
        "reasoning": [suggest("suggest_retry_with_changes", arguments={"path": "right.txt"})],
    }
    async with stage(roles, tools=[read]) as on:
        answer = await on.app.run("Read it.")
        assert (answer.status, answer.text) == ("answered", "It says: the content.")
        assert gist(answer) == [("tool", "suggest_retry_with_changes", "reasoning", True)]
        assert on.heard("arbiter")[1] == "Error: read failed: ValueError: there is no wrong.txt"
        assert on.heard("arbiter")[2].endswith("This was done instead: read(path='right.txt')]\nthe content")
        (told,) = on.heard("reasoning")
        assert "Read it." in told
        assert "tool (tool_failed)" in told
        assert 'turn 1: called read {"path":"wrong.txt"} → Error: read failed' in told
        assert [tool["function"]["name"] for tool in on.sent("reasoning")[0]["tools"]] == [
            "suggest_retry_with_changes", "suggest_alternative_approach",
        ]  # fmt: skip
        assert answer.document()["warnings"] == []


async def test_a_call_gets_no_time_without_an_end() -> None:
    @mmos.tool(after_crash="repeat", timeout=0.02)
    async def wait() -> str:
        """Wait."""
        await asyncio.Event().wait()
        return "never"

    endless = suggest("suggest_retry_with_changes", timeout=1e9)
    roles = {"arbiter": [Call("wait"), Call("wait"), "Done."], "reasoning": [endless, approach("Do not wait.")]}
    async with stage(roles, tools=[wait]) as on:
        answer = await on.app.run("Wait.")
        assert gist(answer) == [("tool", "suggest_alternative_approach", "reasoning", True)]


async def test_a_call_gets_more_time() -> None:
    @mmos.tool(after_crash="repeat", timeout=0.02)
    async def wait() -> str:
        """Wait a moment."""
        await asyncio.sleep(0.1)
        return "waited"

    roles = {"arbiter": [Call("wait"), Call("wait"), "Done."], "reasoning": [suggest("suggest_retry_with_changes", timeout=30)]}
    async with stage(roles, tools=[wait]) as on:
        answer = await on.app.run("Wait.")
        assert (answer.text, gist(answer)) == ("Done.", [("tool", "suggest_retry_with_changes", "reasoning", True)])
        assert [message for message in on.heard("arbiter") if "waited" in message] == ["waited"]
        assert "did not finish within 0.02 s" in on.heard("arbiter")[1]


async def test_an_exchange_is_made_again_with_another_model() -> None:
    roles = {
        "arbiter": Model.scripted("arbiter", [Fail("broken")], repeat=True),
        "reasoning": [suggest("suggest_retry_with_changes", model="spare", temperature=0.5)],
        "spare": ["Here I am."],
    }
    async with stage(roles) as on:
        answer = await on.app.run("Hello?", thread="t")
        assert (answer.status, answer.text) == ("answered", "Here I am.")
        assert gist(answer) == [("transport", "suggest_retry_with_changes", "reasoning", True)]
        assert on.sent("spare")[0]["options"]["temperature"] == 0.5
        assert [message["content"] for message in on.sent("spare")[0]["messages"][1:]] == ["Hello?"]
        assert {use["model"] for use in answer.document()["roles"] if use["role"] == "arbiter"} == {"spare"}
        assert any(warning.startswith("arbiter: spare answers in place of arbiter. ") for warning in answer.document()["warnings"])


async def test_a_participant_that_fails_again_is_asked_again_with_another_model() -> None:
    roles = {
        "arbiter": [consult("coding"), consult("coding"), "Seven."],
        "coding": Model.scripted("coding", [Fail("broken")], repeat=True),
        "reasoning": [suggest("suggest_retry_with_changes", model="spare", query="How many?")],
        "spare": ["It is seven."],
    }
    async with stage(roles, orchestration={"fleet": {"warm_up": False}}) as on:
        answer = await on.app.run("How many?")
        assert (answer.text, gist(answer)) == ("Seven.", [("transport", "suggest_retry_with_changes", "reasoning", True)])
        assert "How many?" in on.heard("spare")[0]
        assert '"success":true' in on.heard("arbiter")[-1]
        assert any(warning.startswith("coding: spare answers in place of coding. ") for warning in answer.document()["warnings"])


async def test_the_user_is_asked_and_the_answer_goes_to_the_participant() -> None:
    async def answerer(question: QuestionAsked) -> str:
        return f"Below the stairs: {question.form}."

    wrong = Call("read", {"path": "wrong.txt"})
    roles = {"arbiter": [wrong, wrong, "In the cellar."], "reasoning": [suggest("request_user_input", question="Where is it?")]}
    async with stage(roles, tools=[read]) as on:
        answer = await on.app.run("Find it.", watch=Watch(answerer=answerer))
        assert (answer.text, gist(answer)) == ("In the cellar.", [("tool", "request_user_input", "reasoning", True)])
        heard = on.heard("arbiter")[-1]
        assert heard.startswith("Error: read failed")
        assert heard.endswith("the user was asked: Where is it?\nThe user says: Below the stairs: text.")


async def test_the_user_can_help_an_exchange_that_no_host_serves() -> None:
    roles = {"arbiter": [*[Fail("broken")] * 3, "In the cellar."], "reasoning": [suggest("request_user_input", question="Is it on?")]}

    async def answerer(question: QuestionAsked) -> str:
        return "Now it is."

    async with stage(roles) as on:
        answer = await on.app.run("Find it.", watch=Watch(answerer=answerer))
        assert (answer.text, gist(answer)) == ("In the cellar.", [("transport", "request_user_input", "reasoning", True)])
        assert on.heard("arbiter")[-1].endswith("the user was asked: Is it on?\nThe user says: Now it is.")


async def test_a_run_waits_for_the_user_and_goes_on_once(tmp_path: Path) -> None:
    wrong = Call("read", {"path": "wrong.txt"})
    roles = {"arbiter": [wrong, wrong, "In the cellar."], "reasoning": [suggest("request_user_input", question="Where is it?")]}
    async with stage(roles, tools=[read], state=tmp_path) as on:
        waiting = await on.app.run("Find it.", options=RunOptions(on_question="wait"))
        assert (waiting.status, waiting.exit_code) == ("waiting", 3)
        assert waiting.view.open_question is not None
        assert waiting.view.open_question.text == "Where is it?"
        await on.app.answer(waiting.run, "Below the stairs.")
        answer = await on.app.resume(waiting.run)
        assert (answer.text, gist(answer)) == ("In the cellar.", [("tool", "request_user_input", "reasoning", True)])
        assert len(on.sent("reasoning")) == 1
        assert len(await facts(on.app, answer.run, RecoverySuggested)) == 1
        assert on.heard("arbiter")[-1].startswith("Error: read failed: ValueError: there is no wrong.txt\n")  # as without the pause


async def test_a_lane_goes_back_to_an_earlier_turn_when_the_user_approves() -> None:
    written.clear()
    asked: list[str] = []

    async def answerer(question: QuestionAsked) -> str:
        asked.append(question.text)
        return "yes"

    wrong = Call("read", {"path": "wrong.txt"})
    roles = {
        "arbiter": [Call("write", {"path": "a"}), wrong, wrong, "Done another way."],
        "reasoning": [suggest("suggest_rollback", to=1)],
    }
    async with stage(roles, tools=[read, write]) as on:
        answer = await on.app.run("Do it.", watch=Watch(answerer=answerer))
        assert (answer.text, gist(answer)) == ("Done another way.", [("tool", "suggest_rollback", "reasoning", True)])
        assert written == ["a"]
        assert "Going back does not undo them: write." in asked[0]
        (words,) = spoken(on, "arbiter")
        assert words.startswith("Do it.\n\nYou were here before, and what you did next failed. Do not do it again.")
        assert words.endswith(
            'This should help.\n\nThese calls were made, and their effects stay. Do not make them again:\n- write {"path":"a"}'
        )
        (back,) = await facts(on.app, answer.run, RolledBack)
        assert (back.lane, back.turn, back.undone) == ("arbiter", 1, False)
        assert len(await facts(on.app, answer.run, CallFinished)) == 4  # facts are never deleted


async def test_an_exchange_goes_back_too(tmp_path: Path) -> None:
    roles = {
        "arbiter": [Call("read", {"path": "right.txt"}), *EMPTY, "Fine."],
        "reasoning": [suggest("suggest_rollback", to=1)],
    }
    config = {"recovery": {"ask_before": []}}
    async with stage(roles, tools=[read], orchestration=config, state=tmp_path) as on:
        answer = await on.app.run("Do it.")
        assert (answer.text, gist(answer)) == ("Fine.", [("empty", "suggest_rollback", "reasoning", True)])
        assert len(spoken(on, "arbiter")) == 1


async def test_another_approach_is_read_as_a_prompt() -> None:
    roles = {"arbiter": [*EMPTY, "Four."], "reasoning": [approach("Count on your fingers.")]}
    async with stage(roles) as on:
        answer = await on.app.run("What is 2 + 2?")
        assert (answer.text, gist(answer)) == ("Four.", [("empty", "suggest_alternative_approach", "reasoning", True)])
        assert spoken(on, "arbiter") == ["What is 2 + 2?\n\nYour last attempt failed. Try another way:\nCount on your fingers."]


PHASES = {"phases": {"initial": "plan", "plan": {"next": ["work"]}, "work": {"next": ["review"]}, "review": {"next": ["done"]}}}


async def test_the_run_changes_to_another_phase() -> None:
    roles = {"arbiter": [*EMPTY, "Four."], "reasoning": [suggest("suggest_phase_change", phase="work")]}
    async with stage(roles, orchestration=PHASES) as on:
        answer = await on.app.run("What is 2 + 2?")
        assert (answer.text, gist(answer)) == ("Four.", [("empty", "suggest_phase_change", "reasoning", True)])
        assert answer.document()["phases"] == ["plan", "work"]
        assert "the run is now in the phase work: This should help." in on.heard("arbiter")[-1]
        assert "phases to which the run can change: work" in on.heard("reasoning")[0]


async def test_a_call_that_fails_again_changes_the_phase() -> None:
    wrong = Call("read", {"path": "wrong.txt"})
    roles = {"arbiter": [wrong, wrong, "Without it."], "reasoning": [suggest("suggest_phase_change", phase="work")]}
    async with stage(roles, tools=[read], orchestration=PHASES) as on:
        answer = await on.app.run("Read it.")
        assert (answer.text, gist(answer)) == ("Without it.", [("tool", "suggest_phase_change", "reasoning", True)])
        assert "the run is now in the phase work" in on.heard("arbiter")[-1]


async def test_a_phase_that_does_not_help_is_left_again() -> None:
    changes = [suggest("suggest_phase_change", phase="review"), suggest("suggest_phase_change", phase="work"), approach("Count.")]
    roles = {"arbiter": [*EMPTY, *EMPTY, "Four."], "reasoning": changes}
    async with stage(roles, orchestration=PHASES) as on:
        answer = await on.app.run("What is 2 + 2?")
        assert (answer.text, answer.document()["phases"]) == ("Four.", ["plan", "work", "plan"])
        assert [helped for *_, helped in gist(answer)] == [False, True]
        assert "review" in on.heard("reasoning")[1]  # review may not follow plan


async def test_a_loop_ends_with_advice_in_place_of_the_run() -> None:
    again = Call("read", {"path": "right.txt"})
    roles = {"arbiter": [again] * 6 + ["The content."], "reasoning": [approach("You have read it: answer.")]}
    config = {"limits": {"repeats": 2}}
    async with stage(roles, tools=[read], orchestration=config) as on:
        answer = await on.app.run("Read it.", options=RunOptions(on_question="default"))
        assert answer.status == "answered"
        assert gist(answer) == [("loop", "suggest_alternative_approach", "reasoning", True)]


# ---------------------------------------------------------------- what is suggested is checked


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (suggest("suggest_retry_with_changes", model="unheard-of"), "unheard-of"),
        (suggest("suggest_retry_with_changes"), "This changes nothing."),
        (suggest("suggest_rollback", to=9), "There is no turn 9. Known: 1, 2, 3."),
        (suggest("suggest_alternative_approach", approach="x" * 9000), "may have 8,000 characters"),
        (suggest("suggest_phase_change", phase="review"), "no tool named"),
    ],
    ids=["model", "nothing", "turn", "long", "phase"],
)
async def test_a_suggestion_that_makes_no_sense_is_explained_and_another_one_taken(wrong: Call, why: str) -> None:
    roles = {"arbiter": [*EMPTY, "Four."], "reasoning": [wrong, approach("Count.")]}
    async with stage(roles, orchestration={"recovery": {"ask_before": []}}) as on:
        answer = await on.app.run("What is 2 + 2?")
        assert why in on.heard("reasoning")[1]
        assert (answer.text, gist(answer)) == ("Four.", [("empty", "suggest_alternative_approach", "reasoning", True)])


async def test_arguments_that_do_not_fit_the_tool_are_explained() -> None:
    wrong = Call("read", {"path": "wrong.txt"})
    retry = suggest("suggest_retry_with_changes", arguments={"name": "right.txt"})
    roles = {"arbiter": [wrong, wrong, "Read."], "reasoning": [retry, approach("Go without it.")]}
    async with stage(roles, tools=[read]) as on:
        answer = await on.app.run("Read it.")
        assert "The arguments of read do not fit" in on.heard("reasoning")[1]
        assert on.heard("arbiter")[-1].endswith("Try another way:\nGo without it.")
        assert gist(answer) == [("tool", "suggest_alternative_approach", "reasoning", True)]


async def test_prose_is_no_suggestion() -> None:
    roles = {"arbiter": EMPTY, "reasoning": Model.scripted("reasoning", ["I would try harder."], repeat=True)}
    async with stage(roles) as on:
        answer = await on.app.run("Hello?")
        assert (answer.status, answer.reason and answer.reason.code, gist(answer)) == ("failed", "no_answer", [])
        assert len(await facts(on.app, answer.run, RecoveryBegun)) == 1


# ---------------------------------------------------------------- what does not help is undone


async def test_what_does_not_help_is_undone_and_not_made_again() -> None:
    roles = {
        "arbiter": [*EMPTY, *EMPTY, "Four."],
        "reasoning": [approach("Worse."), approach("Worse."), approach("Better.")],
    }
    async with stage(roles) as on:
        answer = await on.app.run("What is 2 + 2?")
        assert answer.text == "Four."
        assert gist(answer) == [
            ("empty", "suggest_alternative_approach", "reasoning", False),
            ("empty", "suggest_alternative_approach", "reasoning", True),
        ]
        first, second, third = on.heard("reasoning")
        assert "tried before" not in first
        assert (
            'tried before: suggest_alternative_approach {"approach":"Worse.","reason":"This should help."} against empty: it did not help'
            in second
        )
        assert third == "Error: This was tried in this run, and it did not help. Suggest something else."
        assert "Worse." not in " ".join(spoken(on, "arbiter"))
        assert [event.undone for event in await facts(on.app, answer.run, RolledBack)] == [False, True, False]


async def test_when_the_attempts_are_used_up_the_first_error_stays() -> None:
    roles = {"arbiter": Model.scripted("arbiter", [""], repeat=True), "reasoning": [approach("One."), approach("Two."), approach("Three.")]}
    async with stage(roles) as on:
        answer = await on.app.run("Hello?")
        assert (answer.status, answer.exit_code, answer.reason and answer.reason.code) == ("failed", 1, "no_answer")
        assert len(on.sent("reasoning")) == 2
        assert [helped for *_, helped in gist(answer)] == [False, False]
        (warning,) = answer.document()["warnings"]
        assert "tried suggest_alternative_approach, suggest_alternative_approach. That did not help." in warning


async def test_a_tool_that_keeps_failing_is_asked_about_so_often_and_no_more() -> None:
    wrong = Call("read", {"path": "wrong.txt"})
    others = [Call("read", {"path": f"{number}.txt"}) for number in range(4)]
    roles = {"arbiter": [wrong, *others, "I give up."], "reasoning": [approach("One."), approach("Two."), approach("Three.")]}
    async with stage(roles, tools=[read]) as on:
        answer = await on.app.run("Read it.")
        assert answer.text == "I give up."
        assert len(on.sent("reasoning")) == 2
        assert [helped for *_, helped in gist(answer)] == [False, False]
