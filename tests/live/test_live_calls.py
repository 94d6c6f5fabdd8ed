"""Tool calls, thoughts and forms: what becomes of the words of a model on their way out of the server."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest

from tests.live.cast import scripts, text
from tests.live.peers import Talk
from tests.live.versions import of

CODING, REASONING = "consult_coding_specialist", "consult_reasoning_specialist"
ID = re.compile(r"call_[a-z0-9]{8}")
SCHEMA = {
    "type": "object",
    "properties": {
        "tool": {"type": "string", "enum": [CODING, REASONING, "answer"]},
        "args": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
    },
    "required": ["tool", "args"],
}


def tool(name: str) -> dict[str, Any]:
    parameters = {"type": "object", "required": ["query"], "properties": {"query": {"type": "string", "description": "the question"}}}
    return {"type": "function", "function": {"name": name, "description": "Ask a specialist.", "parameters": parameters}}


TOOLS = [tool(CODING), tool(REASONING)]


@pytest.mark.parametrize("stream", [True, False])
async def test_calls_then_results_then_the_answer(server: Talk, stream: bool) -> None:
    messages: list[dict[str, Any]] = [{"role": "system", "content": "You decide."}, {"role": "user", "content": "Merge."}]
    first = await server.chat("arbiter", messages, tools=TOOLS, stream=stream)
    calls = first.raw_calls
    assert first.calls == [
        (CODING, {"query": "Write a Python function that merges two sorted lists."}),
        (REASONING, {"query": "Which invariant proves the merge correct?"}),
    ]
    assert [call["function"]["index"] for call in calls] == [0, 1]
    assert all(ID.fullmatch(call["id"]) for call in calls)
    assert (first.joined(), first.last["done_reason"]) == ("", "stop")
    assert len(first.lines) == (3 if stream else 1)
    messages += [{"role": "assistant", "content": "", "tool_calls": calls}]
    messages += [{"role": "tool", "tool_name": name, "content": "def merge(a, b): ..."} for name, _ in first.calls]
    second = await server.chat("arbiter", messages, tools=TOOLS, stream=stream)
    assert (second.joined(), second.raw_calls) == (text("arbiter", "final"), [])


@pytest.mark.parametrize(("asked", "script"), [("go", "call"), ("fence", "fence")])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_call_that_is_plain_json_stays_text(server: Talk, asked: str, script: str, stream: bool) -> None:
    said = await server.chat("coder-as-text", asked, tools=TOOLS, stream=stream)
    assert (said.joined(), said.raw_calls) == (text("coder-as-text", script), [])


OUTCOMES: dict[str, tuple[str, list[tuple[str, Any]]]] = {
    "unknown": ("", []),
    "noargs": ("", []),
    "argskey": ("", []),
    "broken": ("", []),
    "empty": ("", []),
    "after": ("", [(CODING, {"query": "then text"})]),
    "before": ("Let me ask a specialist.", [(CODING, {"query": "after text"})]),
    "string": ("", [(CODING, {"query": "in a string"})]),
    "types": ("", [(CODING, {"query": 7, "extra": [1, None]})]),
    "parameters": ("", [(CODING, {"query": "other key"})]),
    "reversed": ("", [(CODING, {"query": "first"})]),
    "twice": ("", [(CODING, {"query": "one"}), (CODING, {"query": "two"})]),
    "mixed": ("", [(CODING, {"query": "bad"})]),
    "prefix": ("", [(CODING, {"query": "longer name"})]),
    "unicode": ("", [(CODING, {"query": 'Grüße "quoted" \\ 完了 \n line'})]),
}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("quirk", OUTCOMES)
async def test_what_becomes_of_odd_calls(server: Talk, quirk: str, stream: bool) -> None:
    said = await server.chat("quirks", quirk, tools=TOOLS, stream=stream)
    assert (said.joined().strip(), said.calls) == OUTCOMES[quirk]
    assert (said.status, said.last["done_reason"]) == (200, "stop")
    assert said.last["eval_count"] > 0


async def test_without_tools_a_call_is_text(server: Talk) -> None:
    said = await server.chat("quirks", "before")
    assert (said.joined(), said.raw_calls) == (scripts("quirks")["before"], [])


@pytest.mark.parametrize("stream", [True, False])
async def test_a_model_with_a_template_of_its_own(server: Talk, stream: bool) -> None:
    said = await server.chat("native", tools=TOOLS, stream=stream)
    status, identity = of("native path", server.line)
    assert said.status == status
    if status != 200:
        assert said.error == "registry.ollama.ai/library/native:latest does not support tools"
        return
    assert said.calls == [(CODING, {"query": "natively"}), (REASONING, {"query": "also natively"})]
    assert said.raw_calls == said.last["message"]["tool_calls"]
    assert all(re.fullmatch(identity, call["id"]) for call in said.raw_calls)


# ---------------------------------------------------------------- thoughts


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("think", [None, True])
async def test_a_thought_comes_apart(server: Talk, think: bool | None, stream: bool) -> None:
    said = await server.chat("thinker", "2+2?", stream=stream, **({} if think is None else {"think": think}))
    assert "four" in said.joined("thinking")
    assert said.joined().strip() == "The answer is 4."


@pytest.mark.parametrize("stream", [True, False])
async def test_thought_then_call(server: Talk, stream: bool) -> None:
    said = await server.chat("thinker", "2+2?", tools=TOOLS, think=True, stream=stream)
    assert "coding specialist" in said.joined("thinking")
    assert said.calls == [(CODING, {"query": "count"})]


async def test_a_call_inside_a_thought_is_none(server: Talk) -> None:
    said = await server.chat("thinker", "inside", tools=TOOLS, think=True)
    assert "inside the thought" in said.joined("thinking")
    assert (said.joined().strip(), said.raw_calls) == ("Nothing more to say.", [])


async def test_a_level_of_thought(server: Talk) -> None:
    said = await server.chat("thinker", "2+2?", think="high", stream=False)
    status, error = of("think level for a yes-or-no thinker", server.line)
    assert said.status == status
    assert error in (said.error if status != 200 else "")


async def test_a_thought_cut_short(server: Talk) -> None:
    said = await server.chat("thinker", "2+2?", think=True, stream=False, options={"num_predict": 3})
    assert (said.joined(), said.data["done_reason"]) == ("", "length")


# ---------------------------------------------------------------- forms


async def test_a_schema_holds_the_answer(server: Talk) -> None:
    said = await server.chat("arbiter", [{"role": "system", "content": "Now ROUTE."}, {"role": "user", "content": "x"}], format=SCHEMA)
    assert json.loads(said.joined()) == {"tool": CODING, "args": {"query": "merge two sorted lists"}}
    assert said.last["done_reason"] == "stop"


async def test_a_schema_wins_over_tools(server: Talk) -> None:
    messages = [{"role": "system", "content": "Now ROUTE."}, {"role": "user", "content": "x"}]
    said = await server.chat("arbiter", messages, tools=TOOLS, format=SCHEMA, options={"num_predict": 200})
    assert json.loads(said.joined())["tool"] == CODING
    assert said.raw_calls == []


async def test_a_schema_holds_whoever_would_say_something_else(server: Talk) -> None:
    form = {"type": "object", "properties": {"which": {"type": "string", "enum": ["a", "b"]}}, "required": ["which"]}
    said = await server.chat("coder", stream=False, format=form, options={"num_predict": 200})
    answer = said.joined()
    if said.data["done_reason"] == "stop":
        assert json.loads(answer)["which"] in ("a", "b")
    else:
        assert answer.lstrip().startswith("{")


@pytest.mark.parametrize("seed", range(4))
async def test_a_schema_holds_even_noise(server: Talk, seed: int) -> None:
    parts = {
        "which": {"type": "string", "enum": ["a", "b"]},
        "number": {"type": "integer", "minimum": 1, "maximum": 9},
        "sure": {"type": "boolean"},
    }
    form = {"type": "object", "properties": parts, "required": list(parts)}
    said = await server.chat("random", stream=False, format=form, options={"seed": seed, "temperature": 1.0, "num_predict": 400})
    assert said.data["done_reason"] == "stop"
    jsonschema.validate(json.loads(said.joined()), form)
