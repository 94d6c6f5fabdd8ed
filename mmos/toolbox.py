"""What a tool is: something a participant may call, the box that holds them, and the context that a call runs in."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal, Protocol, TypeVar, get_args, get_type_hints, overload

import orjson

from mmos.calls.spec import Spec
from mmos.errors import InvalidArguments, ToolError
from mmos.messages import File, Message, ToolCall, clean
from mmos.scope import Scope
from mmos.threads import on_thread
from mmos.views.run import REFERENCE

AfterCrash = Literal["ask", "repeat"] | Callable[[Mapping[str, Any]], Any]
"""What a call that a crash cut off means: ask the user, do it again, or a function that finds out what it did."""

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Answer:
    """What a participant answered."""

    text: str
    reasoning: str = ""
    complete: bool = True
    """False when a limit of its own stopped it before it was done."""


class Room(Protocol):
    """What the house offers to a running tool: other participants, and the user."""

    async def consult(self, scope: Scope, role: str, message: Message, *, call: str) -> Answer: ...
    async def ask_user(self, scope: Scope, question: UserQuestion, *, call: str) -> str: ...
    async def interpret(self, scope: Scope, text: str, *, role: str) -> tuple[ToolCall, ...] | str:
        """The calls of a role's tools that a text means, or why there are none."""
        ...

    async def clarify(self, scope: Scope, call: ToolCall, offered: Toolbox, fault: str) -> ToolCall | None:
        """A call that could not be carried out as it was meant; None where nobody can tell."""
        ...


@dataclass(frozen=True)
class UserQuestion:
    """A question for the user, from a tool.

    Example::

        question = mmos.UserQuestion("Which color?", "choice", ("red", "blue"), default="red")
    """

    text: str
    form: Literal["text", "choice", "confirm"] = "text"
    options: tuple[str, ...] = ()
    """What there is to choose from. The user may write something different."""
    default: str | None = None
    """The answer when nobody can be asked and the run may take defaults."""


@dataclass(frozen=True)
class Context:
    """What a running tool may reach: the user's task, the other roles, and the user.

    A function gets it as a parameter with this annotation. Models do not see that parameter.

    Example::

        @mmos.tool(description="Ask the coding specialist whether a claim is true.")
        async def second_opinion(context: mmos.Context, claim: str) -> str:
            answer = await context.consult("coding", f"Is this true? {claim}")
            return answer.text
    """

    scope: Scope
    room: Room
    call: str
    """The id of the call that is running."""

    def __repr__(self) -> str:
        return f"Context(role={self.scope.role!r}, call={self.call!r}, run={self.scope.run!r})"

    @property
    def task(self) -> str:
        """The user's own words."""
        return self.scope.view.task

    @property
    def files(self) -> tuple[File, ...]:
        """What the user attached to them."""
        return self.scope.view.files

    def expanded(self, text: str) -> str:
        """The whole answer that a reference (`artifact:…`) in the text stands for; without one, the text."""
        kept = self.scope.view.artifacts
        return next((kept[name].text for name in REFERENCE.findall(text) if name in kept), text)

    async def consult(self, role: str, message: Message | str) -> Answer:
        """Ask another role. Its answer has `text`, `reasoning`, and `complete`, which is False when a limit stopped it.

        Ask one role at a time. An error goes to the calling model unless you catch it.
        """
        asked = message if isinstance(message, Message) else Message("user", clean(message))
        return await self.room.consult(self.scope, role, asked, call=self.call)

    async def interpret(self, text: str, role: str = "") -> tuple[ToolCall, ...] | str:
        """The calls of a role's tools that an unclear text means, or a sentence that says why there are none."""
        return await self.room.interpret(self.scope, text, role=role or self.scope.role)

    async def ask_user(self, question: UserQuestion) -> str:
        """The user's answer. When the run pauses for it, your function runs again from its start once the answer is there."""
        return await self.room.ask_user(self.scope, question, call=self.call)


Run = Callable[[Context, Mapping[str, Any]], Awaitable[Any]]


@dataclass(frozen=True)
class Tool:
    """Anything a participant may call. `@mmos.tool` makes one of a function."""

    spec: Spec
    run: Run
    after_crash: AfterCrash = "ask"
    timeout: float | None = None
    """Seconds; None leaves it to the run's own limit."""
    repeatable: bool = False
    """Calling it again with the same arguments is no loop: a clock, a status."""

    def __repr__(self) -> str:
        required = self.spec.parameters.get("required", ())
        given = (name if name in required else f"{name}?" for name in self.spec.parameters.get("properties", {}))
        return f"<Tool {self.name}({', '.join(given)})>"

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def effects(self) -> bool:
        """A crash in the middle of it may leave something half done: the intent is written down first."""
        return self.after_crash != "repeat"


@dataclass(frozen=True)
class Toolbox:
    """The tools that a participant holds, in a fixed order; other boxes are made from it, it never changes."""

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
        """Only what `allow` names (everything when None), less what `deny` names; both may hold patterns such as `consult_*`."""
        return Toolbox(
            {name: tool for name, tool in self.tools.items() if (allow is None or _matches(name, allow)) and not _matches(name, deny)}
        )


