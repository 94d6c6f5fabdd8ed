"""Defines the kinds of values in a configuration, each with one sentence that says what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Discriminator, Field, Tag, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

from mmos.checking import is_model_name
from mmos.config.rules import RuleError, compile_rule
from mmos.config.scalars import LONGEST, duration, plain
from mmos.config.wording import FromEnvironment

NO_ADDRESS = "http://unset.invalid"
"""Replaces an address from a variable that is not set: a host that cannot be reached."""

MOST = 10**18 - 1
"""No journal, host or database holds whole numbers beyond 64 bits."""

LONGEST_KEEP_ALIVE = 10**9
"""Seconds that a model may stay loaded, about 30 years. Ollama counts in nanoseconds of 64 bits."""

_GO_UNITS = ("ns", "us", "µs", "ms", "s", "m", "h")

_FLAGS = {"yes": True, "on": True, "no": False, "off": False}


def allowed(sentence: str, *, read: Callable[[Any], Any] | None = None, choices: tuple[str, ...] = ()) -> WrapValidator:
    """For any wrong value, the error says `sentence` as what is allowed."""

    def check(value: Any, handler: Callable[[Any], Any]) -> Any:
        try:
            return handler(read(value) if read else value)
        except ValidationError:
            raise PydanticCustomError("allowed", "{allowed}", {"allowed": sentence, "choices": choices}) from None

    return WrapValidator(check)


def one_of(*choices: str, also: str = "") -> WrapValidator:
    sentence = ", ".join(choices[:-1]) + f" or {choices[-1]}"
    return allowed(sentence + also, read=_read_flag, choices=choices)


def _read_number(value: Any) -> Any:
    """A value from the environment is text. If a number is needed, it is read as one."""
    number = plain(str(value)) if isinstance(value, FromEnvironment) else value
    if isinstance(number, int) and abs(number) > MOST:
        raise PydanticCustomError("allowed", "{allowed}", {"allowed": "a whole number of at most 18 digits", "choices": ()})
    return number


def _read_flag(value: Any) -> Any:
    value = _read_number(value)
    return _FLAGS.get(value.lower(), value) if isinstance(value, str) else value


def _read_text(value: Any) -> Any:
    return str.__str__(value) if isinstance(value, FromEnvironment) else value


def _read_seconds(value: Any) -> Any:
    value = _read_number(value)
    seconds = duration(value) if isinstance(value, str) else None
    return value if seconds is None else seconds


def _read_address(value: Any) -> Any:
    return NO_ADDRESS if isinstance(value, FromEnvironment) and value.unset else _read_text(value)


def _keep_origin(value: Any, handler: Callable[[Any], Any]) -> Any:
    """What of an address came from the environment is hidden wherever the address is shown."""
    address = handler(value)
    return FromEnvironment(address, value.names, value.unset, value.values) if isinstance(value, FromEnvironment) else address


def _check_address(value: str) -> str:
    parts = urlsplit(value)  # raises ValueError, as does .port
    if parts.scheme not in ("http", "https") or not parts.hostname or (parts.port == 0):
        raise ValueError
    if not value.isprintable() or re.search(r"\s", value):
        raise ValueError
    return value.rstrip("/")


def check_model(value: str) -> str:
    if not is_model_name(value):
        raise ValueError
    return value


def _check_keep_alive(value: str | float) -> str | float:
    seconds = value if not isinstance(value, str) else 0.0 if value == "0" else duration(value[value[:1] in ("-", "+") :], _GO_UNITS)
    if seconds is None or not abs(seconds) <= LONGEST_KEEP_ALIVE:  # also refuses nan
        raise ValueError
    return value


def _check_condition(value: str) -> str:
    try:
        compile_rule(value)
    except RuleError as error:
        raise PydanticCustomError("condition", "{fault}", {"fault": str(error)}) from None
    return value


Text = Annotated[str, allowed("text; put it in quotes", read=_read_text)]
Flag = Annotated[bool, allowed("true or false", read=_read_flag)]
Positive = Annotated[int, Field(ge=1), allowed("a whole number >= 1", read=_read_number)]
Window = Annotated[int, Field(ge=256), allowed("a whole number >= 256", read=_read_number)]
CallsAtOnce = Annotated[int, Field(ge=1, le=8), allowed("a whole number from 1 to 8", read=_read_number)]
Parallel = Annotated[int, Field(ge=1, le=256), allowed("a whole number from 1 to 256", read=_read_number)]
GpuIndex = Annotated[int, Field(ge=0, le=255), allowed("the number of a GPU, from 0", read=_read_number)]
Gigabytes = Annotated[float, Field(gt=0, le=4096), allowed("gigabytes, more than 0 and at most 4096", read=_read_number)]
Percent = Annotated[float, Field(gt=0, le=100), allowed("a percentage, more than 0 and at most 100", read=_read_number)]
Portion = Annotated[float, Field(ge=0, le=1), allowed("a number from 0 to 1", read=_read_number)]
Weight = Annotated[float, Field(ge=0, le=100), allowed("a number from 0 to 100", read=_read_number)]
TimeScale = Annotated[float, Field(gt=0, le=10_000), allowed("a number more than 0 and at most 10000", read=_read_number)]
Seconds = Annotated[
    float,
    Field(gt=0, le=LONGEST, json_schema_extra={"durations": True}),
    allowed('seconds, more than 0, as a number or like "30s" or "5m"', read=_read_seconds),
]
KeepAlive = Annotated[
    str | int | float,
    AfterValidator(_check_keep_alive),
    allowed('seconds as a number, or a duration like "10m" or "1h30m"; negative means forever', read=_read_number),
]
Address = Annotated[
    str,
    AfterValidator(_check_address),
    allowed('an address like "http://ollama01:11434" or "https://…"', read=_read_address),
    WrapValidator(_keep_origin),
]
ModelName = Annotated[
    str,
    Field(pattern=r"^[^\s\x00-\x1f\x7f-][^\s\x00-\x1f\x7f]{0,199}$"),
    AfterValidator(check_model),
    allowed("the name of a model, like qwen2.5:14b", read=_read_text),
]
ServerName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"),
    allowed("a name of letters, digits, '.', '_' and '-'; write addresses under 'servers'", read=_read_text),
]
RoleName = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_]{0,39}$"),
    allowed(
        "a name of at most 40 small letters, digits and '_' that begins with a letter, because it becomes part of a tool's name",
        read=_read_text,
    ),
]
PhaseName = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_]{0,39}$"),
    allowed("a name of at most 40 small letters, digits and '_' that begins with a letter", read=_read_text),
]
ClassName = PhaseName
Complexity = Annotated[int, Field(ge=1, le=10), allowed("a whole number from 1 to 10", read=_read_number)]
VariableName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"),
    allowed("the name of an environment variable, not the key itself", read=_read_text),
]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"), allowed("the name of an HTTP header", read=_read_text)]
HeaderValue = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$"), allowed("text without line breaks", read=_read_text)]
Condition = Annotated[str, allowed("a condition, like task.complexity > 7", read=_read_text), AfterValidator(_check_condition)]
OptionValue = Annotated[bool | int | float | str | list[str], allowed("a number, a text, true or false", read=_read_number)]
ConsultFirst = Annotated[bool | Annotated[int, Field(ge=1, le=8)], allowed("true, false, or a whole number from 1 to 8", read=_read_flag)]
Thinking = Annotated[bool | Literal["low", "medium", "high", "max"], one_of("low", "medium", "high", "max", also=", true, or false")]
MacAddress = Annotated[
    str,
    Field(pattern=r"^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$"),
    allowed('the address of a network card, like "aa:bb:cc:dd:ee:ff"', read=_read_text),
]
Broadcast = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9.-]{1,255}(:[0-9]{1,5})?$"),
    allowed('an address like "192.168.1.255" or "192.168.1.255:9"', read=_read_text),
]
_one_or_many = Discriminator(lambda value: "[many]" if isinstance(value, list) else "[one]")
"""The tags keep the problems of the two forms apart. They are not steps of a place."""
ServerChoice = Annotated[
    Annotated[ServerName, Tag("[one]")] | Annotated[list[ServerName], Field(min_length=1), Tag("[many]")], _one_or_many
]
ModelChoice = Annotated[Annotated[ModelName, Tag("[one]")] | Annotated[list[ModelName], Field(min_length=1), Tag("[many]")], _one_or_many]
