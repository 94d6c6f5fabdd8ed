"""Rules and scripts: what a persona file may say, what is wrong in one, and what a scripted turn may be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmos.rehearsal import Call, Host, Model, PersonaError, Prompt, parse_cast, serve
from mmos.rehearsal.fleet import PERSONAS, host_from
from tests.rehearsal_talk import STRING, Talk, closed, result, tool

RULES = """
models:
  - name: m
    capabilities: [completion, tools, thinking]
    signature: ""
    default: "nothing fits {topic} {unknown}"
    rules:
      - {when: {user_matches: 'my name is (?P<name>\\w+)'}, do: [{think: hm}, {say: "Hello {name}, {query} {name}."}]}
      - {when: {user_contains: [lookup], tools_offered: [find]}, do: {call: {tool: find, arguments: {q: "{query}", n: 2}}}}
      - {when: {user_contains: leak}, do: {leak: {tool: find, arguments: {q: x}, style: tagged}}}
      - {when: {system_contains: pirate, turn: 2}, do: {say: "Arr {turn}"}}
      - {when: {after_results: true, result_contains: gold}, do: {say: "found {result} of {tools}"}}
      - {when: {results: 2, last_role: tool}, do: {say: two}}
      - {when: {user_contains: refuse}, do: refuse}
      - {when: {user_contains: ramble}, do: {ramble: 5}}
      - {when: {user_contains: empty}, do: empty}
      - {when: {user_contains: short}, do: [{say: cut off}, {done_reason: length}]}
      - {when: {format: true}, do: {say: formed}}
      - {when: {user_contains: "sum"}, do: {skill: arithmetic}}
