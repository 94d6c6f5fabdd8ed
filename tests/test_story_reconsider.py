"""Stories of a larger model that answers in place of a specialist's own."""

from __future__ import annotations

from typing import Any

import mmos
from mmos.testing import Call, Model, consult, stage

AGAIN = Call("reconsider_with_larger_model", {"role": "coding", "query": "Why is it slow?"})
LARGE = {"models": {"large": {"model": "large:70b"}}}


def roles(*arbiter: Any, large: str = "70.0B") -> dict[str, Any]:
    return {
        "arbiter": list(arbiter),
        "coding": Model.scripted("coder:7b", ["I do not know."], parameter_size="7.6B"),
        "spare": Model.scripted("large:70b", ["Because of the loop."], parameter_size=large),
    }


def offered(body: Any) -> set[str]:
    return {tool["function"]["name"] for tool in body["tools"]}


async def test_a_larger_model_answers_as_the_role() -> None:
    async with stage(roles(consult("coding"), AGAIN, "It is the loop."), orchestration=LARGE) as on:
        answer = await on.app.run("Why is it slow?")
        assert answer.text == "It is the loop."
        (body,) = on.sent("large")
        assert "coding" in body["messages"][0]["content"], "it has the system text of the role"
        assert "Why is it slow?" in body["messages"][-1]["content"]
        assert "I do not know." not in str(body), "it has seen nothing of the answer before"
        uses = [(use["role"], use["model"]) for use in answer.document()["roles"]]
        assert ("coding", "large:70b") in uses
        assert ("coding", "coder:7b") in uses
        assert '"success":true' in on.heard("arbiter")[-1]
        assert '"response":"Because of the loop."' in on.heard("arbiter")[-1]
        assert (await on.app.replay(answer.run)).same


async def test_without_a_larger_model_there_is_no_such_tool() -> None:
    async with stage({"arbiter": ["So."], "coding": []}) as on:
        await on.app.run("Why?")
        assert "reconsider_with_larger_model" not in offered(on.sent("arbiter")[0])


async def test_a_host_that_cannot_serve_it_is_an_error_that_the_model_reads() -> None:
    known = {"models": {"large": {"model": "nowhere:70b"}}}
    made = {"arbiter": [AGAIN, "Then not."], "coding": Model.scripted("coder:7b", [], parameter_size="7.6B")}
    async with stage(made, orchestration=known) as on:
        answer = await on.app.run("Why?")
        assert (answer.status, answer.text) == ("answered", "Then not.")
        assert "Nobody can reconsider it as coding: no host can serve a model that is larger than coder:7b." in on.heard("arbiter")[-1]
        assert (await on.app.replay(answer.run)).same


async def test_any_larger_model_of_the_hosts_serves_if_the_configuration_wants_it() -> None:
    async with stage(roles(AGAIN, "It is the loop."), orchestration={"selection": {"larger": True}}) as on:
        answer = await on.app.run("Why is it slow?")
        assert ("coding", "large:70b") in [(use["role"], use["model"]) for use in answer.document()["roles"]]


async def test_a_role_that_has_the_largest_model_in_this_run_has_no_larger_one() -> None:
    async with stage(roles(AGAIN, "Then not."), orchestration=LARGE) as on:
        answer = await on.app.run("Why is it slow?", options=mmos.RunOptions(roles={"coding": "large:70b"}))
        assert answer.text == "Then not."
        assert "larger than large:70b" in on.heard("arbiter")[-1]


async def test_an_answer_that_is_there_is_not_asked_for_twice() -> None:
    async with stage(roles(AGAIN, "It is the loop."), orchestration=LARGE) as on:
        answer = await on.app.run("Why is it slow?")
        fork = await on.app.fork(answer.run)
        again = await on.app.resume(fork.run)
        assert len(on.sent("large")) == 1
        assert again.run != answer.run
