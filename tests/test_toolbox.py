"""Tools made of typed functions: what models are told of them, what functions get, and how results read."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import uuid
from collections import namedtuple
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

import mmos
from mmos.calls.spec import Spec
from mmos.context import Context
from mmos.errors import InvalidArguments, ToolError
from mmos.toolbox import Tool, Toolbox, from_function, render, tool


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(BaseModel):
    """Where it is."""

    title: str
    x: int
    colour: Colour = Colour.RED


class Node(BaseModel):
    value: int
    below: list[Node] = []


@dataclasses.dataclass
class Box:
    width: int
    label: bytes


Pair = namedtuple("Pair", "left right")
NOWHERE: Any = None
"""A context for functions that ask for none."""


async def run(function: Any, /, **arguments: Any) -> Any:
    made = from_function(function)
    assert made.spec.problems(arguments) == []
    return await made.run(NOWHERE, arguments)


def parameters(function: Any) -> dict[str, Any]:
    return dict(from_function(function).spec.parameters)


# ---------------------------------------------------------------- what models are told


def test_a_tool_is_told_by_its_name_first_paragraph_and_annotations() -> None:
    def read_file(path: str, lines: int = 10) -> str:
        """Read a file
        of the project.

        Args that only people read.
        """
        return path

    made = from_function(read_file)
    assert (made.name, made.spec.description, made.after_crash, made.effects) == ("read_file", "Read a file of the project.", "ask", True)
    assert made.spec.parameters == {
        "type": "object",
        "properties": {"path": {"type": "string"}, "lines": {"default": 10, "type": "integer"}},
        "required": ["path"],
        "additionalProperties": False,
    }


def test_options_go_before_what_the_function_says() -> None:
    @tool(name="peek", description="Look inside.", after_crash="repeat", timeout=3.0, repeatable=True)
    def look() -> None:
        """Not this."""

    made = from_function(look)
    assert (made.name, made.spec.description, made.timeout, made.repeatable, made.effects) == ("peek", "Look inside.", 3.0, True, False)


def test_a_function_without_words_is_told_by_its_name() -> None:
    def count_all_words() -> int:
        return 0

    assert from_function(count_all_words).spec.description == "count all words"


def test_the_function_itself_stays_as_it_was() -> None:
    @mmos.tool
    def double(n: int) -> int:
        return 2 * n

    assert double(4) == 8


def test_an_unknown_option_is_an_error() -> None:
    with pytest.raises(TypeError, match="no option retries"):
        tool(retries=3)  # type: ignore[call-overload]


def test_types_within_types_are_told_in_full() -> None:
    def place(at: Point, ways: list[Point], near: Optional[Point] = None) -> None: ...  # noqa: UP045

    told = parameters(place)
    point = {
        "description": "Where it is.",
        "properties": {"title": {"type": "string"}, "x": {"type": "integer"}, "colour": {"default": "red", "enum": ["red", "blue"], "type": "string"}},
        "required": ["title", "x"],
        "type": "object",
    }  # fmt: skip
    assert told["properties"]["at"] == point
    assert told["properties"]["ways"] == {"items": point, "type": "array"}
    assert told["properties"]["near"] == {"anyOf": [point, {"type": "null"}], "default": None}
    assert "$" not in json.dumps(told)


async def test_a_type_within_itself_is_told_once_and_checked_all_the_way() -> None:
    def sum_up(tree: Node) -> int:
        return tree.value + sum(sum_up(node) for node in tree.below)

    assert "$" not in json.dumps(parameters(sum_up))
    deep = {"value": 1, "below": [{"value": 2, "below": [{"value": 3}]}]}
    assert await run(sum_up, tree=deep) == 6
    with pytest.raises(InvalidArguments, match=r"tree\.below\.0\.below\.0\.value"):
        await run(sum_up, tree={"value": 1, "below": [{"value": 2, "below": [{"value": "x"}]}]})


async def test_parameters_may_have_any_name() -> None:
    def odd(json: str, copy: int, model_config: str, schema: str = "s", title: str = "t", _private: int = 0) -> str:
        return f"{json}{copy}{model_config}{schema}{title}{_private}"

    assert list(parameters(odd)["properties"]) == ["json", "copy", "model_config", "schema", "title", "_private"]
    assert await run(odd, json="j", copy=1, model_config="m", _private=2) == "j1mst2"


# ---------------------------------------------------------------- what functions get


async def test_arguments_become_what_the_annotations_say() -> None:
    seen: dict[str, Any] = {}

    async def book(
        day: datetime.date,
        at: datetime.datetime,
        colour: Colour,
        size: Literal["s", "l"],
        seats: Annotated[int, Field(ge=1, description="How many")],
        where: Point,
        tags: set[str],
        folder: Path = Path(),
    ) -> None:
        seen.update(locals())

    await run(
        book, day="2026-01-02", at="2026-01-02T03:04:05Z", colour="blue", size="l", seats=2, where={"title": "x", "x": 1}, tags=["a", "b"]
    )
    assert seen["day"] == datetime.date(2026, 1, 2)
    assert seen["at"].tzinfo is not None
    assert (seen["colour"], seen["where"].colour, seen["tags"], seen["folder"]) == (Colour.BLUE, Colour.RED, {"a", "b"}, Path())
    with pytest.raises(InvalidArguments, match="day: "):
        await from_function(book).run(NOWHERE, {"day": "soon"})


async def test_defaults_are_the_functions_own() -> None:
    def greet(name: str = "you", times: int | None = None) -> str:
        return f"{name} {times}"

    assert [await run(greet), await run(greet, times=2), await run(greet, times=None)] == ["you None", "you 2", "you None"]


async def test_without_annotations_anything_goes() -> None:
    def echo(thing, other=1):  # type: ignore[no-untyped-def]
        return [thing, other]

    assert parameters(echo)["properties"] == {"thing": {}, "other": {"default": 1}}
    assert await run(echo, thing={"a": [1]}) == [{"a": [1]}, 1]


async def test_an_object_that_is_called_may_be_async() -> None:
    class Caller:
        __name__ = "caller"

        async def __call__(self, word: str) -> str:
            return word.upper()

    caller = Caller()
    made = Tool(Spec("caller", ""), lambda _, arguments: mmos.context.invoke(caller, **arguments))
    assert await made.run(NOWHERE, {"word": "hi"}) == "HI"


@pytest.mark.parametrize("hint", ["Context", "Context | None", "Optional[Context]"])
async def test_the_context_is_given_and_not_told(hint: str) -> None:
    space: dict[str, Any] = {"Context": Context, "Optional": Optional}
    exec(f"async def who(word: str, scene: {hint} = None): return word, scene", space)
    made = from_function(space["who"])
    assert list(made.spec.parameters["properties"]) == ["word"]
    assert await made.run(NOWHERE, {"word": "x"}) == ("x", NOWHERE)


def test_what_no_model_can_give_is_refused() -> None:
    def many(*paths: str) -> None: ...
    def named(**paths: str) -> None: ...
    def placed(path: str, /) -> None: ...
    def strange(path: Any, on: Any) -> None: ...

    strange.__annotations__["on"] = type("Socket", (), {})
    for function, why in ((many, "paths"), (named, "paths"), (placed, "path"), (strange, "type that JSON does not have")):
        with pytest.raises(TypeError, match=why):
            from_function(function)


def test_an_annotation_that_means_nothing_is_named() -> None:
    def lost(path: str) -> None: ...

    lost.__annotations__["path"] = "NoSuchType"
    with pytest.raises(TypeError, match="lost: its annotations cannot be understood: name 'NoSuchType'"):
        from_function(lost)


# ---------------------------------------------------------------- boxes


def box(*names: str) -> Toolbox:
    return Toolbox.of(Tool(Spec(name, ""), NOWHERE) for name in names)


HOUSE = box("consult_coding_specialist", "consult_reasoning_specialist", "read_file", "write_file")


@pytest.mark.parametrize(
    ("allow", "deny", "left"),
    [
        (None, [], HOUSE.names),
        ([], [], ()),
        (["consult_*"], [], HOUSE.names[:2]),
        (["*_file"], ["write_*"], ("read_file",)),
        (None, ["*"], ()),
        (["READ_FILE"], [], ()),
        (["read_file", "consult_*"], ["consult_coding_specialist"], ("consult_reasoning_specialist", "read_file")),
    ],
)
def test_permissions_are_patterns_and_denial_goes_last(allow: list[str] | None, deny: list[str], left: tuple[str, ...]) -> None:
    assert HOUSE.permitted(allow, deny).names == left


def test_a_box_never_changes() -> None:
    assert HOUSE.without(["read_file"]).names == (*HOUSE.names[:2], "write_file")
    assert HOUSE.without([]) is HOUSE
    assert ("read_file" in HOUSE, HOUSE.get("nothing"), len(HOUSE), bool(box())) == (True, None, 4, False)


# ---------------------------------------------------------------- how results read


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("as it is\n", "as it is\n"),
        (None, "null"),
        (True, "true"),
        ({"a": [1, 2.5, None]}, '{"a":[1,2.5,null]}'),
        (b"bytes \xc3\xbc \xff", "bytes ü \ufffd"),
        ({"raw": b"x"}, '{"raw":"x"}'),
        ({"b", "a"}, '["a","b"]'),
        (Box(2, b"top"), '{"width":2,"label":"top"}'),
        (Point(title="t", x=1), '{"title":"t","x":1,"colour":"red"}'),
        ([Point(title="t", x=1)], '[{"title":"t","x":1,"colour":"red"}]'),
        (Pair(1, "r"), '{"left":1,"right":"r"}'),
        (Colour.RED, '"red"'),
        (Path("a/b"), '"a/b"'),
        (datetime.date(2026, 1, 2), '"2026-01-02"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (decimal.Decimal("1.10"), '"1.10"'),
        ({1: "int key", datetime.date(2026, 1, 2): "date key"}, '{"1":"int key","2026-01-02":"date key"}'),
        (2**80, str(2**80)),
        ({"big": 2**80, "box": Box(1, b"x"), "colour": Colour.BLUE}, f'{{"big":{2**80},"box":{{"width":1,"label":"x"}},"colour":"blue"}}'),
        (ValueError("as a value"), '"as a value"'),
        ("half \ud83d", "half ?"),
        ({"file": "na\udcffme"}, '{"file":"na?me"}'),
    ],
)  # fmt: skip
def test_results_read_as_one_expects(result: Any, text: str) -> None:
    assert render(result) == text


def test_what_cannot_be_written_is_told_to_the_model() -> None:
    circle: list[Any] = []
    circle.append(circle)
    for result in (circle, {(1, 2): "a key that is a tuple", "big": 2**80}):
        with pytest.raises(ToolError, match="cannot be written as text"):
            render(result)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
)


@given(JSON.filter(lambda value: not isinstance(value, str)))
def test_whatever_is_json_reads_as_that_json(value: Any) -> None:
    assert json.loads(render(value)) == value