"""


async def test_rules() -> None:
    find = tool("find", q=STRING)
    pirate = {"role": "system", "content": "You are a Pirate."}
    async with serve(Host("h", parse_cast(RULES).models)) as url:
        talk = Talk(url, "m")
        assert await talk("My name is {query}") == {"role": "assistant", "content": "nothing fits My name is {query} {unknown}"}
        met = await talk("my name is Ada", think=True)
        assert met == {"role": "assistant", "content": "Hello Ada, my name is Ada Ada.", "thinking": "hm"}
        assert await talk.calls("lookup cats", tools=[find]) == [("find", {"q": "lookup cats", "n": 2})]
        assert await talk.calls("lookup cats") == []
        assert await talk.text("leak it") == '<tool_call>\n{"name":"find","arguments":{"q":"x"}}\n</tool_call>'
        assert await talk.text(pirate, "a", {"role": "assistant", "content": "b"}, "c") == "Arr 2"
        assert await talk.text(pirate, "a") == "nothing fits a {unknown}"
        assert await talk.text("x", result("find", "GOLD"), tools=[find]) == "found GOLD of find"
        assert await talk.text("x", result("find", "a"), result("find", "b")) == "two"
        assert await talk.text("refuse") == "I am sorry, but I cannot help with that."
        assert len((await talk.text("ramble")).split()) == 5
        assert await talk.text("empty") == ""
        assert json.loads(await talk.text("y", format=closed(answer=STRING))) == {"answer": "formed"}
        assert await talk.text("the sum of 1 + 1 = ?") == "1 + 1 = 2"
        assert await talk.text("the sum") == "nothing fits the sum {unknown}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("models: [{name: m, famly: x}]", "p.yaml: models[0]: unknown key 'famly', did you mean 'family'?; allowed: name, family"),
        ("models: [{family: x}]", "p.yaml: models[0]: a model needs a name"),
        ("models: {name: m}", "p.yaml: models: expected a list, found a mapping"),
        ("models: [{name: m, size: big}]", "p.yaml: models[0].size: expected a whole number, found the text 'big'"),
        ("models: [{name: m, capabilities: [talk]}]", "p.yaml: models[0].capabilities: unknown capability 'talk'; allowed: completion"),
        ("models: [{name: m, speed: {decode: 0}}]", "p.yaml: models[0].speed.decode: expected a number above 0, found 0"),
        ("models: [{name: m, rules: [{do: {sing: x}}]}]", "p.yaml: models[0].rules[0].do[0]: unknown key 'sing'; allowed: say, think"),
        ("models: [{name: m, rules: [{do: {say: x, think: y}}]}]", "do[0]: expected one of say, think, call"),
        ("models: [{name: m, rules: [{when: {user_matches: '('}, do: {say: x}}]}]", "when.user_matches: this is not a regular expression"),
        ("models: [{name: m, rules: [{do: {skill: magic}}]}]", "do[0].skill: unknown skill 'magic'; allowed: arithmetic"),
        ("models: [{name: m, rules: [{do: {time_out: 0}}]}]", "do[0].time_out: expected a number above 0, found 0"),
        ("models: [{name: m, rules: [{do: {time_out: {after: -1}}}]}]", "time_out.after: expected a number of tokens, found -1"),
        ("models: [{name: m, rules: [{do: {time_out: {second: 1}}}]}]", "unknown key 'second', did you mean 'seconds'?"),
        ("models: [{name: m, rules: [{do: {contradict: {of: me}}}]}]", "contradict.of: expected one of itself, result, message"),
        ("models: [{name: m, template: whole-ish}]", "p.yaml: models[0].template: expected one of whole, either, structs, plain"),
        ("host: {vram: 3}", "p.yaml: host: unknown key 'vram', did you mean 'vram_gb'?"),
        ("models: [{name: a, name: b}]", "the key 'name' is here twice"),
        ("models: [!!python/object:os.system {}]", "this is not YAML"),
        ("[]", "expected a mapping with host, models, found a list"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_place(text: str, message: str) -> None:
    with pytest.raises(PersonaError) as error:
        parse_cast(text, where="p.yaml")
    assert message in str(error.value)


async def test_a_script_may_be_a_function_of_what_is_seen() -> None:
    def turn(prompt: Prompt) -> Any:
        return [f"{prompt.number} {prompt.last_role} {prompt.system}", Call("x", {"text": prompt.user_text})]

    async with serve(Host("h", [Model.scripted("m", [turn], repeat=True)])) as url:
        talk = Talk(url, "m")
        message = await talk({"role": "system", "content": "S"}, "one")
        again = await talk("two")
    assert message["content"] == "0 user S"
    assert message["tool_calls"][0]["function"]["arguments"] == {"text": "one"}
    assert again["content"] == "1 user "


def test_the_shipped_personas_name_no_model_twice() -> None:
    names = [model.full_name for path in Path(PERSONAS).glob("*.yaml") for model in host_from(path).models]
    assert len(names) == len(set(names)) == 7


async def test_a_file_may_say_everything_of_a_host_and_its_models() -> None:
    text = """
host: {vram_gb: 8, gpus: [4, 4], parallel: 2, profile: "0.34", max_loaded: 2, max_queue: 3, keep_alive: 60, disk_gbps: 1.5, speed_factor: 2, swap_seconds: 1}
models:
  - name: m
    path: native
    tag: "[CALL]"
    special_escape: true
    think_levels: true
    parameters: {num_ctx: 2048, stop: ["<end>"]}
    blob: shared
    broken: garbage
    rules:
      - when: {user_contains: raw}
        do: [{raw: "[CALL]{}"}, bad_byte, fail]
"""
    cast = parse_cast(text)
    [model] = cast.models
    host = Host("h", cast.models, **cast.host)
    assert (host.version, host.max_queue, host.speed_factor) == ("0.34.4", 3, 2.0)
    assert (model.path, model.tag, model.blob, model.broken) == ("native", "[CALL]", "shared", "garbage")
    assert host.need(model, {}).window == 2048
    assert len(model.rules[0].do) == 3
    with pytest.raises(PersonaError, match=r"host\.profile: expected one of 0\.13, 0\.24, 0\.33, 0\.34"):
        parse_cast('host: {profile: "0.99"}')
    with pytest.raises(PersonaError, match="path: expected one of go-template, native, strict, functiongemma"):
        parse_cast("models: [{name: m, path: other}]")
