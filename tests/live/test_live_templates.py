"""What a model would be sent, sign by sign: tools, calls, results and what templates lose of them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.live.peers import Talk
from tests.live.versions import of

START = re.compile(r"<\|\w+\|>\Z")
"""The last token of a real prompt says which script is spoken; rehearsed models need none."""
TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds <two> & more.",
        "strict": True,
        "parameters": {
            "type": "object",
            "title": "Sum",
            "$defs": {"d": {"type": "string", "deep": [1.0, True, None]}},
            "required": ["z", "a"],
            "properties": {
                "z": {"type": ["string", "null"], "default": "x", "enum": ["p", "q"], "pattern": "^p"},
                "a": {"type": "array", "items": {"type": "object", "properties": {"k": {"minimum": 1, "type": "integer"}}}},
                "o": {
                    "type": "object",
                    "description": "d",
                    "properties": {"y": {"type": "string"}, "b": {"type": "number"}},
                    "required": ["b"],
                },
                "u": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                "e": {"$ref": "#/$defs/d"},
            },
        },
    },
}
BARE = {"type": "function", "function": {"name": "bare"}}
CALL = {"id": "c1", "function": {"name": "add", "arguments": {"z": 1.0, "a": "<é>", "f": [1, {"q": None}]}}}
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "S"},
    {"role": "user", "content": "x"},
    {"role": "user", "content": "and y"},
    {"role": "assistant", "content": "text", "tool_calls": [CALL, {"function": {"name": "bare", "arguments": {}}}]},
    {"role": "tool", "tool_name": "add", "content": "r"},
    {"role": "tool", "content": "s"},
    {"role": "user", "content": "z"},
]
DEFS = '{"d":{"deep":[1,true,null],"type":"string"}}'
PROPERTIES = (
    '{"a":{"type":"array","items":{"properties":{"k":{"minimum":1,"type":"integer"}},"type":"object"}},"e":{},"o":NESTED,'
    '"u":{"anyOf":[{"type":"string"},{"type":"integer"}]},"z":{"type":["string","null"],"enum":["p","q"]}}'
)
"""What is left of the properties, in the server's order."""
WRITTEN = '<tool_call>\n{"name": "add", "arguments": {"a":"\\u003cé\\u003e","f":[1,{"q":null}],"z":1}}\n</tool_call>'
END = "<|im_end|>\n"


def turn(role: str, content: str) -> str:
    return f"<|im_start|>{role}\n{content}{END}"


async def shown(server: Talk, model: str, messages: Any, **more: Any) -> str:
    said = await server.chat(model, messages, _debug_render_only=True, **more)
    assert said.status == 200, said.text
    return START.sub("", said.data["_debug_info"]["rendered_template"])


def functions(line: str) -> list[str]:
    """Both tools as JSON."""
    properties = PROPERTIES.replace("NESTED", of("nested object in a prompt", line))
    parameters = f'{{"type":"object","$defs":{DEFS},"required":["z","a"],"properties":{properties}}}'
    added = f'{{"name":"add","description":"Adds \\u003ctwo\\u003e \\u0026 more.","parameters":{parameters}}}'
    return [added, of("bare tool in a prompt", line)]


def structs(line: str) -> list[str]:
    """Both as Go prints structs."""
    properties = PROPERTIES.replace("NESTED", of("nested object in a prompt", line))
    defs = "map[d:map[deep:[1 true <nil>] type:string]]"
    return [f"{{add Adds <two> & more. {{object {defs} <nil> [z a] {properties}}}}}", "{bare  { <nil> <nil> [] {}}}"]


async def test_a_prompt_comes_whole_and_nothing_is_said(server: Talk) -> None:
    said = await server.chat("coder", "x", _debug_render_only=True)
    assert (said.status, said.kind) == (200, "application/json; charset=utf-8")
    assert list(said.data) == ["model", "created_at", "message", "done", "_debug_info"]
    assert (said.data["message"], said.data["done"]) == ({"role": "", "content": ""}, False)
    assert said.data["_debug_info"] == {"rendered_template": turn("user", "x") + "<|im_start|>assistant\n"}


