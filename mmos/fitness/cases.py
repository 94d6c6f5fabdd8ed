"""The built-in cases of a fitness test: the request, the offered tools, and the correct calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmos.calls.spec import Spec
from mmos.messages import ToolCall


@dataclass(frozen=True)
class ExpectedCall:
    """A correct call, with the correct values of each argument that matters."""

    tool: str
    arguments: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def matches(self, call: ToolCall) -> bool:
        return call.name == self.tool and all(_is_one_of(call.arguments.get(name), values) for name, values in self.arguments.items())


@dataclass(frozen=True)
class Case:
    """One request to a model. When no call is expected, the model should answer in plain words."""

    name: str
    request: str
    tools: tuple[Spec, ...]
    expected: tuple[ExpectedCall, ...] = ()

    def is_met(self, calls: tuple[ToolCall, ...]) -> bool:
        """Whether the model made each expected call once, in any order, and no other call."""
        rest = list(calls)
        for expected in self.expected:
            found = next((call for call in rest if expected.matches(call)), None)
            if found is None:
                return False
            rest.remove(found)
        return not rest

    def names_are_met(self, calls: tuple[ToolCall, ...]) -> bool:
        return sorted(call.name for call in calls) == sorted(expected.tool for expected in self.expected)


def _is_one_of(value: Any, values: tuple[Any, ...]) -> bool:
    return any(_folded(value) == _folded(one) for one in values)


def _folded(value: Any) -> Any:
    """The value without differences in case, outer spaces, and the form of numbers (5 or 5.0)."""
    match value:
        case bool():
            return ("truth", value)
        case int() | float():
            return float(value)
        case str():
            return " ".join(value.casefold().split()).rstrip(".")
        case list() | tuple():
            return [_folded(item) for item in value]
    return value


def _text(description: str, *, enum: tuple[str, ...] = ()) -> dict[str, Any]:
    choices = {"enum": list(enum), "description": f"{description} One of: {', '.join(enum)}."} if enum else {"description": description}
    return {"type": "string", **choices}


def _tool(name: str, description: str, required: tuple[str, ...] = (), **properties: dict[str, Any]) -> Spec:
    return Spec(name, description, {"type": "object", "properties": properties, "required": list(required)})


_WEATHER = _tool(
    "get_weather",
    "The current weather of a city.",
    ("city",),
    city=_text("Name of the city."),
    unit=_text("Unit.", enum=("celsius", "fahrenheit")),
)
_FILES = _tool(
    "search_files",
    "Find files of the project by a pattern.",
    ("pattern",),
    pattern=_text("A pattern like *.py."),
    limit={"type": "integer", "description": "The largest number of files."},
)
_MAIL = _tool(
    "send_mail",
    "Send a mail.",
    ("to", "subject"),
    to={"type": "array", "items": {"type": "string"}, "description": "Addresses."},
    subject=_text("The subject line."),
    urgent={"type": "boolean", "description": "Whether it is urgent."},
)
_TICKET = _tool(
    "set_ticket_state",
    "Change the state of a ticket.",
    ("ticket", "state"),
    ticket={"type": "integer", "description": "Number of the ticket."},
    state=_text("The new state.", enum=("open", "in_progress", "closed")),
)
_SUM = _tool(
    "add_numbers", "Add up numbers.", ("numbers",), numbers={"type": "array", "items": {"type": "number"}, "description": "The numbers."}
)
_TIME = _tool("get_time", "The current time of this machine.")
_CODING = _tool(
    "consult_coding_specialist", "Ask the specialist for writing and fixing code.", ("query",), query=_text("The whole question.")
)
_REASONING = _tool(
    "consult_reasoning_specialist", "Ask the specialist for proofs, plans and causes.", ("query",), query=_text("The whole question.")
)

_ALL = (_WEATHER, _FILES, _MAIL, _TICKET, _SUM, _TIME)

CASES = (
    Case("one tool", "What is the weather in Antwerp?", (_WEATHER,), (ExpectedCall("get_weather", {"city": ("Antwerp",)}),)),
    Case("one of six", "Find all files that end with .toml.", _ALL, (ExpectedCall("search_files", {"pattern": ("*.toml", "**/*.toml")}),)),
    Case("no argument", "What time is it? Look it up.", (_TIME, _WEATHER), (ExpectedCall("get_time"),)),
    Case("a whole number", "Find the first 5 files that match *.log.", (_FILES, _MAIL), (ExpectedCall("search_files", {"pattern": ("*.log",), "limit": (5,)}),)),
    Case("one of a few words", "Ticket 4711 is being worked on now. Note that.", (_TICKET, _MAIL), (ExpectedCall("set_ticket_state", {"ticket": (4711,), "state": ("in_progress",)}),)),
    Case("an option", "How warm is it in Boston, in Fahrenheit?", (_WEATHER, _TIME), (ExpectedCall("get_weather", {"city": ("Boston",), "unit": ("fahrenheit",)}),)),
    Case("a list", "Add up 12.5, 7 and 30 with the tool.", (_SUM, _TIME), (ExpectedCall("add_numbers", {"numbers": ([12.5, 7, 30],)}),)),
    Case(
        "a list and a truth value",
        'Send an urgent mail with the subject "Server down" to ops@example.org and cto@example.org.',
        (_MAIL, _TICKET),
        (ExpectedCall("send_mail", {"to": (["ops@example.org", "cto@example.org"],), "subject": ("Server down",), "urgent": (True,)}),),
    ),
    Case(
        "two calls",
        "Compare the weather in Oslo and in Rome.",
        (_WEATHER, _SUM),
        (ExpectedCall("get_weather", {"city": ("Oslo",)}), ExpectedCall("get_weather", {"city": ("Rome",)})),
    ),
    Case("a specialist", "Write a Python function that reverses a linked list. Ask who knows.", (_CODING, _REASONING), (ExpectedCall("consult_coding_specialist"),)),
    Case("small talk", "Hello! How are you today?", (_WEATHER, _FILES)),
    Case("nothing fits", "Write a haiku about autumn.", (_TICKET, _SUM)),
)  # fmt: skip
