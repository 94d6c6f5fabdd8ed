"""Decodes requests as Ollama's server does: the same accepted forms and the same error texts."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from mmos.rehearsal.profiles import Profile
from mmos.rehearsal.wire import HttpRequest

LONGEST_KEEP = 292 * 365.25 * 86400
"""Seconds of Go's longest duration: "for ever"."""
UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION = re.compile(r"(\d+\.?\d*|\.\d+)([^\d.]*)")
NAME = re.compile(r"\A(?:[\w.-]+(?::\d+)?/)*[\w.-]+(?::[\w.-]+)?\Z")
MOST_LOGPROBS = 20
THINKING = ("high", "medium", "low", "max")
MESSAGE_TEXTS = ("role", "content", "thinking", "tool_name", "tool_call_id")
INTEGERS = ("num_ctx", "num_predict", "num_keep", "seed", "top_k", "repeat_last_n", "num_batch", "num_gpu", "main_gpu", "num_thread")
FLOATS = ("temperature", "top_p", "min_p", "typical_p", "repeat_penalty", "presence_penalty", "frequency_penalty")


class RefusalError(Exception):
    """The host refuses this request, with a status and an error text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True)
class Ask:
    """A request to `/api/chat` or `/api/generate`."""

    model: str = ""
    messages: Sequence[Mapping[str, Any]] = ()
    tools: Sequence[Mapping[str, Any]] = ()
    stream: bool = True
    format: Any = None
    think: bool | str | None = None
    truncate: bool = True
    shift: bool = True
    keep_alive: float | None = None
    suffix: str = ""
    template: str = ""
    """Replaces the model's template, in a generation."""
    context: Sequence[int] = ()
    raw: bool = False
    """The prompt goes to the model unchanged."""
    logprobs: int | None = None
    """Report the probability of each token and of this many alternatives. None: do not report any."""
    render_only: bool = False
    """The client wants only the prompt that the model would get."""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def images(self) -> int:
        return sum(len(message.get("images") or ()) for message in self.messages)


# ---------------------------------------------------------------- the body


def decode(http: HttpRequest, go_type: str) -> dict[str, Any]:
    """The JSON object of a body."""
    if not http.body.strip():
        raise RefusalError(400, "missing request body")
    data = http.data
    if data is None:
        data = _decode_as_go(http.body)
    if not isinstance(data, dict):
        raise RefusalError(400, f"json: cannot unmarshal {_kind(data)} into Go value of type {go_type}")
    return data


def _decode_as_go(body: bytes) -> Any:
    """Read JSON as Go does: only the first value counts. The place of the error gives Go's message."""
    text = body.decode("utf-8", "replace").lstrip()
    try:
        return json.JSONDecoder(strict=True).raw_decode(text)[0]
    except RecursionError:
        raise RefusalError(400, "exceeded max depth") from None
    except json.JSONDecodeError as error:
        raise RefusalError(400, json_fault(error)) from None


def json_fault(error: json.JSONDecodeError) -> str:
    """Go's message for the error."""
    sign = error.doc[error.pos : error.pos + 1]
    if not sign or error.msg.startswith("Unterminated"):
        return "unexpected EOF"
    contexts = {
        "Expecting property name": "looking for beginning of object key string",
        "Expecting ':'": "after object key",
        "Expecting ','": "after array element" if _inside_array(error.doc[: error.pos]) else "after object key:value pair",
        "Invalid control": "in string literal",
        "Invalid \\": "in string escape code",
    }
    context = next((text for start, text in contexts.items() if error.msg.startswith(start)), "looking for beginning of value")
    return f"invalid character {_quoted(sign)} {context}"


def _quoted(sign: str) -> str:
    return {"\n": r"'\n'", "\t": r"'\t'", "\r": r"'\r'", "'": r"'\''"}.get(sign, f"'{sign}'")


