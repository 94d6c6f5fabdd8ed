"""Stories of calls that would have been lost: printed as text, named wrongly, refused by the host's own parser; over real HTTP."""

from __future__ import annotations

import pytest

from mmos.events import CallRepaired
from mmos.testing import Call, Fail, Stage, stage

ASK = '{"name": "consult_coding_specialist", "arguments": {"query": "What is 6 * 7?"}}'


async def repairs(on: Stage, run: str) -> list[str]:
    return [entry.event.what for entry in await on.app.journal.read(run=run) if isinstance(entry.event, CallRepaired)]


@pytest.mark.parametrize(
    "said",
    [
        ASK,
        f"I ask.\n\n```json\n{ASK}\n```",
        '[consult_coding_specialist(query="What is 6 * 7?")]',
        "consult_coding_specialist\n" + '{"query": "What is 6 * 7?"}',
        Call("consult_codng_specialist", {"query": "What is 6 * 7?"}),
        Call("functions.consult_coding_specialist", {"arguments": {"query": "What is 6 * 7?"}}),
    ],
)
async def test_a_call_that_was_written_otherwise_is_carried_out(said: str | Call) -> None:
    async with stage({"arbiter": [said, "It is 42."], "coding": ["42"]}) as on:
        answer = await on.app.run("What is 6 * 7?")
        assert (answer.status, answer.text) == ("answered", "It is 42.")
        assert "What is 6 * 7?" in on.heard("coding")[0]
        assert await repairs(on, answer.run)


async def test_what_the_host_could_not_parse_is_read_from_its_error() -> None:
    broken = ASK[:-1] + ",}"
    refused = Fail(f"error parsing tool call: raw='{broken}', err=invalid character '}}' looking for beginning of object key string")
    async with stage({"arbiter": [refused, "It is 42."], "coding": ["42"]}) as on:
        answer = await on.app.run("What is 6 * 7?")
        assert answer.text == "It is 42."
        assert "What is 6 * 7?" in on.heard("coding")[0]
        assert len(on.heard("arbiter")) == 2, "what can be read is not asked for once more"


async def test_what_nobody_can_read_is_asked_for_once_more() -> None:
    refused = Fail('error parsing tool call: raw=\'{"name": "consult_cod\', err=unexpected end of JSON input')
    async with stage({"arbiter": [refused, "It is 42."], "coding": []}) as on:
        answer = await on.app.run("What is 6 * 7?")
        assert answer.text == "It is 42."


async def test_a_listener_never_sees_a_call_scroll_by() -> None:
    said: list[str] = []
    async with stage({"arbiter": [f"Let me ask. {ASK}", "It is 42."], "coding": ["42"]}) as on:
        answer = await on.app.run("What is 6 * 7?", on_token=said.append)
        assert answer.text == "It is 42."
        assert "consult_coding" not in "".join(said)
