"""What a model would be sent: tools, calls and results in its prompt, by template, path and version."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mmos.rehearsal import Host, parse_cast, serve
from tests.rehearsal_ask import a_model, ask, chat

ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "A <b>.",
        "strict": True,
        "parameters": {
            "type": "object",
            "additionalProperties": False,
            "required": ["a"],
            "properties": {
                "z": {"type": "string", "default": "x", "enum": ["p", "q"]},
                "a": {"type": "object", "properties": {"y": {"type": "string"}, "b": {"type": "integer", "minimum": 1}}, "required": ["b"]},
            },
        },
    },
}
BARE = {"type": "function", "function": {"name": "bare"}}
CALL = {"id": "c1", "function": {"name": "add", "arguments": {"z": 1.0, "a": [True, None]}}}
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "S"},
    {"role": "user", "content": "x"},
    {"role": "assistant", "content": "text", "tool_calls": [CALL]},
    {"role": "tool", "tool_name": "add", "content": "r"},
    {"role": "user", "content": "y"},
]
WRITTEN = '<tool_call>\n{"name": "add", "arguments": {"a":[true,null],"z":1}}\n</tool_call>'


async def shown(model: Any, *, profile: Any = "0.34", messages: Any = TALK, tools: Any = (ADD,), **more: Any) -> str:
    async with serve(Host("h", [model], profile=profile)) as url:
        reply = await chat(url, messages=list(messages), tools=list(tools), _debug_render_only=True, **more)
    assert reply.status == 200, reply.text
    return str(reply.row["_debug_info"]["rendered_template"])


async def test_only_the_prompt_comes_and_no_turn_is_played() -> None:
    host = Host("h", [a_model("m", "first", "second")])
    async with serve(host) as url:
        told = await chat(url, text="<hi>", _debug_render_only=True, stream=True)
        assert (told.status, told.kind, len(told.rows)) == (200, "application/json; charset=utf-8", 1)
        assert told.row.keys() == {"model", "created_at", "message", "done", "_debug_info"}
        assert (told.row["message"], told.row["done"]) == ({"role": "", "content": ""}, False)
        assert told.row["_debug_info"] == {"rendered_template": "<|im_start|>user\n<hi><|im_end|>\n<|im_start|>assistant\n"}
        assert host.loads == 1
        assert (await chat(url)).content == "first"


@pytest.mark.parametrize(
    ("body", "prompt"),
    [
        ({"prompt": "p", "system": "s"}, "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\np<|im_end|>\n<|im_start|>assistant\n"),
        ({"prompt": "p", "raw": True}, "p"),
        ({"prompt": "p", "system": "s", "template": "[{{ .System }}|{{- .Prompt -}}]{{ .Response }}end"}, "[s|p]"),
        ({"prompt": "p", "images": ["aGk=", "aGk="]}, "<|im_start|>user\n[img-0][img-1]p<|im_end|>\n<|im_start|>assistant\n"),
    ],
    ids=["system", "raw", "template", "images"],
)
async def test_a_generation_shows_its_prompt_too(body: dict[str, Any], prompt: str) -> None:
    async with serve(Host("h", [a_model(capabilities=["completion"])])) as url:
        reply = await ask(url, "/api/generate", {"model": "m", "_debug_render_only": True, **body})
    assert reply.row["_debug_info"]["rendered_template"] == prompt
    assert reply.row["_debug_info"].get("image_count", 0) == len(body.get("images", ()))
    assert (reply.row["response"], reply.row["done"]) == ("", False)


async def test_under_v1_it_stands_in_a_completion() -> None:
    async with serve(Host("h", [a_model()])) as url:
        body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "_debug_render_only": True}
        reply = (await ask(url, "/v1/chat/completions", body)).row
    assert reply["_debug_info"]["rendered_template"].startswith("<|im_start|>user\nx")
    assert reply["choices"] == [{"index": 0, "message": {"role": "", "content": ""}, "finish_reason": None}]


async def test_what_is_refused_is_refused_here_too() -> None:
    async with serve(Host("h", [a_model(capabilities=["completion"])])) as url:
        assert (await chat(url, tools=[ADD], _debug_render_only=True)).error.endswith("does not support tools")
        assert (await chat(url, _debug_render_only="yes")).error.endswith("_debug_render_only of type bool")
        broken = await ask(url, "/api/generate", {"model": "m", "prompt": "p", "template": "{{ .Prompt ", "_debug_render_only": True})
        assert (broken.status, broken.error) == (500, "template: :1: unclosed action")
        mixed = await ask(url, "/api/generate", {"model": "m", "prompt": "p", "raw": True, "system": "s"})
        assert (mixed.status, mixed.error) == (400, "raw mode does not support template, system, or context")


async def test_a_chat_knows_no_raw_prompt_and_no_template() -> None:
    assert "<|im_start|>user\nx" in await shown(a_model(), messages=[{"role": "user", "content": "x"}], tools=(), raw=True, template="T")


# ---------------------------------------------------------------- tools and calls


async def test_a_whole_template_writes_tools_calls_and_results() -> None:
    text = await shown(a_model())
    head, _, turns = text.partition("<|im_end|>\n")
    assert head.startswith(
        '<|im_start|>system\nS\n\n# Tools\n{"type":"function","function":{"name":"add","description":"A \\u003cb\\u003e."'
    )
    assert turns == (
        f"<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\ntext{WRITTEN}<|im_end|>\n<|im_start|>tool\nr<|im_end|>\n"
        "<|im_start|>user\ny<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.parametrize(
    ("profile", "nested", "bare"),
    [
        ("0.13", {"type": "object", "properties": {"b": {"type": "integer"}, "y": {"type": "string"}}}, {"name": "bare"}),
        (
            "0.34",
            {"type": "object", "properties": {"y": {"type": "string"}, "b": {"type": "integer"}}, "required": ["b"]},
            {"name": "bare", "description": ""},
        ),
    ],
)
async def test_what_is_left_of_a_tool(profile: Any, nested: dict[str, Any], bare: dict[str, Any]) -> None:
    text = await shown(a_model(), profile=profile, messages=[{"role": "user", "content": "x"}], tools=[ADD, BARE])
    first, second = (json.loads(line) for line in text.splitlines() if line.startswith("{"))
    wanted = {"a": nested, "z": {"type": "string", "enum": ["p", "q"]}}
    parameters = {"type": "object", "required": ["a"], "properties": wanted}
    assert json.dumps(first["function"]["parameters"]) == json.dumps(parameters)
    assert second["function"] == {**bare, "parameters": {"type": "", "properties": None}}


async def test_templates_that_lose_calls_or_print_structs() -> None:
    silent = [{**message, "content": "" if "tool_calls" in message else message["content"]} for message in TALK]
    for kind in ("either", "structs"):
        assert WRITTEN not in await shown(a_model(template=kind))
        assert WRITTEN in await shown(a_model(template=kind), messages=silent)
    assert "# Tools" not in await shown(a_model(template="plain"))
    assert "<nil>" not in await shown(a_model(template="structs"), profile="0.13")
    deep = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "$defs": {"d": ["x", True, {"k": None}]}}}}
    text = await shown(a_model(template="structs"), tools=[ADD, deep])
    assert '{"type": "function", "function": {add A <b>. {object <nil> <nil> [a] {"a":{' in text
    assert "{f  {object map[d:[x true map[k:<nil>]]] <nil> [] {}}}" in text


async def test_a_model_without_tools_shows_neither_tools_nor_calls() -> None:
    text = await shown(a_model(capabilities=["completion"]), tools=())
    assert text.count("<|im_start|>") == 6
    assert "<|im_start|>assistant\ntext<|im_end|>\n<|im_start|>tool\nr<|im_end|>" in text


async def test_the_native_path_writes_json_with_spaces_and_the_old_line_has_none() -> None:
    assert '{"name": "add", "arguments": {"a": [true, null], "z": 1}}' in await shown(a_model(path="native"))
    assert await shown(a_model(path="native"), profile="0.13", tools=()) == "xtexty"


async def test_thoughts_and_neighbours_of_one_role() -> None:
    talk = [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "c", "thinking": "hm", "tool_calls": [CALL]},
        {"role": "assistant", "content": "d", "tool_calls": [CALL, CALL]},
        {"role": "tool", "content": "r"},
        {"role": "tool", "content": "s"},
    ]
    text = await shown(a_model(capabilities=["completion", "tools", "thinking"]), messages=talk, tools=())
    turns = ["user\na\n\nb", f"assistant\n<think>hm</think>\nc\n\nd{WRITTEN}", "tool\nr", "tool\ns"]
    assert text == "".join(f"<|im_start|>{turn}<|im_end|>\n" for turn in turns) + "<|im_start|>assistant\n"


async def test_functiongemma_in_its_own_words() -> None:
    talk = [*TALK[:4], {"role": "tool", "content": "more"}, TALK[4]]
    text = await shown(a_model(path="functiongemma"), messages=talk, tools=[ADD, BARE])
    declared = (
        "declaration:add{description:<escape>A <b>.<escape>,parameters:{properties:{a:{description:<escape><escape>,type:<escape>OBJECT<escape>},"
        "z:{description:<escape><escape>,type:<escape>STRING<escape>}},required:[<escape>a<escape>],type:<escape>OBJECT<escape>}}"
    )
    bare = "declaration:bare{description:<escape><escape>}"
    tools = "".join(f"<start_function_declaration>{one}<end_function_declaration>" for one in (declared, bare))
    assert text == (
        f"<bos><start_of_turn>developer\nS\nYou can do function calling with the following functions:{tools}<end_of_turn>\n"
        "<start_of_turn>user\nx<end_of_turn>\n<start_of_turn>model\ntext<start_function_call>call:add{a:[true,<nil>],z:1}<end_function_call>"
        "<start_function_response>response:add{<escape>r<escape>}<end_function_response>"
        "<start_function_response>response:{<escape>more<escape>}<end_function_response>y<end_of_turn>\n<start_of_turn>model\n"
    )


async def test_old_messages_are_dropped_and_the_last_is_left_whole() -> None:
    talk = [{"role": "system", "content": "S"}, *({"role": ["user", "assistant"][n % 2], "content": f"{n} " * 60} for n in range(5))]
    window = {"num_ctx": 160}
    text = await shown(a_model(), messages=talk, tools=(), options=window)
    assert [part in text for part in ("S", "0 0", "2 2", "4 4")] == [True, False, False, True]
    assert "0 0" in await shown(a_model(), messages=talk, tools=(), options=window, truncate=False)
    long = await shown(a_model(), messages=[{"role": "user", "content": "w " * 500}], tools=(), options=window)
    assert long.count("w ") == 500


async def test_show_tells_the_template_that_is_used() -> None:
    [model] = parse_cast("models: [{name: m, template: structs, capabilities: [completion, tools]}]").models
    async with serve(Host("h", [model, a_model("plain", capabilities=["completion"])])) as url:
        told = (await ask(url, "/api/show", {"model": "m"})).row["template"]
        plain = (await ask(url, "/api/show", {"model": "plain"})).row["template"]
    assert "{{ .Function }}" in told
    assert "{{ else if .ToolCalls }}" in told
    assert ".Tools" not in plain