def _inside_array(text: str) -> bool:
    """Whether the innermost open bracket at the end is a square bracket."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", text)
    depth = 0
    for sign in reversed(bare):
        depth += sign in "]}"
        if sign in "[{":
            if depth == 0:
                return sign == "["
            depth -= 1
    return False


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return (
        "bool" if isinstance(value, bool) else {str: "string", int: "number", float: "number", list: "array", dict: "object"}[type(value)]
    )


class Fields:
    """The fields of a decoded object, each in the type of its Go struct."""

    def __init__(self, data: Mapping[str, Any], struct: str, *, dot: str = "") -> None:
        self._data = data
        self._struct = dot + struct

    def _get(self, name: str, kinds: tuple[type, ...], go_type: str) -> Any:
        value = self._data.get(name)
        if value is None or (isinstance(value, kinds) and isinstance(value, bool) == (bool in kinds)):
            return value
        raise RefusalError(400, f"json: cannot unmarshal {_kind(value)} into Go struct field {self._struct}.{name} of type {go_type}")

    def text(self, name: str) -> str:
        return self._get(name, (str,), "string") or ""

    def flag(self, name: str, otherwise: bool) -> bool:
        value = self._get(name, (bool,), "bool")
        return otherwise if value is None else bool(value)

    def whole(self, name: str) -> int:
        return self._get(name, (int,), "int") or 0

    def rows(self, name: str, go_type: str) -> list[Any]:
        return self._get(name, (list,), go_type) or []

    def mapping(self, name: str) -> dict[str, Any]:
        return self._get(name, (dict,), "map[string]interface {}") or {}

    def objects(self, name: str, go_type: str, row_type: str) -> list[dict[str, Any]]:
        rows = self.rows(name, go_type)
        for row in rows:
            if not isinstance(row, dict):
                raise RefusalError(
                    400, f"json: cannot unmarshal {_kind(row)} into Go struct field {self._struct}.{name} of type {row_type}"
                )
        return rows


# ---------------------------------------------------------------- chat and generate


def read_chat(data: Mapping[str, Any], rules: Profile) -> Ask:
    fields = Fields(data, "ChatRequest", dot=rules.struct_dot)
    model = fields.text("model")
    messages = fields.objects("messages", "[]api.Message", "api.Message")
    for message in messages:
        _check_message(message, rules)
    tools = fields.objects("tools", "api.Tools", "api.Tool")
    ask = _read_rest(fields, data, model, messages, tools)
    if not model:
        raise RefusalError(400, "model is required")
    return ask


def read_generate(data: Mapping[str, Any], rules: Profile) -> Ask:
    fields = Fields(data, "GenerateRequest", dot=rules.struct_dot)
    system, prompt = fields.text("system"), fields.text("prompt")
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if system and prompt else []
    if prompt:
        messages.append({"role": "user", "content": prompt, "images": fields.rows("images", "[]api.ImageData")})
    ask = _read_rest(fields, data, fields.text("model"), messages, [])
    context, raw = fields.rows("context", "[]int"), fields.flag("raw", False)
    return replace(ask, suffix=fields.text("suffix"), template=fields.text("template"), context=context, raw=raw)


def _read_rest(fields: Fields, data: Mapping[str, Any], model: str, messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> Ask:
    top = fields.whole("top_logprobs")
    if not 0 <= top <= MOST_LOGPROBS:
        raise RefusalError(400, "top_logprobs must be between 0 and 20")
    return Ask(
        model=model,
        messages=messages,
        tools=tools,
        stream=fields.flag("stream", True),
        format=data.get("format"),
        think=read_think(data.get("think")),
        truncate=fields.flag("truncate", True),
        shift=fields.flag("shift", True),
        keep_alive=read_keep_alive(data.get("keep_alive")),
        logprobs=top if fields.flag("logprobs", False) else None,
        render_only=fields.flag("_debug_render_only", False),
        options=fields.mapping("options"),
    )


def _check_message(message: Mapping[str, Any], rules: Profile) -> None:
    dot = rules.struct_dot
    fields = None
    for name, value in message.items():  # most values of long conversations are texts, so they come first
        if type(value) is not str:
            fields = fields or Fields(message, "ChatRequest.messages", dot=dot)
            if name in MESSAGE_TEXTS:
                fields.text(name)
    for call in () if fields is None else fields.objects("tool_calls", "[]api.ToolCall", "api.ToolCall"):
        function = Fields(call, "ChatRequest.messages.tool_calls", dot=dot).mapping("function")
        inner = Fields(function, "ChatRequest.messages.tool_calls.function", dot=dot)
        inner.text("name")
        if isinstance(function.get("arguments"), str):
            raise RefusalError(400, rules.arguments_as_text)
        inner.mapping("arguments")


def read_think(value: Any) -> bool | str | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if value in THINKING:
            return value
        raise RefusalError(400, f'invalid think value: "{value}" (must be "high", "medium", "low", "max", true, or false)')
    raise RefusalError(400, 'think must be a boolean or string ("high", "medium", "low", "max", true, or false)')


def read_keep_alive(value: Any) -> float | None:
    """Seconds. Infinity: for ever. None: the request does not say."""
    if value is None:
        return None
    if isinstance(value, bool | list | dict):
        kind = {bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}[type(value)]
        raise RefusalError(400, f"Unsupported type: '{kind}'")
    seconds = _duration(value) if isinstance(value, str) else float(value)
    return math.inf if seconds < 0 or seconds >= LONGEST_KEEP else seconds


def _duration(text: str) -> float:
    """A duration as Go writes it, `1h30m` or `-1s`, in seconds."""
    sign = -1.0 if text.startswith("-") else 1.0
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0.0
    seconds, place = 0.0, 0
    while place < len(rest):
        part = DURATION.match(rest, place)
        if part is None:
            raise RefusalError(400, f'time: invalid duration "{text}"')
        number, unit = part.groups()
        if unit not in UNITS:
            fault = f'unknown unit "{unit}"' if unit else "missing unit"
            raise RefusalError(400, f'time: {fault} in duration "{text}"')
        seconds += float(number) * UNITS[unit]
        place = part.end()
    if not rest:
        raise RefusalError(400, f'time: invalid duration "{text}"')
    return sign * seconds


# ---------------------------------------------------------------- what is checked later


def check_name(name: str, rules: Profile) -> None:
    folded = name.lower()
    if not NAME.match(folded.removesuffix(":local") if rules.suffixes else name):
        raise RefusalError(400, rules.invalid_name)
    if rules.suffixes and folded.endswith((":cloud", "-cloud")):
        raise RefusalError(403, "ollama cloud is disabled: remote model is unavailable")


def check_options(options: Mapping[str, Any]) -> None:
    """The options in the server's types. Unknown names are ignored."""
    for name, value in options.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is None:
            continue
        if name in INTEGERS and not number:
            raise RefusalError(500, f'option "{name}" must be of type integer')
        if name in FLOATS and not number:
            raise RefusalError(500, f'option "{name}" must be of type float32')
        if name == "use_mmap" and not isinstance(value, bool):
            raise RefusalError(500, f'option "{name}" must be of type boolean')
        if name == "stop" and not isinstance(value, list):
            raise RefusalError(500, f'option "{name}" must be of type array')
        if name == "stop" and not all(isinstance(text, str) for text in value):
            raise RefusalError(500, f'option "{name}" must be of an array of strings')


