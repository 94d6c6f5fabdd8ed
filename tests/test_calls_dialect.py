"""Tools as people write them become real JSON Schema, and nothing that they write breaks the reader."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mmos.calls.dialect import normal, specs_of
from mmos.calls.type_names import schema_of
from mmos.errors import UsageError


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("dict", {"type": "object"}),
        ("float", {"type": "number"}),
        ("tuple", {"type": "array"}),
        ("any", {}),
        ("STRING", {"type": "string"}),
        ("String", {"type": "string"}),
        ("java.util.HashMap", {"type": "object"}),
        ("ArrayList<String>", {"type": "array", "items": {"type": "string"}}),
        ("HashMap<String, Integer>", {"type": "object", "additionalProperties": {"type": "integer"}}),
        ("List[int]", {"type": "array", "items": {"type": "integer"}}),
        ("Tuple[float, float]", {"type": "array", "items": {"type": "number"}}),
        ("tuple[int, str]", {"type": "array"}),
        ("string[]", {"type": "array", "items": {"type": "string"}}),
        ("Optional[int]", {"type": ["integer", "null"]}),
        ("int | None", {"type": ["integer", "null"]}),
        ("str or int", {"type": ["string", "integer"]}),
        ("Union[str, List[str]]", {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
        ("Literal['a', 'b']", {"enum": ["a", "b"]}),
        ("int, optional", {"type": "integer"}),
        ("bool?", {"type": ["boolean", "null"]}),
        ("gizmo", None),
        ("", None),
        ("[" * 150, None),
        ("list[" * 30, None),
    ],
)
def test_names_of_types(said: str, meant: Any) -> None:
    assert schema_of(said) == meant


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (
            {"type": "dict", "properties": {"n": {"type": "float"}}, "required": ["n"]},
            {"properties": {"n": {"type": "number"}}, "required": ["n"]},
        ),
        ({"properties": {"n": {"type": "int", "required": True}}}, {"properties": {"n": {"type": "integer"}}, "required": ["n"]}),
        (
            {"properties": {"a": {"type": "str", "optional": True}, "b": {"type": "str"}}, "required": ["a", "b"]},
            {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["b"]},
        ),
        ({"city": {"type": "string"}}, {"properties": {"city": {"type": "string"}}}),
        (
            {"city": "string", "days": "how many days"},
            {"properties": {"city": {"type": "string"}, "days": {"description": "how many days"}}},
        ),
        (
            {"type": {"type": "string"}, "name": {"type": "string"}},
            {"properties": {"type": {"type": "string"}, "name": {"type": "string"}}},
        ),
        ([{"name": "city", "type": "string", "required": True}], {"properties": {"city": {"type": "string"}}, "required": ["city"]}),
        ({"properties": ["a", "b"]}, {"properties": {"a": {}, "b": {}}}),
        ({"properties": {"u": ["km", "mile"]}}, {"properties": {"u": {"enum": ["km", "mile"]}}}),
        (
            {"properties": {"t": {"type": "array", "items": {"type": "str"}, "enum": ["x", "y"]}}},
            {"properties": {"t": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}}}},
        ),
        ({"properties": {"n": {"type": "string", "enum": [1, 2]}}}, {"properties": {"n": {"enum": [1, 2]}}}),
        ({"properties": {"n": {"type": "integer", "nullable": True}}}, {"properties": {"n": {"type": ["integer", "null"]}}}),
        ({"properties": {"n": {"minimum": 5, "exclusiveMinimum": True}}}, {"properties": {"n": {"minimum": 5, "exclusiveMinimum": 5}}}),
        ('{"properties": {"a": {"type": "str"}}}', {"properties": {"a": {"type": "string"}}}),
        ("rubbish", {"properties": {}}),
        (None, {"properties": {}}),
        (17, {"properties": {}}),
        ({"type": "string"}, {"properties": {}}),
    ],
)
def test_parameters_become_the_schema_of_an_object(said: Any, meant: dict[str, Any]) -> None:
    assert normal(said) == {"type": "object", **meant}


def test_real_json_schema_stays_as_it_is() -> None:
    schema = {
        "type": "object",
        "properties": {
            "unit": {"type": "string", "enum": ["km", "mile"], "description": "The unit."},
            "count": {"type": "integer", "minimum": 1, "default": 3},
            "where": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/place"}]},
        },
        "required": ["unit"],
        "additionalProperties": False,
        "$defs": {"place": {"type": "object", "properties": {"inner": {"$ref": "#/$defs/place"}}}},
    }
    assert normal(schema) == schema


def test_references_that_lead_nowhere_take_anything() -> None:
    made = normal(
        {
            "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}},
            "properties": {"a": {"$ref": "#/$defs/a"}, "far": {"$ref": "https://example.org/schema"}, "none": {"$ref": "#/$defs/none"}},
        }
    )
    Draft202012Validator(made).validate({"a": 1, "far": 2, "none": 3})
    assert made["properties"]["far"] == made["properties"]["none"] == {}


def test_tools_bare_and_wrapped() -> None:
    bare = {"name": "f", "description": "Does.", "parameters": {"type": "dict", "properties": {"n": {"type": "float"}}}}
    wrapped = {"type": "function", "function": {**bare, "name": "g"}}
    other = {"name": "h", "inputSchema": {"type": "object", "properties": {"q": {"type": "string"}}}}
    specs = specs_of([bare, wrapped, other, {"name": "f", "description": "A second one."}])
    assert [(spec.name, spec.description) for spec in specs] == [("f", "Does."), ("g", "Does."), ("h", "")]
    assert [list(spec.parameters["properties"]) for spec in specs] == [["n"], ["n"], ["q"]]
    assert specs_of(None) == specs_of([]) == []
    assert specs_of(bare)[0].name == "f"


@pytest.mark.parametrize(
    ("tools", "told"), [("f", "`tools` is a text"), ([{"name": "f"}, 7], r"tools\[1\]"), ([{"parameters": {}}], "has no name")]
)
def test_what_is_no_tool_is_told(tools: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        specs_of(tools)


_WORDS = st.sampled_from(
    ["type", "properties", "required", "items", "enum", "anyOf", "oneOf", "$ref", "$defs", "default", "minimum", "exclusiveMaximum", "pattern",
     "additionalProperties", "optional", "nullable", "description", "const", "not", "minLength", "multipleOf", "patternProperties", "name", "x"]
)  # fmt: skip
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats()
    | st.sampled_from(["string", "dict", "float", "#/$defs/x", "any", "List[int]", "(", "a"])
    | st.text(max_size=5)
)
_RUBBISH = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS | st.text(max_size=3), inner, max_size=5), max_leaves=30
)


@given(_RUBBISH)
@settings(max_examples=300)
@example({"type": {"type": [], "properties": []}})
def test_rubbish_becomes_a_schema_that_stays_as_it_is(rubbish: Any) -> None:
    made = normal(rubbish)
    Draft202012Validator.check_schema(made)
    assert made["type"] == "object"
    Draft202012Validator(made).is_valid({"x": {"x": 1}, "name": "a"})
    assert normal(made) == made
