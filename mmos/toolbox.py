"""Defines tools, the toolbox of a participant, and the context that a running tool gets. `@mmos.tool` makes tools of functions."""

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
"""What to do about a call that a crash cut off: ask the user, repeat it, or call a function that finds out what it did."""

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Answer:
    """The answer of a participant."""

    text: str
    reasoning: str = ""
    complete: bool = True
    """False when one of its own limits stopped it before it was done."""


class Room(Protocol):
    """What a running tool can reach: other participants, and the user."""

    async def consult(self, scope: Scope, role: str, message: Message, *, call: str) -> Answer: ...
    async def ask_user(self, scope: Scope, question: UserQuestion, *, call: str) -> str: ...
    async def interpret(self, scope: Scope, text: str, *, role: str) -> tuple[ToolCall, ...] | str:
        """The calls of a role's tools that the text means, or the reason why there are none."""
        ...

    async def clarify(self, scope: Scope, call: ToolCall, offered: Toolbox, fault: str) -> ToolCall | None:
        """The call that was meant by one that could not run. None: MMOS cannot find out."""
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
    """The options of a choice. The user may also write something different."""
    default: str | None = None
    """The answer when the user is not there and the run may take defaults."""


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
        """The user's task, word for word."""
        return self.scope.view.task

    @property
    def files(self) -> tuple[File, ...]:
        """The files that the user attached to the task."""
        return self.scope.view.files

    def expanded(self, text: str) -> str:
        """The whole answer behind a reference (`artifact:…`) in the text. Without a reference, the text itself."""
        kept = self.scope.view.artifacts
        return next((kept[name].text for name in REFERENCE.findall(text) if name in kept), text)

    async def consult(self, role: str, message: Message | str) -> Answer:
        """Ask another role. Its answer has `text`, `reasoning`, and `complete`, which is False when a limit stopped it.

        Ask one role at a time. An error goes to the calling model unless you catch it.
        """
        asked = message if isinstance(message, Message) else Message("user", clean(message))
        return await self.room.consult(self.scope, role, asked, call=self.call)

    async def interpret(self, text: str, role: str = "") -> tuple[ToolCall, ...] | str:
        """The calls of a role's tools that an unclear text means. When there are none, a text that says why."""
        return await self.room.interpret(self.scope, text, role=role or self.scope.role)

    async def ask_user(self, question: UserQuestion) -> str:
        """Ask the user and return the answer. When the run pauses for it, your function starts again from its beginning on `mmos runs resume`."""
        return await self.room.ask_user(self.scope, question, call=self.call)


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

    def __repr__(self) -> str:
        required = self.spec.parameters.get("required", ())
        given = (name if name in required else f"{name}?" for name in self.spec.parameters.get("properties", {}))
        return f"<Tool {self.name}({', '.join(given)})>"

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

    Example::

        @mmos.tool(after_crash="repeat", timeout=10)
        def read_file(path: str) -> str:
            "Read a file of the project."
            return Path(path).read_text()
    """
    unknown = options.keys() - {"name", "description", "after_crash", "timeout", "repeatable"}
    if unknown:
        raise TypeError(f"@tool has no option {', '.join(sorted(unknown))}; options: name, description, after_crash, timeout, repeatable")

    def mark(marked: Any) -> Any:
        marked.__mmos_tool__ = options
        return marked

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
        given = convert(arguments)
        if context:
            given[context] = scene
        return await called(function, **given)

    return Tool(spec, run, **options)


async def called(function: Callable[..., Any], /, *given: Any, **named: Any) -> Any:
    """Call a function, sync or async, and return its result. A sync function runs on a thread, so it may block."""
    if inspect.iscoroutinefunction(function):
        return await function(*given, **named)
    result = await on_thread(function, *given, **named)
    return await result if inspect.isawaitable(result) else result


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

    numbered: Any = {f"p{n}": (hint, Field(default, alias=name)) for n, (name, (hint, default)) in enumerate(fields.items())}
    try:
        model: Any = create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **numbered)
        schema = model.model_json_schema()
    except PydanticUserError as error:
        raise TypeError(f"{function.__name__}: a parameter has a type that JSON does not have: {error.message}") from error
    return model, {"type": "object", "properties": {}, **_inlined(schema, schema.pop("$defs", {}))}


def _inlined(part: Any, known: Mapping[str, Any], above: tuple[str, ...] = ()) -> Any:
    """The schema without references, because hosts drop them, and without titles, because they cost the model tokens."""
    if isinstance(part, list):
        return [_inlined(each, known, above) for each in part]
    if not isinstance(part, dict):
        return part
    name = part.get("$ref", "").rpartition("/")[2]
    if name in above:
        return {"type": "object"}  # a type that contains itself: only the function checks it from here on
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
    """Converts checked JSON to the annotated types, such as dates, enums and models."""
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
