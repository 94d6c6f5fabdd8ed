"""Stories of replies that failed downstream: `reinterpret_response` puts them into a form that can be used."""

from __future__ import annotations

from mmos.testing import Call, Model, stage

ASK = Call("reinterpret_response", {"original": "call the coding specialist and ask: How?", "failure_reason": "It is no call."})


async def test_the_interpreter_reads_calls_in_it() -> None:
    call = "<start_function_call>call:consult_coding_specialist{query:<escape>How?<escape>}<end_function_call>"
    interpreter = Model.scripted("functiongemma", [call], family="gemma3", capabilities=("completion", "tools"))
    async with stage({"arbiter": [ASK, "Done."], "coding": ["So."], "reasoning": [], "interpreter": interpreter}) as on:
        answer = await on.app.run("Go.")
        assert answer.text == "Done."
        assert "consult_coding_specialist" in on.heard("arbiter")[-1]
        assert on.sent("reasoning") == []


async def test_without_an_interpreter_the_reasoning_role_words_it_anew() -> None:
    async with stage({"arbiter": [ASK, "Done."], "reasoning": ["Ask the coding specialist how."]}) as on:
        answer = await on.app.run("Go.")
        assert answer.text == "Done."
        assert '"response":"Ask the coding specialist how."' in on.heard("arbiter")[-1]
        (heard,) = on.heard("reasoning")
        assert ("It is no call." in heard, "call the coding specialist" in heard) == (True, True)
        assert "tools" not in on.sent("reasoning")[0]


async def test_another_role_may_have_that_job() -> None:
    config = {"recovery": {"role": "coding"}}
    async with stage({"arbiter": [ASK, "Done."], "coding": ["How."]}, orchestration=config) as on:
        assert (await on.app.run("Go.")).text == "Done."
        assert '"response":"How."' in on.heard("arbiter")[-1]


async def test_with_neither_the_tool_is_not_there() -> None:
    async with stage({"arbiter": ["Done."], "coding": []}) as on:
        await on.app.run("Go.")
        assert "reinterpret_response" not in {tool["function"]["name"] for tool in on.sent("arbiter")[0]["tools"]}
