"""Stories of answers in the shape that a script needs: JSON that fits a schema, and code without the words around it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mmos.app import RunOptions
from mmos.calls.shape import Shape
from mmos.cli.code import first_block
from mmos.errors import UsageError
from mmos.testing import Call, Finish, Model, stage
from tests.shell import shell

PERSON: Mapping[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "born": {"type": "integer", "minimum": 1}},
    "required": ["name", "born"],
    "additionalProperties": False,
}
GOETHE = '{"name":"Goethe","born":1749}'
ASK = "Who wrote Faust?"


def wanting(schema: Mapping[str, Any] = PERSON, **more: Any) -> RunOptions:
    return RunOptions(schema=schema, **more)


# ---------------------------------------------------------------- a schema


async def test_an_answer_is_asked_for_once_more_in_its_shape_and_stdout_is_json_alone(tmp_path: Path) -> None:
    turns = [Call("consult_coding_specialist", {"query": "Who?"}), "It was Goethe.", f" {GOETHE}\n"]
    async with shell(tmp_path, {"arbiter": turns, "coding": ["Goethe."]}) as at:
        (tmp_path / "person.json").write_text(json.dumps(PERSON))
        ended = await at.mmos("run", ASK, "--schema", "person.json")
        assert (ended.code, ended.out, ended.err) == (0, f"{GOETHE}\n", "")
        *free, shaped = at.on.sent("arbiter")
        assert [("tools" in body, "format" in body) for body in free] == [(True, False)] * 2
        assert ("tools" in shaped, shaped["format"]) == (False, PERSON)
        assert shaped["messages"][-1]["content"].startswith("Give your final answer now, as JSON that fits this schema")
        assert shaped["messages"][:3] == free[1]["messages"][:3], "the prompt only grows at its end"


async def test_an_answer_that_fits_already_costs_no_other_call() -> None:
    fenced = f"```json\n{GOETHE}\n```"
    async with stage({"arbiter": [GOETHE, fenced]}) as on:
        answers = [await on.app.run(ASK, options=wanting()) for _ in range(2)]
        assert [(answer.text, answer.data) for answer in answers] == [(GOETHE, {"name": "Goethe", "born": 1749})] * 2
        assert len(on.sent("arbiter")) == 2


async def test_the_document_has_the_value_beside_the_text(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["[1, 2]", "plain"]}) as at:
        document = (await at.mmos("run", ASK, "--schema", '{"type": "array"}', "--json")).document
        assert (document["answer"], document["data"]) == ("[1, 2]", [1, 2])
        assert (await at.mmos("run", ASK, "--json")).document["data"] is None


async def test_an_answer_that_never_fits_fails_with_what_was_wrong(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["Goethe.", '{"name":"Goethe"}', '{"name":"Goethe","born":"long ago"}', GOETHE]}) as at:
        ended = await at.mmos("run", ASK, "--schema", json.dumps(PERSON), "--json")
        assert (ended.code, ended.document["reason"]["code"]) == (1, "schema_unmet")
        assert (ended.document["answer"], ended.document["data"]) == (None, None)
        assert "born: 'long ago' is not of type 'integer'" in ended.document["reason"]["message"]
        assert "- 'born' is a required property" in at.on.heard("arbiter")[2]
        assert len(at.on.sent("arbiter")) == 3
        resumed = await at.mmos("runs", "resume", ended.document["run"])
        assert (resumed.code, resumed.out) == (0, f"{GOETHE}\n"), "to resume it is to ask again, under the same terms"


async def test_a_run_that_is_stopped_between_the_answer_and_its_shape_goes_on_there(tmp_path: Path) -> None:
    async with stage({"arbiter": ["Goethe.", GOETHE]}, state=tmp_path) as on:
        stopped = await on.app.run(ASK, options=wanting(max_turns=1))
        assert (stopped.status, stopped.reason.code if stopped.reason else "") == ("partial", "limit_turns")
        answer = await on.app.resume(stopped.run, options=RunOptions(max_turns=5))
        assert (answer.status, answer.text, len(on.sent("arbiter"))) == ("answered", GOETHE, 2)


async def test_what_is_no_json_goes_to_stderr_when_a_run_ends_early(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["Goethe."]}) as at:
        ended = await at.mmos("run", ASK, "--schema", json.dumps(PERSON), "--max-turns", "1")
        assert (ended.code, ended.out) == (5, "")
        assert ended.err.startswith("Goethe.\n")


async def test_who_has_no_tools_is_held_to_the_shape_at_once() -> None:
    async with stage({"arbiter": ["never"], "coding": [GOETHE]}) as on:
        answer = await on.app.run(ASK, options=wanting(role_only="coding"))
        assert answer.data == {"name": "Goethe", "born": 1749}
        assert [body["format"] for body in on.sent("coding")] == [PERSON]


async def test_a_model_in_schema_mode_is_held_to_the_users_schema_at_the_end() -> None:
    plain = Model.scripted("arbiter", ['{"answer": "Goethe."}', GOETHE], capabilities=("completion",))
    async with stage({"arbiter": plain, "coding": ["never"]}) as on:
        assert (await on.app.run(ASK, options=wanting())).text == GOETHE
        first, shaped = on.sent("arbiter")
        assert (shaped["format"], shaped["messages"][0]) == (PERSON, first["messages"][0])


@pytest.mark.parametrize(
    ("status", "error"), [(500, "invalid JSON schema in format"), (400, "JSON schema conversion failed"), (400, "failed to parse grammar")]
)
async def test_a_host_that_cannot_hold_a_model_to_the_schema_is_asked_for_any_json(status: int, error: str) -> None:
    async with stage({"arbiter": ["Goethe.", GOETHE, "Goethe.", GOETHE]}) as on:
        on.host.faults.add("status", status=status, error=error, after=1, times=1)
        for _ in range(2):
            answer = await on.app.run(ASK, options=wanting())
            assert (answer.data, answer.status) == ({"name": "Goethe", "born": 1749}, "answered")
        formats = [body.get("format") for body in on.sent("arbiter")]
        assert formats == [None, PERSON, "json", None, "json"], "it is not asked in vain twice"


async def test_an_answer_that_is_cut_off_is_asked_for_again() -> None:
    async with stage({"arbiter": ["Goethe.", [GOETHE[:9], Finish("length")], GOETHE]}) as on:
        answer = await on.app.run(ASK, options=wanting())
        assert answer.text == GOETHE
        assert "- It is not JSON: " in on.heard("arbiter")[2]


async def test_a_long_answer_stands_in_the_json_where_it_is_referred_to() -> None:
    long = "".join(f'He said: "Habe nun, ach!", for the {number}th time.\n' for number in range(400))
    refer: Any = lambda prompt: f'{{"text":"{prompt.results[0].words}"}}'  # noqa: E731
    roles: Mapping[str, Any] = {"arbiter": [Call("consult_coding_specialist", {"query": "Say it."}), refer], "coding": [long]}
    async with stage(roles) as on:
        schema = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
        answer = await on.app.run(ASK, options=wanting(schema))
        assert answer.data == {"text": long}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("nowhere.json", "nowhere.json: no such file or directory"),
        (".", "is a directory"),
        ("{", "--schema is not JSON"),
        ("list.json", "list.json holds no JSON object"),
        ('{"type": "strin"}', "The schema is not a JSON Schema: type: 'strin' is not valid"),
        ('{"$ref": "http://127.0.0.1:9/x.json"}', "refers to http://127.0.0.1:9/x.json, which is no place in it; nothing is fetched"),
    ],
)
async def test_a_schema_that_is_none_is_refused_before_anything_begins(tmp_path: Path, schema: str, said: str) -> None:
    async with shell(tmp_path, {"arbiter": ["never"]}) as at:
        (tmp_path / "list.json").write_text("[]")
        ended = await at.mmos("run", ASK, "--schema", schema)
        assert (ended.code, ended.out) == (2, "")
        assert said in ended.err
        assert at.on.host.requests.total == 0


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/nobody"},
        {"properties": {"enum": {"$ref": "other.json"}}},
        {"properties": {"a": {"$id": "http://x/y", "$ref": "#/b"}}},
        {"anyOf": [{"$dynamicRef": "#nobody"}]},
        {"pattern": "("},
        {"const": {1, 2}},
    ],
)
def test_what_could_not_be_held_to_is_no_shape(schema: Any) -> None:
    with pytest.raises(UsageError):
        Shape.of(schema)


def test_references_within_a_schema_are_followed() -> None:
    tree = {"$ref": "#/$defs/a%20b", "$defs": {"a b": {"$anchor": "node", "type": "object", "additionalProperties": {"$ref": "#node"}}}}
    shape = Shape.of(tree)
    assert shape.problems('{"x": {"y": {}}}') == []
    assert shape.problems('{"x": {"y": 1}}') == ["x.y: 1 is not of type 'object'"]
    assert shape.problems('{"x":' * 2000 + "{}" + "}" * 2000)
    assert Shape.of({"properties": {"$ref": {"type": "string"}}, "default": {"$ref": "elsewhere"}}).problems("{}") == []
    assert Shape.of({}).problems("NaN")


# ---------------------------------------------------------------- code alone

ANSWER = "Here it is:\n\n```python\nprint('```')\n\nx = 1\n```\n\nAnd another:\n```\ny\n```\n"


async def test_the_code_alone_is_printed_where_it_is_wanted(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": [ANSWER, ANSWER, "No code."]}) as at:
        assert (await at.mmos("run", "-x", "Write.")).out == "print('```')\n\nx = 1\n"
        document = (await at.mmos("run", "-x", "--json", "Write.")).document
        assert (document["extracted"], document["answer"]) == ("print('```')\n\nx = 1\n", ANSWER)
        ended = await at.mmos("run", "-x", "Write.")
        assert (ended.code, ended.out) == (0, "No code.\n")
        assert "the answer has no code block" in ended.err


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("~~~~ text\na\n~~~\nb\n~~~~~\n", "a\n~~~\nb\n"),
        ("1. Do:\n   ```sh\n   ls\n     -l\n   ```\n", "ls\n  -l\n"),
        ("Cut:\n```\nhalf", "half\n"),
        ("`inline` and ```inline too```\n", None),
        ("```\n```", ""),
        ("", None),
    ],
)
def test_a_block_is_found_as_markdown_has_it(text: str, code: str | None) -> None:
    assert first_block(text) == code


async def test_options_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    async with shell(tmp_path, {"arbiter": ["never"]}) as at:
        for words in (["-x", "--schema", "{}"], ["-x", "--stream"], ["--schema", "{}", "--stream"]):
            assert (await at.mmos("run", *words, "Hi.")).code == 2
