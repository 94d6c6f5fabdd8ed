"""Stories of threads that are sent again: whatever a template does with turns, the model sees its calls and their results, in order."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from mmos.rehearsal.pieces import Raw
from mmos.testing import Call, Model, Say, Stage, stage

TEMPLATES = ["whole", "either", "structs"]
BOTH = [Say("I ask both at once."), Call("slow", {"what": "one"}), Call("quick", {"what": "two"})]


async def shown(on: Stage, number: int) -> str:
    """The prompt that the arbiter's model got, as its template makes it."""
    body = {**on.sent("arbiter")[number], "_debug_render_only": True, "stream": False}
    async with httpx.AsyncClient(timeout=10) as client:
        reply = await client.post(f"{on.config['orchestration']['servers']['here']['url']}/api/chat", json=body)
    return str(reply.json()["_debug_info"]["rendered_template"])


def pair() -> list[Any]:
    done = asyncio.Event()

    async def slow(what: str) -> str:
        await done.wait()
        return f"slowly {what}"

    async def quick(what: str) -> str:
        done.set()
        return f"quickly {what}"

    return [slow, quick]


@pytest.mark.parametrize("template", TEMPLATES)
async def test_a_turn_with_words_and_calls_keeps_its_calls_and_their_results_in_order(template: Any) -> None:
    arbiter = Model.scripted("arbiter", [BOTH, "Both are done.", "As I said."], template=template)
    async with stage({"arbiter": arbiter}, tools=pair()) as on:
        await on.app.run("Do both.", thread="t")
        await on.app.run("And?", thread="t")
        for number in (1, 2):
            text = await shown(on, number)
            calls = (
                [text.index(f'"name": "{name}"') for name in ("slow", "quick")]
                if template == "whole"
                else [text.index('"what"'), text.rindex('"what"')]
            )
            places = [*calls, text.index("slowly one"), text.index("quickly two")]
            assert places == sorted(places)
        answer, assistant, *results = on.sent("arbiter")[1]["messages"][1:]
        assert answer["role"] == "user"
        assert assistant["content"] == ""  # templates that ask `if .Content` first would lose the calls
        ids = [call["id"] for call in assistant["tool_calls"]]
        assert [(result["tool_name"], result["tool_call_id"]) for result in results] == list(zip(("slow", "quick"), ids, strict=True))
        assert all(isinstance(call["function"]["arguments"], dict) for call in assistant["tool_calls"])


@pytest.mark.parametrize("template", TEMPLATES)
async def test_a_call_that_was_read_out_of_a_text_is_sent_again_as_a_call(template: Any) -> None:
    said = Raw('I look it up.\n```json\n{"name": "quick", "arguments": {"what": "it"}}\n```')
    arbiter = Model.scripted("arbiter", [said, "Done."], template=template, tag="<tool_call>")
    async with stage({"arbiter": arbiter}, tools=pair()[1:]) as on:
        await on.app.run("Look.")
        assistant, result = on.sent("arbiter")[1]["messages"][-2:]
        assert assistant["content"] == ""
        assert assistant["tool_calls"][0]["function"] == {"name": "quick", "arguments": {"what": "it"}}
        assert result["content"] == "quickly it"
        text = await shown(on, 1)
        assert text.index("<tool_call>\n{") < text.index("quickly it")


async def test_in_schema_mode_calls_and_results_are_sent_again_in_its_own_words() -> None:
    arbiter = Model.scripted("arbiter", [BOTH, "Both are done."], capabilities=("completion",))
    async with stage({"arbiter": arbiter}, tools=pair()) as on:
        await on.app.run("Do both.")
        said = [message["content"] for message in on.sent("arbiter")[1]["messages"][2:]]
        assert said[0] == '{"calls":[{"tool":"slow","arguments":{"what":"one"}},{"tool":"quick","arguments":{"what":"two"}}]}'
        assert said[1:] == ["Result of slow:\n<<<\nslowly one\n>>>\n\nResult of quick:\n<<<\nquickly two\n>>>"]
