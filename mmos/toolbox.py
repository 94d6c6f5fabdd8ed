"""Defines tools and the toolbox of a participant. `@mmos.tool` makes tools of functions."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal, TypeVar, get_args, get_type_hints, overload

import orjson

from mmos.calls.spec import Spec
from mmos.context import Context, invoke
from mmos.errors import InvalidArguments, ToolError
from mmos.messages import clean

AfterCrash = Literal["ask", "repeat"] | Callable[[Mapping[str, Any]], Any]
"""What to do about a call that a crash cut off: ask the user, repeat it, or call a function that finds out what it did."""

Function = TypeVar("Function", bound=Callable[..., Any])


Run = Callable[[Context, Mapping[str, Any]], Awaitable[Any]]


@dataclass(frozen=True)
class Tool:
    """Something that a participant may call. `@mmos.tool` makes one of a function."""

    spec: Spec
    run: Run
    after_crash: AfterCrash = "ask"
    timeout: float | None = None
    """Seconds. None: only the run's own limits apply."""
    repeatable: bool = False
    """True for a tool such as a clock or a status: the same call again is no loop."""
    approval: bool = False
    """Whether the user must approve each call."""
    final: bool = False
    """Whether its result is the answer of the participant. A call that fails is no answer."""
    mend: Callable[[Mapping[str, Any]], Mapping[str, Any] | None] | None = None
    """Gives arguments that the tool takes in place of those that do not fit its schema. It gives None if it cannot use them."""
    group: str = ""
    """The word that names it together with others, as `files` does. Permissions may name the word."""
    preview: Callable[[Mapping[str, Any]], Any] | None = None
    """Gives the lines that the user reads, in place of the arguments, before an approval: what exactly the call does. Sync or async."""

    def __repr__(self) -> str:
        required = self.spec.parameters.get("required", ())
        parameters = (name if name in required else f"{name}?" for name in self.spec.parameters.get("properties", {}))
        return f"<Tool {self.name}({', '.join(parameters)})>"

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def effects(self) -> bool:
        """Whether a crash during the call may leave something half done. If so, MMOS writes the call to the journal first."""
        return self.after_crash != "repeat"


@dataclass(frozen=True)
class Toolbox:
    """The tools of a participant, in a fixed order. A toolbox never changes; its methods make new ones."""

    tools: Mapping[str, Tool] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Toolbox: {', '.join(self.names) or 'empty'}>"

    @classmethod
    def of(cls, tools: Iterable[Tool]) -> Toolbox:
        return cls({tool.name: tool for tool in tools})

    def __iter__(self) -> Iterator[Tool]:
        return iter(self.tools.values())

    def __len__(self) -> int:
        return len(self.tools)

    def __contains__(self, name: object) -> bool:
        return name in self.tools

    def get(self, name: str) -> Tool | None:
        return self.tools.get(name)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(self.tools)

    @cached_property
    def specs(self) -> tuple[Spec, ...]:
        return tuple(tool.spec for tool in self)

    def without(self, names: Collection[str]) -> Toolbox:
        if not names:
            return self
        return Toolbox({name: tool for name, tool in self.tools.items() if name not in names})

    def permitted(self, allow: Collection[str] | None, deny: Collection[str]) -> Toolbox:
        """The tools that `allow` names (None: all), without those that `deny` names. Both may contain patterns such as `consult_*`."""
        return Toolbox(
            {name: tool for name, tool in self.tools.items() if (allow is None or _matches(tool, allow)) and not _matches(tool, deny)}
        )

    def asking(self, patterns: Collection[str]) -> Toolbox:
        """The same tools. Those that a pattern matches need the approval of the user."""
        if not patterns:
            return self
        return Toolbox({name: replace(tool, approval=True) if _matches(tool, patterns) else tool for name, tool in self.tools.items()})


def _matches(tool: Tool, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(tool.name, pattern) or (tool.group != "" and pattern == tool.group) for pattern in patterns)