def check_format(form: Any, rules: Profile) -> Any:
    """None, "json" or a schema. An invalid schema is refused only after the model is loaded."""
    if form is None or form == "":
        return None
    if form != "json" and not isinstance(form, dict):
        text = orjson.dumps(orjson.dumps(form).decode()).decode()
        raise RefusalError(500, f'invalid format: {text}; expected "json" or a valid JSON Schema object')
    if isinstance(form, dict):
        _check_schema(form, rules)
    return form


def _check_schema(schema: Mapping[str, Any], rules: Profile) -> None:
    """Refuse a type that the engine cannot turn into a grammar."""
    known = ("object", "array", "string", "number", "integer", "boolean", "null")
    kinds = schema.get("type", "object")
    unknown = next((kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind not in known), None)
    if unknown is not None:
        status, text = rules.bad_schema
        message = text.replace("{schema}", orjson.dumps(schema).decode()).replace("{type}", str(unknown))
        raise RefusalError(status, message if status == 500 else nested_error(message, "invalid_request_error"))
    parts = [*(schema.get("properties") or {}).values(), *(schema.get("anyOf") or ()), *(schema.get("oneOf") or ()), schema.get("items")]
    for part in parts:
        if isinstance(part, Mapping):
            _check_schema(part, rules)


def nested_error(message: str, kind: str, **more: Any) -> str:
    """The engine's own error, as JSON within the text."""
    return orjson.dumps({"error": {"code": 400, "message": message, "type": kind, **more}}).decode()