async def test_a_template_with_tools_calls_and_results(server: Talk) -> None:
    text = await shown(server, "arbiter", TALK, tools=[TOOL, BARE])
    head, _, rest = text.partition(END)
    assert head.splitlines()[:4] == ["<|im_start|>system", "S", "", "# Tools"]
    assert head.splitlines()[4:] == [f'{{"type":"function","function":{one}}}' for one in functions(server.line)]
    bare = '<tool_call>\n{"name": "bare", "arguments": {}}\n</tool_call>'
    turns = [("user", "x\n\nand y"), ("assistant", f"text{WRITTEN}{bare}"), ("tool", "r"), ("tool", "s"), ("user", "z")]
    assert rest == "".join(turn(*one) for one in turns) + "<|im_start|>assistant\n"


async def test_a_template_that_prints_structs_and_loses_calls(server: Talk) -> None:
    text = await shown(server, "structs", TALK, tools=[TOOL, BARE])
    told = structs(server.line) if of("tools as structs", server.line) else functions(server.line)
    assert text.split(END)[0].splitlines()[4:] == [f'{{"type": "function", "function": {one}}}' for one in told]
    assert WRITTEN not in text
    silent = [{**message, "content": "" if "tool_calls" in message else message["content"]} for message in TALK]
    assert WRITTEN in await shown(server, "structs", silent)


async def test_a_template_without_tools(server: Talk) -> None:
    text = await shown(server, "coder", TALK)
    turns = [("system", "S"), ("user", "x\n\nand y"), ("assistant", "text"), ("tool", "r"), ("tool", "s"), ("user", "z")]
    assert text == "".join(turn(*one) for one in turns) + "<|im_start|>assistant\n"
    refused = await server.chat("coder", TALK, tools=[BARE], _debug_render_only=True)
    assert (refused.status, refused.error) == (400, "registry.ollama.ai/library/coder:latest does not support tools")


async def test_a_thought_in_the_history(server: Talk) -> None:
    history = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "so", "thinking": "hm"}, {"role": "user", "content": "y"}]
    assert turn("assistant", "<think>hm</think>\nso") in await shown(server, "thinker", history)


@pytest.mark.parametrize(
    ("body", "prompt"),
    [
        ({"prompt": "p", "system": "s"}, turn("system", "s") + turn("user", "p") + "<|im_start|>assistant\n"),
        ({"prompt": "p", "raw": True}, "p"),
        ({"prompt": "p", "system": "s", "template": "[{{ .System }}|{{ .Prompt }}]{{ .Response }}end"}, "[s|p]"),
        ({"prompt": "p", "images": ["aGk="]}, turn("user", "[img-0]p") + "<|im_start|>assistant\n"),
    ],
    ids=["system", "raw", "template", "image"],
)
async def test_a_prompt_of_generate(server: Talk, body: dict[str, Any], prompt: str) -> None:
    said = await server.ask("/api/generate", {"model": "coder", "_debug_render_only": True, **body})
    images = {"image_count": len(body["images"])} if "images" in body else {}
    assert said.data["_debug_info"] == {"rendered_template": prompt, **images}
    assert (said.data["response"], said.data["done"]) == ("", False)


async def test_a_prompt_under_v1(server: Talk) -> None:
    body = {"model": "coder", "messages": [{"role": "user", "content": "x"}], "_debug_render_only": True}
    said = (await server.ask("/v1/chat/completions", body)).data
    assert said["_debug_info"]["rendered_template"].startswith(turn("user", "x"))
    assert said["choices"] == [{"index": 0, "message": {"role": "", "content": ""}, "finish_reason": None}]


async def test_old_messages_leave_a_prompt_first_and_the_last_stays_whole(server: Talk) -> None:
    long = [{"role": "system", "content": "S"}, *({"role": ["user", "assistant"][n % 2], "content": f"{n} " * 300} for n in range(9))]
    text = await shown(server, "coder", long, options={"num_ctx": 512})
    assert ("S" in text, "0 0" in text, text.count("8 ")) == (True, False, 300)
    assert "0 0" in await shown(server, "coder", long, options={"num_ctx": 512}, truncate=False)