def _matches(name: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


# ---------------------------------------------------------------- tools from typed functions


@overload
def tool(function: Function, /) -> Function: ...
@overload
def tool(
    *, name: str = ..., description: str = ..., after_crash: AfterCrash = ..., timeout: float | None = ..., repeatable: bool = ...
) -> Callable[[Function], Function]: ...
def tool(function: Any = None, /, **options: Any) -> Any:
    """Make a tool of a typed function, sync or async. The function itself stays as it was; a sync one runs on a thread.

    Models see its name, its parameters and the first paragraph of its docstring. A parameter annotated with `mmos.Context` is hidden from
    them. Raise `mmos.ToolError` to tell the calling model what went wrong. Every other exception reaches it, too, as a failed call.

    Args:
        name: The tool's name; by default the function's.
        description: What models read about it; by default the first paragraph of the docstring.
        after_crash: What to do when a crash cut the call off: "ask" the user (the default), "repeat" it, or a function that gets the
            arguments, finds out what happened and returns the result.
        timeout: Seconds after which a call is stopped and counts as failed.
        repeatable: True when the same call with the same arguments is no loop, such as a clock or a status.

    Example::

        @mmos.tool(after_crash="repeat", timeout=10)
        def read_file(path: str) -> str:
            "Read a file of the project."
            return Path(path).read_text()
    """
    unknown = options.keys() - {"name", "description", "after_crash", "timeout", "repeatable"}
    if unknown:
        raise TypeError(f"@tool knows no option {', '.join(sorted(unknown))}")

    def mark(marked: Any) -> Any:
        marked.__mmos_tool__ = options
        return marked

    return mark if function is None else mark(function)


def from_function(function: Callable[..., Any], **defaults: Any) -> Tool:
    """The tool that a function stands for, marked with `@tool` or not."""
    options = {**defaults, **getattr(function, "__mmos_tool__", {})}
    hints = _hints(function)
    context = next((name for name, hint in hints.items() if _is_context(hint) and name != "return"), "")
    model, schema = _model(function, _fields(function, hints, context))
    spec = Spec(options.pop("name", function.__name__), options.pop("description", _first_paragraph(function)), schema)
    convert = _converter(model)

    async def run(scene: Context, arguments: Mapping[str, Any]) -> Any:
        given = convert(arguments)
        if context:
            given[context] = scene
        return await called(function, **given)

    return Tool(spec, run, **options)


async def called(function: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
    """What a function gives, sync or async; a sync one runs on a thread, where it may take its time."""
    if inspect.iscoroutinefunction(function):
        return await function(*given, **named)
    result = await on_thread(function, *given, **named)
    return await result if inspect.isawaitable(result) else result


# ---------------------------------------------------------------- what a function gives


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
    """Huge integers and half characters are no JSON to orjson."""
    try:
        return json.dumps(result, default=_plain, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise ToolError(f"The tool's result cannot be written as text: {error}.") from error


def _plain(value: Any) -> Any:
    """What JSON does not know, in words that it does."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)  # the same set, the same text
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {part.name: getattr(value, part.name) for part in dataclasses.fields(value)}
    return value.value if isinstance(value, enum.Enum) else str(value)


# ---------------------------------------------------------------- what a function takes


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
    """A pydantic model of the parameters, and its JSON Schema; its own fields are numbered, since a parameter may have any name."""
    from pydantic import ConfigDict, Field, create_model
    from pydantic.errors import PydanticUserError

    numbered: Any = {f"p{n}": (hint, Field(default, alias=name)) for n, (name, (hint, default)) in enumerate(fields.items())}
    try:
        model: Any = create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **numbered)
        schema = model.model_json_schema()
    except PydanticUserError as error:
        raise TypeError(f"{function.__name__}: a parameter has a type that JSON cannot say: {error.message}") from error
    return model, {"type": "object", "properties": {}, **_inlined(schema, schema.pop("$defs", {}))}


def _inlined(part: Any, known: Mapping[str, Any], above: tuple[str, ...] = ()) -> Any:
    """The schema with its references carried out, since hosts drop them, and without titles: a model pays for every token of them."""
    if isinstance(part, list):
        return [_inlined(each, known, above) for each in part]
    if not isinstance(part, dict):
        return part
    name = part.get("$ref", "").rpartition("/")[2]
    if name in above:
        return {"type": "object"}  # a type within itself: from here on only the function looks at it
    if name:
        part, above = {**known[name], **part}, (*above, name)
    return {
        key: {field: _inlined(each, known, above) for field, each in value.items()}
        if key == "properties"
        else (value if key in ("default", "enum", "const", "examples") else _inlined(value, known, above))
        for key, value in part.items()
        if key not in ("$ref", "title", "discriminator")
    }


def _converter(model: Any) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """From checked JSON to what the annotations say: dates, enums, models."""
    from pydantic import ValidationError

    places = {str(field.alias): place for place, field in model.model_fields.items()}

    def convert(arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            made = model.model_validate(arguments)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False, include_context=False)
            raise InvalidArguments("; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)) from error
        return {name: getattr(made, places[name]) for name in arguments}

    return convert
