"""What becomes of the calls that a model writes: four paths, each with its own way to lose them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mmos.rehearsal import Host, Raw, serve
from tests.rehearsal_ask import Reply, a_model, chat, tools

GOOD = '<tool_call>\n{"name": "look", "arguments": {"query": "x"}}\n</tool_call>'
UNKNOWN = '<tool_call>\n{"name": "nothing", "arguments": {"query": "y"}}\n</tool_call>'
NO_ARGUMENTS = '<tool_call>\n{"name": "look"}\n</tool_call>'
OPEN = '<tool_call>\n{"name": "look", "arguments": {"query": "never'
CUT = 'llama-server returned invalid tool call arguments for "look": unexpected end of JSON input'


async def says(
    text: str, path: str, *, profile: Any = "0.33", offered: Any = ("look", "look_up"), stream: bool = True, **more: Any
) -> Reply:
    card = {name: more.pop(name) for name in ("special_escape", "capabilities", "tag") if name in more}
    async with serve(Host("h", [a_model("m", Raw(text), path=path, **card)], profile=profile)) as url:
        return await chat(url, tools=tools(*offered), stream=stream, **more)


def look(query: Any = "x", **more: Any) -> tuple[str, dict[str, Any]]:
    return "look", {"query": query, **more}


@pytest.mark.parametrize(
    ("text", "calls", "content"),
    [
        (GOOD, [look()], ""),
        ("Let me see. " + GOOD, [look()], "Let me see. "),
        (GOOD + "\nand so on", [look()], ""),
        (GOOD + GOOD.replace('"x"', '"z"'), [look(), look("z")], ""),
        (UNKNOWN, [], ""),
        (NO_ARGUMENTS, [], ""),
        (GOOD.replace("arguments", "args"), [], ""),
        (OPEN, [], ""),
        (UNKNOWN + GOOD, [look("y")], ""),
        (GOOD.replace('"look"', '"look_up"'), [("look_up", {"query": "x"})], ""),
        (GOOD.replace('"look"', '"look_up_now"'), [("look_up", {"query": "x"})], ""),
        (GOOD.replace("arguments", "parameters"), [look()], ""),
        ('<tool_call>{"arguments": {"query": "x"}, "name": "look"}</tool_call>', [look()], ""),
        ('<tool_call>{"name": "look", "arguments": "{\\"query\\": \\"x\\"}"}</tool_call>', [look()], ""),
        ('<tool_call>{"name": "look", "arguments": {"query": 7, "extra": [1, null]}}</tool_call>', [look(7, extra=[1, None])], ""),
        ('{"name": "look", "arguments": {}}', [], '{"name": "look", "arguments": {}}'),
        ("```json\n{}\n```", [], "```json\n{}\n```"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_go_template_swallows_what_it_does_not_understand(
    text: str, calls: list[tuple[str, dict[str, Any]]], content: str, stream: bool
) -> None:
    reply = await says(text, "go-template", stream=stream)
    assert (reply.calls, reply.content) == (calls, content)
    assert (reply.row["done_reason"], reply.row["eval_count"] > 2) == ("stop", True)
    if stream:
        assert reply.row["message"] == {"role": "assistant", "content": ""}


async def test_without_a_tag_only_an_answer_that_begins_with_a_call_is_one() -> None:
    call = '{"name": "look", "arguments": {"query": "x"}}'
    assert (await says(call, "go-template", tag="{")).calls == [look()]
    assert (await says(f"Well: {call}", "go-template", tag="{")).calls == []


async def test_a_call_cut_by_a_limit_is_swallowed_too() -> None:
    reply = await says(GOOD, "go-template", options={"num_predict": 4})
    assert (reply.calls, reply.content, reply.row["done_reason"], reply.row["eval_count"]) == ([], "", "length", 4)


@pytest.mark.parametrize("path", ["go-template", "native", "strict"])
async def test_where_no_tools_are_offered_everything_is_text(path: str) -> None:
    assert (await says(GOOD, path, offered=())).content == GOOD


@pytest.mark.parametrize("stream", [True, False])
async def test_native_calls_come_with_the_end(stream: bool) -> None:
    reply = await says("Let me see. " + GOOD + GOOD + " and so on", "native", stream=stream)
    assert (reply.calls, reply.content) == ([look(), look()], "Let me see. ")
    calls = reply.row["message"]["tool_calls"]
    assert reply.row["done"]
    assert [call["function"]["index"] for call in calls] == [0, 1]
    assert all(re.fullmatch(r"[A-Za-z0-9]{32}", call["id"]) for call in calls)


@pytest.mark.parametrize(
    ("text", "call"),
    [
        (UNKNOWN, look("y")),
        (GOOD.replace('"look"', '"look_up_now"'), ("look_up", {"query": "x"})),
        (NO_ARGUMENTS, look("")),
        (GOOD.replace("arguments", "args"), look("")),
    ],
)
async def test_a_grammar_bends_calls_to_what_is_offered(text: str, call: tuple[str, dict[str, Any]]) -> None:
    assert (await says(text, "native")).calls == [call]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("text", "limit"), [(OPEN, None), (OPEN, 20), (GOOD, 3)])
async def test_a_native_call_that_never_ends_is_an_error(text: str, limit: int | None, stream: bool) -> None:
    reply = await says(text, "native", stream=stream, options={"num_predict": limit})
    assert (reply.status, reply.error) == (500, CUT)


async def test_an_old_host_has_no_native_path() -> None:
    reply = await says(GOOD, "native", profile="0.13")
    assert (reply.status, reply.error) == (400, "registry.ollama.ai/library/m:latest does not support tools")


@pytest.mark.parametrize(("text", "error"), [(OPEN, "unexpected end of JSON input"), (GOOD.replace("{", "[", 1), "invalid character")])
async def test_a_strict_parser_fails_hard(text: str, error: str) -> None:
    at_once = await says(text, "strict")
    midway = await says("Well. " + text, "strict")
    whole = await says(text, "strict", stream=False)
    assert (at_once.status, midway.status, whole.status) == (500, 200, 500)
    assert all(reply.error.startswith(error) for reply in (at_once, midway, whole))
    assert midway.rows[0]["message"]["content"] == "Well."


async def test_a_strict_parser_passes_what_it_can_read() -> None:
    reply = await says("Well. " + UNKNOWN + " Done.", "strict")
    assert (reply.calls, reply.content) == ([("nothing", {"query": "y"})], "Well.  Done.")
    assert re.fullmatch(r"call_[a-z0-9]{8}", reply.rows[2]["message"]["tool_calls"][0]["id"])


def function(arguments: str, name: str = "look") -> str:
    return f"<start_function_call>call:{name}{{{arguments}}}<end_function_call>"


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        (function("query:<escape>a, b: c<escape>,n:3,b:true"), [look("a, b: c", n=3, b=True)]),
        (function("l:[1,<escape>x, y<escape>],o:{x:1}"), [("look", {"l": [1, "x, y"], "o": {"x": 1}})]),
        (function("at:2024-01-15,n:12abc,f:1.5,s:plain"), [("look", {"at": 2024, "n": 12, "f": 1.5, "s": "plain"})]),
        (function("", "nothing"), [("nothing", {})]),
        (function("n:1") + function("n:2"), [("look", {"n": 1}), ("look", {"n": 2})]),
        (function("q:<escape>two\nlines<escape>"), [("", {})]),
        ("<start_function_call>look<end_function_call>", [("", {})]),
        ("<start_function_call>call:look{n:1", []),
    ],
)
@pytest.mark.parametrize("offered", [("look",), ()])
async def test_functiongemma(text: str, calls: list[tuple[str, dict[str, Any]]], offered: tuple[str, ...]) -> None:
    reply = await says(text, "functiongemma", offered=offered)
    assert (reply.calls, reply.content) == (calls, "")


@pytest.mark.parametrize(
    ("profile", "arguments"),
    [("0.13", {"query": "merge, two: lists"}), ("0.33", {"query": "merge", " two": " lists<escape>"})],
)
async def test_an_engine_may_lose_escapes(profile: str, arguments: dict[str, Any]) -> None:
    text = function("query:<escape>merge, two: lists<escape>")
    assert (await says(text, "functiongemma", profile=profile, special_escape=True)).calls == [("look", arguments)]


async def test_a_call_within_a_thought_is_thought_and_without_thinking_it_is_found() -> None:
    text = f"<think>\nI would {GOOD}\n</think>\nNo."
    thinking: dict[str, Any] = {"capabilities": ["completion", "tools", "thinking"], "stream": False}
    thought = await says(text, "go-template", **thinking)
    assert (thought.calls, thought.content) == ([], "No.")
    assert "look" in thought.row["message"]["thinking"]
    found = await says(text, "go-template", think=False, **thinking)
    assert (found.calls, found.content) == ([look()], "<think>\nI would ")
