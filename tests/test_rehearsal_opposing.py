"""Models that change their word, and models that stop in the middle of one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from mmos.rehearsal import Host, Model, Say, Stall, parse_cast, serve
from mmos.rehearsal.opposing import opposite
from mmos.testing import until
from tests.rehearsal_ask import a_model, ask, chat
from tests.rehearsal_talk import Talk, closed, result, user


@pytest.mark.parametrize(
    ("said", "other"),
    [
        ("Yes, 3 of them.", "No, 3 of them."),
        ("no.", "yes."),
        ("12 * 3 = 36 (rehearsed)", "12 * 3 = 37 (rehearsed)"),
        ("It takes 1.5 seconds.", "It takes 2.5 seconds."),
        ("It is safe.", "It is not safe."),
        ("The code is not valid.", "The code is valid."),
        ("You cannot do that", "You can do that"),
        ("Perhaps.", "It is not so: Perhaps."),
    ],
)
def test_the_opposite_of_a_text(said: str, other: str) -> None:
    assert opposite(said) == other


def persona(*rules: str) -> Model:
    [model] = parse_cast(f"models: [{{name: m, signature: '', default: nothing, rules: [{', '.join(rules)}]}}]").models
    return model


async def test_it_says_one_thing_and_then_the_other() -> None:
    async with serve(Host("h", [persona("{do: {contradict: 'Yes, {query}.'}}")])) as url:
        talk = Talk(url, "m")
        assert [await talk.text("it holds") for _ in range(3)] == ["Yes, it holds.", "No, it holds.", "Yes, it holds."]


async def test_it_contradicts_itself_a_result_or_the_user() -> None:
    every = persona("{when: {user_contains: itself}, do: {contradict: {of: itself}}}", "{do: contradict}")
    async with serve(Host("h", [every, Model("n", rules=persona("{do: {contradict: {of: message}}}").rules, signature="")])) as url:
        talk = Talk(url, "m")
        before = [user("Is it?"), {"role": "assistant", "content": "Yes."}]
        assert await talk.text(*before, "You said that yourself") == "No."
        assert await talk.text("Say itself") == "It is not so: Say itself"  # it said nothing yet, so the first rule does not match
        assert await talk.text(*before, "go", {"role": "assistant", "content": ""}, result("t", "All 4 of them.")) == "No."
        assert await talk.text("go", result("t", "All 4 of them.")) == "All 5 of them."
        assert await talk.text("The limit is 30") == "The limit is 31"
        claim = "Look again.\nThe coding specialist says: it is valid"
        assert await Talk(url, "n").text(*before, claim) == "it is not valid"


# ---------------------------------------------------------------- time out


async def test_it_stops_for_so_long_and_goes_on() -> None:
    model = a_model("m", [Say("one two"), Stall(30.0), Say(" three")], speed={"prefill": 1000.0, "decode": 10.0})
    host = Host("h", [model], time_scale=1000.0)
    async with serve(host) as url:
        row = (await chat(url)).row
    assert row["message"]["content"] == "one two three"
    assert row["eval_count"] == 3
    assert row["eval_duration"] == pytest.approx(30.3e9)
    assert row["total_duration"] >= row["eval_duration"]


@pytest.mark.parametrize(("after", "come"), [(0, ""), (2, "one two"), (9, "one two three")])
async def test_it_never_goes_on_and_keeps_its_slot_until_its_client_leaves(after: int, come: str) -> None:
    host = Host("h", [Model.scripted("m", [[Stall(after=after), Say("one two three")], "the next"])])
    async with serve(host) as url, aiohttp.ClientSession() as session:
        heard: list[str] = []
        first = asyncio.create_task(_listen(session, url, heard))
        waiting = asyncio.create_task(chat(url))
        await until(lambda: host.open == 2 and len(heard) == len(come.split()))
        assert "".join(heard) == come
        assert not waiting.done()
        first.cancel()
        assert (await waiting).content == ("the next")
    assert host.requests[0].cancelled


async def _listen(session: aiohttp.ClientSession, url: str, heard: list[str]) -> None:
    body = {"model": "m", "messages": [user("x")]}
    async with session.post(f"{url}/api/chat", json=body) as response:
        async for line in response.content:
            message = json.loads(line)["message"]
            heard.append(message["content"])


async def test_both_are_steps_of_a_persona_in_every_form() -> None:
    slow = "do: [{time_out: {seconds: 5, after: 1}}, {say: a b}]"
    model = persona(f"{{when: {{user_contains: slow}}, {slow}}}", "{do: [{time_out: 3}, {contradict: 'Yes.'}]}")
    async with serve(Host("h", [model], time_scale=2000.0)) as url:
        said = (await chat(url, text="slow")).row
        assert (said["message"]["content"], said["eval_duration"] > 5e9) == ("a b", True)
        formed: Any = (await chat(url, format=closed(answer={"type": "string"}))).row
        assert json.loads(formed["message"]["content"]) == {"answer": "No."}
        assert formed["total_duration"] > 3e9
        v1 = await ask(url, "/v1/chat/completions", {"model": "m", "messages": [user("slow")]})
        assert v1.row["choices"][0]["message"]["content"] == "a b"
