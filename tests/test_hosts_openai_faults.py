"""What OpenAI-shaped servers answer when something is wrong, over real HTTP: the class, who can act, and the words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from mmos.errors import (
    BadRequest,
    HostBusy,
    HostError,
    HostFault,
    HostTimeout,
    HostUnreachable,
    LacksChat,
    LacksEmbedding,
    LacksThinking,
    LacksTools,
    LoadFailed,
    MalformedCall,
    ModelMissing,
    OutOfMemory,
    ProtocolFault,
    RunnerCrashed,
    StreamCut,
    Unauthorized,
    WindowExceeded,
)
from mmos.hosts.face import Timeouts
from mmos.hosts.openai import Key, OpenAIHost
from tests.openai_wire import asking, event, opened, sent
from tests.wire import answer, serving


def error(message: str, kind: str = "invalid_request_error", code: object = None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


@dataclass(frozen=True)
class Row:
    """What a server answers, and what it means."""

    name: str
    status: int
    body: object
    kind: type[HostError]
    words: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


OPENAI_LONG = "This model's maximum context length is 8192 tokens. However, your messages resulted in 10024 tokens. Please reduce the length of the messages."
VLLM_LONG = (
    "This model's maximum context length is 4096 tokens. However, you requested 5022 tokens (4999 in the messages, 23 in the completion)."
)
VLLM_NEW = "This model's maximum context length is 2048 tokens. However, your request has 3010 input tokens."
LM_STUDIO_LONG = "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough."
ROUTER_LONG = "This endpoint's maximum context length is 4096 tokens. However, you requested about 5022 tokens (4999 of text input, 23 in the output)."
GEMINI_LONG = "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576)."

ROWS = [
    Row("openai key", 401, error("Incorrect API key provided: sk-a***b.", code="invalid_api_key"), Unauthorized, ("STUDIO_KEY",)),
    Row("bare 401", 401, b"", Unauthorized, ("STUDIO_KEY", "401")),
    Row("vllm key", 401, {"error": "Unauthorized"}, Unauthorized, ("STUDIO_KEY",)),
    Row("gemini key", 400, [error("API key not valid. Please pass a valid API key.", code=400)], Unauthorized, ("STUDIO_KEY",)),
    Row("forbidden", 403, error("Country not supported"), Unauthorized, ("forbids", "STUDIO_KEY")),
    Row("payment", 402, error("Payment required"), Unauthorized, ("402",)),
    Row("quota", 429, error("You exceeded your current quota", code="insufficient_quota"), Unauthorized, ("spent",), {"elsewhere": True, "retry": False}),
    Row("balance", 402, error("Insufficient Balance", code="invalid_request_error"), Unauthorized, ("Insufficient Balance",)),
    Row("openai model", 404, error("The model `m` does not exist or you do not have access to it.", code="model_not_found"), ModelMissing, ("does not have",)),
    Row("vllm model", 404, {"object": "error", "message": "The model `m` does not exist.", "type": "NotFoundError", "code": 404}, ModelMissing),
    Row("ollama model", 404, error("model 'm' not found", kind="not_found_error"), ModelMissing),
    Row("router model", 400, error("m is not a valid model ID", code=400), ModelMissing),
    Row("deepseek model", 400, error("Model Not Exist"), ModelMissing),
    Row("mistral model", 400, {"object": "error", "message": "Invalid model: m", "type": "invalid_model", "code": "1500"}, ModelMissing),
    Row("lm studio model", 400, error('Invalid model identifier "m". Please specify a valid downloaded model'), ModelMissing),
    Row("lm studio empty", 404, error("No models loaded. Please load a model in the developer page.", code="model_not_found"), ModelMissing),
    Row("no such path", 404, {"detail": "Not Found"}, ProtocolFault, ("/v1",)),
    Row("a page", 404, b"<html>nginx</html>", ProtocolFault),
    Row("not allowed", 405, b"", ProtocolFault),
    Row("openai long", 400, error(OPENAI_LONG, code="context_length_exceeded", param="messages"), WindowExceeded, ("10024 tokens into 8192",), {"prompt_tokens": 10024, "window": 8192}),
    Row("vllm long", 400, {"object": "error", "message": VLLM_LONG, "type": "BadRequestError", "code": 400}, WindowExceeded, (), {"prompt_tokens": 4999, "window": 4096}),
    Row("vllm long, newer", 400, error(VLLM_NEW), WindowExceeded, (), {"prompt_tokens": 3010, "window": 2048}),
    Row("llama-server long", 400, {"error": {"code": 400, "message": "the request exceeds the available context size, try increasing it", "type": "exceed_context_size_error", "n_prompt_tokens": 900, "n_ctx": 512}}, WindowExceeded, ("900 tokens into 512",), {"prompt_tokens": 900, "window": 512}),
    Row("lm studio long", 400, {"error": LM_STUDIO_LONG}, WindowExceeded, (), {"prompt_tokens": 5000, "window": 4096}),
    Row("router long", 400, error(ROUTER_LONG, code=400), WindowExceeded, (), {"prompt_tokens": 4999, "window": 4096}),
    Row("mistral long", 400, {"message": "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length"}, WindowExceeded, (), {"prompt_tokens": 40000, "window": 32768}),
    Row("gemini long", 400, error(GEMINI_LONG), WindowExceeded, (), {"prompt_tokens": 1048577, "window": 1048576}),
    Row("claude long", 400, error("prompt is too long: 210000 tokens > 200000 maximum"), WindowExceeded, (), {"prompt_tokens": 210000, "window": 200000}),
    Row("groq long", 400, error("Please reduce the length of the messages or completion.", code="context_length_exceeded"), WindowExceeded, (), {"prompt_tokens": None, "window": None}),
    Row("tabby long", 400, {"detail": "Prompt length 5000 is greater than max_seq_len 4096"}, WindowExceeded, (), {"prompt_tokens": 5000, "window": 4096}),
    Row("ollama tools", 400, error("registry.ollama.ai/library/m:latest does not support tools"), LacksTools, ("channel: schema",)),
    Row("vllm tools", 400, error('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'), LacksTools),
    Row("llama-server tools", 500, error("tools param requires --jinja flag", kind="server_error"), LacksTools),
    Row("router tools", 404, error("No endpoints found that support tool use. Try disabling \"look\".", code=404), LacksTools),
    Row("fields of tools", 422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "tools"], "msg": "Extra inputs are not permitted"}]}, LacksTools),
    Row("unknown tools", 400, error("Unrecognized request argument supplied: tools"), LacksTools),
    Row("call without result", 400, error("An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."), BadRequest, ("must be followed",)),
    Row("tool schema", 400, error("Invalid schema for function 'dig': None is not of type 'object'.", param="tools[0].function.parameters"), BadRequest),
    Row("effort", 400, error("Unsupported parameter: 'reasoning_effort' is not supported with this model."), LacksThinking),
    Row("embeddings", 400, error("The model does not support Embeddings API"), LacksEmbedding),
    Row("llama-server embeddings", 501, error("This server does not support embeddings. Start it with `--embeddings`", kind="not_supported_error"), LacksEmbedding),
    Row("no chat", 404, error("This is not a chat model and thus not supported in the v1/chat/completions endpoint."), LacksChat),
    Row("wrong value", 400, error("temperature must be at most 2", param="temperature"), BadRequest, ("temperature must be at most 2",)),
    Row("wrong fields", 422, {"detail": [{"loc": ["body", "seed"], "msg": "Input should be a whole number"}]}, BadRequest, ("body.seed: Input should be",)),
    Row("too large", 413, b"", BadRequest),
    Row("call failed", 400, {"error": {"message": "Failed to call a function.", "code": "tool_use_failed", "failed_generation": "<dig"}}, MalformedCall, (), {"raw": "<dig"}),
    Row("loading", 503, error("Loading model", kind="unavailable_error", code=503), HostBusy, ("still loading",), {"retry": True}),
    Row("busy", 503, b"", HostBusy, (), {"retry": True}),
    Row("rate", 429, error("Rate limit reached", code="rate_limit_exceeded"), HostBusy, (), {"retry": True}),
    Row("bare 429", 429, b"", HostBusy),
    Row("overloaded", 529, error("Overloaded", kind="overloaded_error"), HostBusy),
    Row("lm studio memory", 400, error("Model loading was stopped due to insufficient system resources."), OutOfMemory),
    Row("cuda memory", 500, error("CUDA error: out of memory"), OutOfMemory),
    Row("load", 500, error("Failed to load model m: bad magic"), LoadFailed),
    Row("crash", 400, {"error": "The model has crashed without additional information. (Exit code: 6)"}, RunnerCrashed),
    Row("dead engine", 500, {"object": "error", "message": "EngineCore encountered an issue", "type": "EngineDeadError"}, RunnerCrashed),
    Row("500", 500, error("Internal error", kind="server_error"), HostFault, ("Internal error",), {"retry": True}),
    Row("bad gateway", 502, b"<html>", HostUnreachable),
    Row("gateway time", 504, b"", HostTimeout),
    Row("cancelled", 499, b"", StreamCut),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_each_refusal_is_a_typed_error(row: Row) -> None:
    async with opened(answer(row.body, row.status), key=Key("STUDIO_KEY", "sk-0123456789")) as (host, _):
        with pytest.raises(HostError) as caught:
            await host.chat(asking(), timeouts=Timeouts())
    told = caught.value
    assert type(told) is row.kind
    assert (told.host, told.model, told.status) == ("studio", "m", row.status)
    assert "studio" in str(told)
    assert all(word in str(told) for word in row.words), str(told)
    assert {name: getattr(told, name) for name in row.facts} == row.facts
    assert "Ollama" not in str(told)


def told_in_stream(row: Row) -> dict[str, Any]:
    """The error with its status beside it, as it stands in the middle of a stream; empty where none can stand there."""
    said = row.body.get("error") if isinstance(row.body, dict) else None
    if isinstance(said, str):
        return {"message": said, "code": row.status}
    return {**said, "code": row.status} if isinstance(said, dict) and not isinstance(said.get("code"), str) else {}


@pytest.mark.parametrize("row", [row for row in ROWS if told_in_stream(row)], ids=lambda row: row.name)
async def test_in_a_stream_it_means_the_same(row: Row) -> None:
    async with opened(sent(event({"error": told_in_stream(row)}))) as (host, _):
        with pytest.raises(HostError) as caught:
            await host.chat(asking(), timeouts=Timeouts())
    assert type(caught.value) is row.kind


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "1.5"}, 1.5),
        ({"Retry_After": "Sat, 21 Nov 2026 12:00:30 GMT", "Date": "Sat, 21 Nov 2026 12:00:00 GMT"}, 30.0),
        ({"Retry_After": "Sat, 21 Nov 2026 11:00:00 GMT", "Date": "Sat, 21 Nov 2026 12:00:00 GMT"}, 0.0),
        ({"Retry_After": "Sat, 21 Nov 2026 12:00:30 GMT"}, None),
        ({"Retry_After": "soon", "Date": "Sat, 21 Nov 2026 12:00:00 GMT"}, None),
        ({"Retry_After": "-3"}, None),
        ({}, None),
    ],
)
async def test_when_to_come_again(headers: dict[str, str], seconds: float | None) -> None:
    async with opened(answer(error("Rate limit reached"), 429, **headers)) as (host, _):
        with pytest.raises(HostBusy) as caught:
            await host.chat(asking(), timeouts=Timeouts())
    assert caught.value.retry_after == seconds


async def test_nobody_there() -> None:
    async with serving() as wire:
        url = wire.url
    host = OpenAIHost("studio", url)
    with pytest.raises(HostUnreachable, match="Nothing listens") as caught:
        await host.chat(asking(), timeouts=Timeouts())
    await host.close()
    assert "LM Studio" in caught.value.next_step
    assert "ollama" not in str(caught.value)


async def test_without_a_key_of_its_own_the_cure_is_another() -> None:
    async with opened(answer(b"", 401)) as (host, _):
        with pytest.raises(Unauthorized, match="api_key_env"):
            await host.chat(asking(), timeouts=Timeouts())
    async with opened(answer(b"", 401), headers={"Authorization": "Bearer old-token"}) as (host, _):
        with pytest.raises(Unauthorized, match="Check the headers of studio"):
            await host.chat(asking(), timeouts=Timeouts())
