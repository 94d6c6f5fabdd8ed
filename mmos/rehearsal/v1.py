"""Serves the `/v1` routes: the same models in OpenAI's format, with the gaps of Ollama's `/v1`."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from mmos.rehearsal.checking import refuse_broken
from mmos.rehearsal.decoding import Ask, Fields, RefusalError, decode
from mmos.rehearsal.embedding import EmbedRequest, embeddings, read_texts
from mmos.rehearsal.inference import infer
from mmos.rehearsal.personas import Model
from mmos.rehearsal.v1_writers import V1_JSON, CompletionWriter, EventWriter, Head, refuse_v1
from mmos.rehearsal.visit import Request, Visit
from mmos.rehearsal.wire import JSON
from mmos.rehearsal.writers import encode

OPTIONS = {
    "max_tokens": "num_predict",
    "max_completion_tokens": "num_predict",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
}
PREFIX = "/v1/models/"


def _readable(visit: Visit, read: Callable[[Mapping[str, Any]], Ask]) -> tuple[dict[str, Any], Ask] | None:
    """The body and its request. None: it cannot be read, and the client got an error in the `/v1` format."""
    try:
        data = decode(visit.http, "api.ChatCompletionRequest")
        return data, read(data)
    except RefusalError as refusal:
        refuse_v1(visit.http, refusal.status, refusal.text, visit.host.rules, JSON)
        return None


async def chat(visit: Visit) -> None:
    """`POST /v1/chat/completions`"""
    if found := _readable(visit, _read):
        await _complete(visit, *found, chat=True)


async def complete(visit: Visit) -> None:
    """`POST /v1/completions`"""
    if found := _readable(visit, _read_text):
        await _complete(visit, *found, chat=False)


def _read_text(data: Mapping[str, Any]) -> Ask:
    fields = Fields(data, "CompletionRequest")
    text = fields.text("prompt")
    return Ask(
        fields.text("model"),
        [{"role": "user", "content": text}] if text else [],
        stream=fields.flag("stream", False),
        suffix=fields.text("suffix"),
        options=_options(data),
        render_only=fields.flag("_debug_render_only", False),
    )


async def _complete(visit: Visit, data: Mapping[str, Any], ask: Ask, *, chat: bool) -> None:
    model = visit.host.model(ask.model, f"model '{ask.model}' not found")
    number = f"{'chatcmpl' if chat else 'cmpl'}-{visit.host.requests.total % 999}"
    head = Head(number, visit.host.wall() // 10**9, ask.model, visit.host.rules, text=not chat, logprobs=ask.logprobs)
    options = data.get("stream_options")
    usage = isinstance(options, Mapping) and bool(options.get("include_usage"))
    request = Request(visit.host, visit.http, visit.entry, visit.fault, ask, chat=chat)
    writer = EventWriter(visit.http, head, visit.fault, usage) if ask.stream else CompletionWriter(visit.http, head, visit.fault)
    await infer(request, model, writer)


def _read(data: Mapping[str, Any]) -> Ask:
    fields = Fields(data, "ChatCompletionRequest")
    messages = fields.objects("messages", "[]openai.Message", "openai.Message")
    if not messages:
        raise RefusalError(400, "[] is too short - 'messages'")
    effort = data.get("reasoning_effort") or (data.get("reasoning") or {}).get("effort")
    return Ask(
        model=fields.text("model"),
        messages=[_message(message) for message in messages],
        tools=fields.objects("tools", "[]api.Tool", "api.Tool"),
        stream=fields.flag("stream", False),
        format=_format(data.get("response_format")),
        think=False if effort == "none" else effort,
        options=_options(data),
        logprobs=fields.whole("top_logprobs") if fields.flag("logprobs", False) else None,
        render_only=fields.flag("_debug_render_only", False),
    )


def _options(data: Mapping[str, Any]) -> dict[str, Any]:
    stop = data.get("stop")
    options: dict[str, Any] = {OPTIONS[name]: data[name] for name in OPTIONS if data.get(name) is not None}
    options |= {name: data.get(name) if data.get(name) is not None else 1.0 for name in ("temperature", "top_p")}
    stops = [stop] if isinstance(stop, str) else stop if isinstance(stop, list) else []
    return options | ({"stop": stops} if stops else {})


def _format(form: Any) -> Any:
    kind = form.get("type") if isinstance(form, Mapping) else None
    if kind == "json_object":
        return "json"
    return (form.get("json_schema") or {}).get("schema") if kind == "json_schema" else None


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    fields: dict[str, Any] = {"role": message.get("role", ""), "content": content if isinstance(content, str) else ""}
    if isinstance(content, list):
        fields |= _parts(content)
    if calls := message.get("tool_calls"):
        fields["tool_calls"] = [_call(call) for call in calls]
    return fields | {name: message[name] for name in ("tool_call_id",) if message.get(name)}


def _parts(content: Sequence[Any]) -> dict[str, Any]:
    texts, images = [], []
    for part in content:
        if not isinstance(part, Mapping):
            raise RefusalError(400, "invalid message format")
        if part.get("type") == "image_url":
            images.append(_image(part.get("image_url")))
        else:
            texts.append(str(part.get("text", "")))
    return {"content": "\n".join(texts), **({"images": images} if images else {})}


def _image(value: Any) -> str:
    url = value.get("url", "") if isinstance(value, Mapping) else str(value)
    if not url.startswith("data:image/"):
        raise RefusalError(400, "invalid image input")
    return str(url.partition(",")[2])


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    """The calls of a history. Their arguments are text in `/v1`, and an object for the model."""
    function = call.get("function") or {}
    try:
        arguments = orjson.loads(function.get("arguments") or "{}")
    except orjson.JSONDecodeError:
        raise RefusalError(400, "invalid tool call arguments") from None
    return {"id": call.get("id", ""), "function": {"name": function.get("name", ""), "arguments": arguments}}


# ---------------------------------------------------------------- models and embeddings


def _card(visit: Visit, name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": visit.host.started // 10**9, "owned_by": "library"}


async def models(visit: Visit) -> None:
    """`GET /v1/models`"""
    rows = [_card(visit, model.full_name) for model in visit.host.installed.values()]
    visit.http.reply(200, encode({"object": "list", "data": rows}), V1_JSON)


async def model(visit: Visit) -> None:
    """`GET /v1/models/NAME`"""
    name = visit.http.path.removeprefix(PREFIX)
    visit.host.model(name, f"model '{name}' not found")
    visit.http.reply(200, encode(_card(visit, name)), V1_JSON)


async def embed(visit: Visit) -> None:
    """`POST /v1/embeddings`"""
    found = _readable(visit, lambda data: Ask(Fields(data, "EmbedRequest").text("model")))
    if found is None:
        return
    data, name = found[0], found[1].model
    texts = read_texts(data.get("input"))
    if not texts:
        raise RefusalError(400, "invalid input")
    model: Model = visit.host.model(name, f'model "{name}" not found, try pulling it first')
    refuse_broken(visit.host, model, name)
    result = await embeddings(visit, model, visit.host.need(model, {}), EmbedRequest(texts, True, data.get("dimensions")))
    as_base64 = data.get("encoding_format") == "base64"
    rows = [
        {"object": "embedding", "embedding": _pack(vector) if as_base64 else vector, "index": place}
        for place, vector in enumerate(result.vectors)
    ]
    usage = {"prompt_tokens": result.tokens, "total_tokens": result.tokens}
    visit.http.reply(200, encode({"object": "list", "data": rows, "model": name, "usage": usage}), V1_JSON)


def _pack(vector: Sequence[float]) -> str:
    return base64.b64encode(array("f", vector).tobytes()).decode()