def parameters_of(properties: Mapping[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON Schema of a tool that takes these properties and no others."""
    some = {"required": list(required)} if required else {}
    return {"type": "object", "properties": dict(properties), **some, "additionalProperties": False}


# ---------------------------------------------------------------- tools from typed functions

_OPTIONS = ("name", "description", "after_crash", "timeout", "repeatable", "approval", "preview")


@overload
def tool(function: Function, /) -> Function: ...
@overload
def tool(
    *,
    name: str = ...,
    description: str = ...,
    after_crash: AfterCrash = ...,
    timeout: float | None = ...,
    repeatable: bool = ...,
    approval: bool = ...,
    preview: Callable[[Mapping[str, Any]], Any] | None = ...,
) -> Callable[[Function], Function]: ...
def tool(function: Any = None, /, **options: Any) -> Any:
    """Make a tool of a typed function, sync or async. The function itself does not change. A sync function runs on a thread.

    Models see its name, its parameters and the first paragraph of its docstring. A parameter annotated with `mmos.Context` is hidden from
    them. Raise `mmos.ToolError` to tell the calling model what went wrong. Every other exception also reaches the model, as a failed call.

    Args:
        name: The tool's name. Default: the function's name.
        description: What models read about the tool. Default: the first paragraph of the docstring.
        after_crash: What to do when a crash cut the call off: "ask" the user, "repeat" the call, or call a function that gets the
            arguments, finds out what happened and returns the result. Default: "ask".
        timeout: Seconds. MMOS stops a call that takes longer, and the call counts as failed. Default: no timeout.
        repeatable: True for a tool such as a clock or a status: the same call with the same arguments is no loop.
        approval: True for a tool that must not act before the user allows the call. The user reads who calls it with which arguments.
        preview: A function that gets the arguments and returns what the user reads in their place before an approval, such as the lines
            that would change. Default: the arguments.

    Example::

        @mmos.tool(after_crash="repeat", timeout=10)
        def read_file(path: str) -> str:
            "Read a file of the project."
            return Path(path).read_text()
    """
    unknown = options.keys() - set(_OPTIONS)
    if unknown:
        raise TypeError(f"@tool has no option {', '.join(sorted(unknown))}; options: {', '.join(_OPTIONS)}")

    def mark(function: Any) -> Any:
        function.__mmos_tool__ = options
        return function

    return mark if function is None else mark(function)


def from_function(function: Callable[..., Any], **defaults: Any) -> Tool:
    """Make a tool of a function, with or without `@tool`."""
    options = {**defaults, **getattr(function, "__mmos_tool__", {})}
    hints = _hints(function)
    context = next((name for name, hint in hints.items() if _is_context(hint) and name != "return"), "")
    model, schema = _model(function, _fields(function, hints, context))
    spec = Spec(options.pop("name", function.__name__), options.pop("description", _first_paragraph(function)), schema)
    convert = _converter(model)

    async def run(scene: Context, arguments: Mapping[str, Any]) -> Any:
        keywords = convert(arguments)
        if context:
            keywords[context] = scene
        return await invoke(function, **keywords)

    return Tool(spec, run, **options)


# ---------------------------------------------------------------- the result of a function


def render(result: Any) -> str:
    """A tool's result as the text that a model reads."""
    if isinstance(result, str):
        return clean(result)
    if isinstance(result, (bytes, bytearray)):
        return bytes(result).decode("utf-8", "replace")
    try:
        return orjson.dumps(result, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:
        return clean(_slowly(result))


def _slowly(result: Any) -> str:
    """The result as JSON when orjson refuses it: it takes no huge integers and no broken characters."""
    try:
        return json.dumps(result, default=_plain, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise ToolError(f"The tool's result cannot be written as text: {error}.") from error


def _plain(value: Any) -> Any:
    """A value of a type that JSON does not have, as one that it has."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)  # an equal set gives an equal text
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {part.name: getattr(value, part.name) for part in dataclasses.fields(value)}
    return value.value if isinstance(value, enum.Enum) else str(value)


# ---------------------------------------------------------------- the parameters of a function


def _first_paragraph(function: Callable[..., Any]) -> str:
    return (inspect.getdoc(function) or function.__name__.replace("_", " ")).split("\n\n", 1)[0].replace("\n", " ")


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(f"{function.__name__}: its annotations cannot be understood: {error}") from error


def _is_context(hint: Any) -> bool:
    return hint is Context or Context in get_args(hint)


def _fields(function: Callable[..., Any], hints: Mapping[str, Any], context: str) -> dict[str, tuple[Any, Any]]:
    """Each parameter that a model gives, with its type and its default."""
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == context:
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise TypeError(f"{function.__name__}: parameter {name!r} cannot be given by name, so no model can give it")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[name] = (hints.get(name, Any), default)
    return fields


def _model(function: Callable[..., Any], fields: Mapping[str, tuple[Any, Any]]) -> tuple[Any, dict[str, Any]]:
    """A pydantic model of the parameters, and its JSON Schema. The model's fields are numbered, because a parameter may have any name."""
    from pydantic import ConfigDict, Field, create_model
    from pydantic.errors import PydanticUserError

    fields_by_number: Any = {f"p{n}": (hint, Field(default, alias=name)) for n, (name, (hint, default)) in enumerate(fields.items())}
    try:
        model: Any = create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields_by_number)
        schema = model.model_json_schema()
    except PydanticUserError as error:
        raise TypeError(f"{function.__name__}: a parameter has a type that JSON does not have: {error.message}") from error
    return model, {"type": "object", "properties": {}, **_without_references(schema, schema.pop("$defs", {}))}


def _without_references(part: Any, definitions: Mapping[str, Any], above: tuple[str, ...] = ()) -> Any:
    """The schema without references, because hosts drop them, and without titles, because they cost the model tokens."""
    if isinstance(part, list):
        return [_without_references(each, definitions, above) for each in part]
    if not isinstance(part, dict):
        return part
    name = part.get("$ref", "").rpartition("/")[2]
    if name in above:
        return {"type": "object"}  # a type that contains itself: only the function checks it from here on
    if name:
        part, above = {**definitions[name], **part}, (*above, name)
    return {
        key: {field: _without_references(each, definitions, above) for field, each in value.items()}
        if key == "properties"
        else (value if key in ("default", "enum", "const", "examples") else _without_references(value, definitions, above))
        for key, value in part.items()
        if key not in ("$ref", "title", "discriminator")
    }


def _converter(model: Any) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Converts checked JSON to the annotated types, such as dates, enums and models."""
    from pydantic import ValidationError

    places = {str(field.alias): place for place, field in model.model_fields.items()}

    def convert(arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            instance = model.model_validate(arguments)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
            raise InvalidArguments("; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)) from error
        return {name: getattr(instance, places[name]) for name in arguments}

    return convert
