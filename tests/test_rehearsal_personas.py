"""What personas do: tools asked for by name, skills, the arbiter's habits, schema mode."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from mmos.rehearsal import Call, Host, Model, serve
from mmos.rehearsal.fleet import PERSONAS, host_from
from tests.rehearsal_talk import STRING, Talk, closed, result, tool, user

CONSULT = [tool(f"consult_{role}_specialist", ["query"], query=STRING, context=STRING) for role in ("coding", "reasoning", "analysis")]
READ = tool("read_file", path=STRING)


@pytest.fixture
async def talk() -> Any:
    async with serve(host_from(PERSONAS / "ollama01.yaml", time_scale=None)) as url:
        yield Talk(url, "qwen2.5:14b")


@pytest.fixture
async def small() -> Any:
    """A model without tools: what it is to do comes as a schema."""
    async with serve(host_from(PERSONAS / "ollama01.yaml", time_scale=None)) as url:
        yield Talk(url, "gemma3:4b")


@pytest.fixture
async def big() -> Any:
    async with serve(host_from(PERSONAS / "ollama02.yaml", time_scale=None)) as url:
        yield lambda model: Talk(url, model)


# ---------------------------------------------------------------- tools asked for by name


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("use read_file with path=README.md", {"path": "README.md"}),
        ("Please call read_file, path: docs/start.md.", {"path": "docs/start.md"}),
        ('read_file {"path": "a b.txt"}', {"path": "a b.txt"}),
        ('run read_file(path="x y", lines=3)', {"path": "x y"}),
        ("read_file now", {"path": "read_file now"}),
        ("Read the file src/main.c of version 1.5 with read_file.", {"path": "src/main.c"}),
    ],
)
async def test_a_named_tool_is_called(talk: Talk, text: str, arguments: dict[str, Any]) -> None:
    assert await talk.calls(text, tools=[*CONSULT, READ]) == [("read_file", arguments)]


async def test_every_type_of_argument_is_filled(talk: Talk) -> None:
    many = tool(
        "plan",
        ["what", "days", "share", "kind", "dry", "names", "more", "unit"],
        what=STRING,
        days={"type": "integer"},
        share={"type": "number"},
        kind={"type": "string", "enum": ["quick", "Deep"]},
        dry={"type": "boolean"},
        names={"type": "array", "items": STRING},
        more={"type": "object", "properties": {"a": {"type": "integer", "minimum": 3}}, "required": ["a"]},
        unit={"type": "string", "enum": ["km", "mi"]},
        optional=STRING,
    )
    text = "Use plan for 12 days and a share of 0.5, deep."
    [(_, arguments)] = await talk.calls(text, tools=[many])
    wanted = {"what": text, "days": 12, "share": 0.5, "kind": "Deep", "dry": True, "names": [text], "more": {"a": 3}, "unit": "km"}
    assert arguments == wanted
    jsonschema.validate(arguments, many["function"]["parameters"])


async def test_written_arguments_take_the_type_asked_for(talk: Talk) -> None:
    grep = tool("grep", [], n={"type": "integer"}, x={"type": "number"}, deep={"type": "boolean"}, names={"type": "array", "items": STRING})
    calls = await talk.calls('grep n=3, x: 1.5, deep=false, names=["a", "b"]', tools=[grep])
    assert calls == [("grep", {"n": 3, "x": 1.5, "deep": False, "names": ["a", "b"]})]


async def test_several_are_called_in_their_order_and_each_with_its_own(talk: Talk) -> None:
    text = 'call read_file path=a.md, then consult_coding_specialist {"query": "q"} and read_file path=b.md'
    wanted = [("read_file", {"path": "a.md"}), ("consult_coding_specialist", {"query": "q"}), ("read_file", {"path": "b.md"})]
    assert await talk.calls(text, tools=[*CONSULT, READ]) == wanted


async def test_a_tool_that_is_not_offered_or_not_wanted_is_not_called(talk: Talk) -> None:
    assert await talk.calls("use write_file with path=x", tools=[READ]) == []
    assert await talk.calls("do not use read_file", tools=[READ]) == []
    assert await talk.calls("use read_files", tools=[READ]) == []


async def test_results_come_back_word_for_word(talk: Talk) -> None:
    asked = [user("use read_file path=a and read_file path=b")]
    first = await talk(*asked, tools=[READ])
    told = [result("read_file", "alpha\n  <beta> {x}"), result("read_file", "gamma")]
    text = await talk.text(*asked, first, *told, tools=[READ, *CONSULT])
    assert "alpha\n  <beta> {x}" in text
    assert "gamma" in text
    assert text.endswith("(rehearsed)")


async def test_only_the_newest_message_asks(talk: Talk) -> None:
    history = [user("use read_file path=a"), {"role": "assistant", "content": "done"}, user("thanks")]
    assert await talk.calls(*history, tools=[READ]) == []


# ---------------------------------------------------------------- the arbiter


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("Write a Python function that merges two sorted lists", ["coding", "reasoning"]),
        ("Why is the sky blue? Compare two theories.", ["reasoning", "coding"]),
        ("Summarise this data and count the trends, then write code", ["analysis", "coding"]),
        ("Hello", ["coding", "reasoning"]),
    ],
)
async def test_two_fitting_specialists_are_consulted_at_once(talk: Talk, text: str, roles: list[str]) -> None:
    calls = await talk.calls(text, tools=CONSULT)
    assert [name for name, _ in calls] == [f"consult_{role}_specialist" for role in roles]
    assert all(text in arguments["query"] for _, arguments in calls)


async def test_only_offered_ones_and_any_role_of_the_user(talk: Talk) -> None:
    offered = [tool("consult_legal_specialist", query=STRING), tool("consult_interpreter_specialist", query=STRING)]
    assert [name for name, _ in await talk.calls("Hello", tools=offered[:1])] == ["consult_legal_specialist"]
    assert (await talk.calls("Ask legal", tools=[*CONSULT, *offered]))[0][0] == "consult_legal_specialist"


async def test_the_one_tool_for_all_specialists(talk: Talk) -> None:
    one = tool("consult_specialist", ["specialist", "query"], specialist={"type": "string", "enum": ["analysis", "coding"]}, query=STRING)
    calls = await talk.calls("Write code", tools=[one])
    assert [arguments["specialist"] for _, arguments in calls] == ["coding", "analysis"]


async def test_what_they_say_is_combined_under_their_names(talk: Talk) -> None:
    asked = [user("Write code"), await talk("Write code", tools=CONSULT)]
    told = [
        result("consult_coding_specialist", json.dumps({"success": True, "response": "line one\nline two", "reasoning": ""})),
        result("consult_reasoning_specialist", json.dumps({"success": True, "response": "digest", "whole": "artifact:9f"})),
    ]
    text = await talk.text(*asked, *told, tools=CONSULT)
    assert "The coding specialist says:\nline one\nline two" in text
    assert "The reasoning specialist says:\ndigest\nartifact:9f" in text


async def test_an_error_is_not_answered_with_the_same_call(talk: Talk) -> None:
    asked = [user("Write code"), await talk("Write code", tools=CONSULT)]
    told = [
        result("consult_coding_specialist", "Error: no such tool; there are: read_file"),
        result("consult_reasoning_specialist", "fine"),
    ]
    text = await talk.text(*asked, *told, tools=CONSULT)
    assert "could not help:\nError: no such tool" in text
    assert "fine" in text
    again = [
        user("Write code"),
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "consult_coding_specialist", "arguments": {}}}]},
    ]
    assert await talk.calls(*again, result("", "Error: gone"), tools=CONSULT) == []


async def test_the_user_is_asked_where_the_text_says_so(talk: Talk) -> None:
    kinds = {"type": "string", "enum": ["text", "choice"]}
    escalate = tool("escalate_to_user", ["question"], question=STRING, options={"type": "array", "items": STRING}, kind=kinds)
    asked = user("Write the code, but ask me: Python or Rust?")
    [(name, arguments)] = await talk.calls(asked, tools=[*CONSULT, escalate])
    assert (name, arguments["options"], arguments["kind"]) == ("escalate_to_user", ["Python", "Rust"], "choice")
    calls = await talk.calls(asked, await talk(asked, tools=[escalate]), result("escalate_to_user", "Rust"), tools=[*CONSULT, escalate])
    assert len(calls) == 2
    assert "The user was asked and said: Rust" in calls[0][1]["query"]
    assert await talk.calls("Write the code", tools=[escalate]) == []


# ---------------------------------------------------------------- schema mode


def call_of(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return closed(tool={"type": "string", "enum": [name]}, arguments=arguments)


QUERY = closed(query=STRING)
CODING, REASONING = (call_of(f"consult_{role}_specialist", QUERY) for role in ("coding", "reasoning"))
MANY = {"anyOf": [closed(calls={"type": "array", "items": {"anyOf": [CODING, REASONING]}, "minItems": 1}), closed(answer=STRING)]}
ONE = {"oneOf": [CODING, REASONING, closed(answer=STRING)]}
CHOICE = closed(tool={"enum": ["consult_coding_specialist", "consult_reasoning_specialist", "answer"]}, args=QUERY)
SHARED = {"$defs": {"reply": closed(answer=STRING), "call": CODING}, "anyOf": [{"$ref": "#/$defs/call"}, {"$ref": "#/$defs/reply"}]}


async def answered(talk: Talk, schema: Any, *messages: Any) -> Any:
    value = json.loads(await talk.text(*messages, format=schema))
    if schema != "json":
        jsonschema.validate(value, schema)
    return value


@pytest.mark.parametrize("schema", [MANY, ONE, CHOICE, SHARED], ids=["many", "one", "choice", "shared"])
async def test_in_schema_mode_it_consults_then_answers(small: Talk, schema: Any) -> None:
    history = [user("Write code that merges two lists")]
    names: list[str] = []
    for _ in range(3):
        value = await answered(small, schema, *history)
        rows = value.get("calls", [value])
        if not str(rows[0].get("tool", "")).startswith("consult"):
            break
        names += [row["tool"] for row in rows]
        history.append({"role": "assistant", "content": json.dumps(value)})
        history += [user(f"Result of {row['tool']}:\nword from {row['tool']}") for row in rows]
    assert names == ["consult_coding_specialist", "consult_reasoning_specialist"][: 1 if schema is SHARED else 2]
    text = value["args"]["query"] if schema is CHOICE else value["answer"]
    assert all(f"word from {name}" in text for name in names)


async def test_in_schema_mode_named_tools_are_called(small: Talk) -> None:
    arguments = closed(path=STRING, lines={"type": "integer"})
    schema = {"anyOf": [closed(calls={"type": "array", "items": call_of("read_file", arguments)}), closed(answer=STRING)]}
    value = await answered(small, schema, "use read_file path=a.md and show 20 lines")
    assert value == {"calls": [{"tool": "read_file", "arguments": {"path": "a.md", "lines": 20}}]}


async def test_in_schema_mode_each_place_of_a_list_has_a_tool_of_its_own_and_texts_are_as_short_as_it_says(small: Talk) -> None:
    line = closed(query={"type": "string", "pattern": r'^[^"\\{}\n\r\t]{1,30}$'})
    places = [call_of("consult_reasoning_specialist", line), call_of("consult_coding_specialist", line)]
    schema = closed(calls={"type": "array", "prefixItems": places, "minItems": 2, "maxItems": 2})
    value = await answered(small, schema, 'Write code that merges\ntwo "lists" and say why it is {right}')
    assert [call["tool"] for call in value["calls"]] == ["consult_reasoning_specialist", "consult_coding_specialist"]
    assert len(value["calls"][0]["arguments"]["query"]) == 30


async def test_any_schema_gets_a_valid_value(small: Talk) -> None:
    schema = closed(
        kind={"enum": ["code", "prose"]},
        score={"type": "integer", "minimum": 1, "maximum": 9},
        sure={"type": "boolean"},
        why={"type": "array", "items": {"type": "string", "minLength": 3}, "minItems": 2},
        answer={"type": "string", "maxLength": 12},
        none={"type": ["null", "string"]},
        deep=closed(a={"const": 4}),
    )
    value = await answered(small, schema, "Is this prose?")
    assert (value["kind"], value["score"], value["deep"]) == ("prose", 1, {"a": 4})
    assert 0 < len(value["answer"]) <= 12
    assert "answer" in await answered(small, "json", "Hello")


async def test_scripted_turns_take_the_form_too_and_json_stays_as_it_is() -> None:
    turns = [Call("consult_coding_specialist", {"query": "q"}), "done", '{"half": ']
    async with serve(Host("h", [Model.scripted("m", turns)])) as url:
        talk = Talk(url, "m")
        said = [await talk.text("x", format=MANY) for _ in turns]
    assert json.loads(said[0]) == {"calls": [{"tool": "consult_coding_specialist", "arguments": {"query": "q"}}]}
    assert said[1:] == ['{"answer":"done"}', '{"half": ']


# ---------------------------------------------------------------- skills and voices


@pytest.mark.parametrize(
    ("model", "text", "part"),
    [
        ("qwen2.5:32b", "What is 12 * (3 + 4)?", "12 * (3 + 4) = 84"),
        ("qwen2.5:32b", "2**10", "2**10 = 1024"),
        ("qwen2.5:32b", "What is 1 / 0?", "divides by zero"),
        ("qwen2.5:32b", "Compute -3 + 1234570.5", "-3 + 1234570.5 = 1234567.5"),
        ("qwen2.5:32b", "What is 1/3?", "1/3 = 0.3333333333"),
        ("qwen2.5:32b", "What was on 2024-11-15?", "What would decide it"),
        ("qwen2.5:32b", "What is 10**14 * 100?", "What would decide it"),
        ("qwen2.5:32b", "Tea or coffee, in 2-3 words", "Tea or coffee: name what you must not lose"),
        ("qwen2.5:32b", "What is 9**9**9?", "What would decide it"),
        ("qwen2.5-coder:32b", "Merge two sorted lists", "def merge(left, right)"),
        ("qwen2.5-coder:32b", "Is this right?\n```python\ndef f(:\n    pass\n```", "line 1"),
        ("qwen2.5-coder:32b", "Is this right?\n```python\nx = 1\n```", "is valid Python; I did not run it"),
        ("qwen2.5-coder:32b", "List the TODOs:\n# TODO: one\nx = 1  # FIXME two", "2 to do:\n- # TODO: one"),
        ("llama3.1:8b", "Hello", "a fast general model"),
    ],
)
async def test_specialists_do_small_true_work(big: Any, model: str, text: str, part: str) -> None:
    said = await big(model).text(text)
    assert part in said
    assert said.endswith("(rehearsed)")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("Count the words: one two three", "3 words, 1 lines, 13 characters."),
        ("Sort: pear, Apple, fig", "Apple, fig, pear"),
        (
            "Summarise. The fleet holds many models. Weather was mild. Each host of the fleet loads models when it must. Cats sleep.",
            "The fleet holds many models.",
        ),
        ("Hello", "a rehearsal of an analysis model"),
    ],
)
async def test_the_analyst_counts_sorts_and_sums_up(talk: Talk, text: str, part: str) -> None:
    assert part in await talk.text(text)


def brief(task: str, query: str) -> str:
    return f"The user's own words:\n<<<\n{task}\n>>>\n\nWhat the arbiter asks of you:\n{query}"


async def test_within_a_brief_the_user_s_own_words_count(talk: Talk, big: Any) -> None:
    assert "3 words, 1 lines" in await talk.text(brief("Count the words: one two three", "Say what the facts are."))
    assert "The question is: Tea and biscuits" in await big("qwen2.5:32b").text(brief("Tea and biscuits", "Think."))
    named = brief("use read_file path=a.md", "Task: use read_file path=a.md")
    assert await talk.calls(named, tools=[READ]) == [("read_file", {"path": "a.md"})]
    after = [user(named), await talk(named, tools=[READ]), result("read_file", "alpha")]
    assert "alpha" in await talk.text(*after, tools=[READ])


async def test_the_synthesizer_keeps_every_response(talk: Talk) -> None:
    system = {"role": "system", "content": "You are the synthesizer."}
    text = "The user's own words:\n<<<\nWhy?\n>>>\n\n[coding]\nbecause\n\n[reasoning]\nso it is\n\nWhat is asked of you:\nOne answer."
    assert await talk.text(system, text) == "All responses in one:\n\n[coding]\nbecause\n\n[reasoning]\nso it is (rehearsed)"


async def test_a_digest_is_answered_by_the_reference_to_the_whole(talk: Talk) -> None:
    asked = [user("Write code"), await talk("Write code", tools=CONSULT)]
    digest = "[The whole response has 9,000 characters and is kept as artifact:ab-1. Write artifact:ab-1 on a line of its own. Its digest:]\nshort"
    told = [
        result("consult_coding_specialist", json.dumps({"success": True, "response": digest})),
        result("consult_reasoning_specialist", "ok"),
    ]
    assert "The coding specialist says:\nartifact:ab-1\n" in await talk.text(*asked, *told, tools=CONSULT)


async def test_a_note_before_the_words_of_the_user_asks_for_nothing(talk: Talk) -> None:
    note = "[You may call only: read_file.\nNext can be: done.]"
    assert await talk.calls(f"{note}\n\nSay hello.", tools=[READ]) == []
    assert await talk.calls(f"{note}\n\nuse read_file path=a.md", tools=[READ]) == [("read_file", {"path": "a.md"})]
    assert await talk.calls("[use read_file path=a.md ]\n\nDo it.", tools=[READ]) == [("read_file", {"path": "a.md"})]
