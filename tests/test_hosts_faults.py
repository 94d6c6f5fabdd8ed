"""Every error that a host is known to answer, over real HTTP: its class, who can act, and the words."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

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
    Repetition,
    RunnerCrashed,
    StreamCut,
    Unauthorized,
    WindowExceeded,
)
from mmos.hosts import faults
from mmos.hosts.face import ChatRequest, Timeouts
from mmos.hosts.ollama import OllamaHost
from mmos.hosts.openai.speech import OPENAI
from mmos.messages import Message
from tests.wire import answer, said, serving, stream

MODEL = "qwen2.5:14b"
HTML = b"<html><head><title>Bad Gateway</title></head><body>nginx</body></html>"


@dataclass(frozen=True)
class Row:
    """What a host answers, and what it means."""

    name: str
    status: int
    body: object
    kind: type[HostError]
    code: str
    retry: bool
    elsewhere: bool
    words: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    type: str = "application/json; charset=utf-8"


def _error(text: object) -> dict[str, object]:
    return {"error": text}


def _nested(**fields: object) -> dict[str, str]:
    return {"error": json.dumps({"error": fields})}


_WINDOW = _nested(
    code=400,
    message="request (18020 tokens) exceeds the available context size (4096 tokens), try increasing it",
    type="exceed_context_size_error",
    n_prompt_tokens=18020,
    n_ctx=4096,
)
_PLAIN = "registry.ollama.ai/library/plain:1b"

REFUSED = ("request_refused", False, False)
MISSING = ("model_missing", False, True)
FAILED = ("host_failed", True, True)
LOAD = ("load_failed", False, True)
CRASH = ("runner_crashed", True, True)
CALL = ("call_malformed", True, True)
WINDOW = ("window_exceeded", False, False)
BUSY = ("host_busy", True, True)
STRANGE = ("host_not_understood", False, True)
BARRED = ("unauthorized", False, True)

ROWS = [
    # the request itself
    Row("empty body", 400, _error("missing request body"), BadRequest, *REFUSED, ("missing request body",)),
    Row("bad JSON", 400, _error("invalid character 'n' looking for beginning of object key string"), BadRequest, *REFUSED),
    Row("wrong JSON type", 400, _error("json: cannot unmarshal number into Go struct field ChatRequest.model of type string"), BadRequest, *REFUSED),
    Row("arguments as string", 400, _error("Value looks like object, but can't find closing '}' symbol"), BadRequest, *REFUSED),
    Row("no model", 400, _error("model is required"), BadRequest, *REFUSED, ("no valid model name",)),
    Row("no model, generate", 404, _error("model '' not found"), BadRequest, *REFUSED),
    Row("invalid name", 400, _error("invalid model name"), BadRequest, *REFUSED),
    Row("bad think", 400, _error('invalid think value: "ultra" (must be "high", "medium", "low", "max", true, or false)'), BadRequest, *REFUSED, ("ultra",)),
    Row("bad keep_alive", 400, _error('time: invalid duration "abc"'), BadRequest, *REFUSED, ("abc",)),
    Row("keep_alive bool", 400, _error("Unsupported type: 'bool'"), BadRequest, *REFUSED),
    Row("top_logprobs", 400, _error("top_logprobs must be between 0 and 20"), BadRequest, *REFUSED),
    Row("bad format", 500, _error('invalid format: "\\"xml\\""; expected "json" or a valid JSON Schema object'), BadRequest, *REFUSED, ("xml",)),
    Row("impossible schema", 500, _error("invalid JSON schema in format"), BadRequest, *REFUSED),
    Row("impossible schema, newer", 400, _nested(code=400, message="JSON schema conversion failed:\nUnrecognized schema", type="invalid_request_error"), BadRequest, *REFUSED, ("Unrecognized schema",)),
    Row("option type", 500, _error('option "num_ctx" must be of type integer'), BadRequest, *REFUSED, ("num_ctx",)),
    Row("images to a text model", 400, _nested(code=400, message="Multimodal data provided, but model does not support multimodal requests.", type="invalid_request_error"), BadRequest, *REFUSED, ("Multimodal",)),
    Row("unheard-of 4xx", 418, _error("teapot"), BadRequest, *REFUSED, ("teapot",)),
    # the model
    Row("unknown model", 404, _error(f"model '{MODEL}' not found"), ModelMissing, *MISSING, (f"`mmos models pull {MODEL}`", f"`ollama pull {MODEL}`", "box")),
    Row("unknown model, show", 404, _error("model 'nope:latest' not found"), ModelMissing, *MISSING),
    Row("unknown model, copy", 404, _error('model "nope" not found'), ModelMissing, *MISSING),
    Row("unknown model, embed; weights gone", 404, _error('model "nope" not found, try pulling it first'), ModelMissing, *MISSING),
    Row("unknown model, as /v1 says it", 404, _error({"message": "model 'nope' not found", "type": "not_found_error", "param": None, "code": None}), ModelMissing, *MISSING),
    Row("not in the registry", 500, _error("pull model manifest: file does not exist"), ModelMissing, *MISSING, ("registry",)),
    Row("cloud off", 403, _error("ollama cloud is disabled: remote model is unavailable"), ModelMissing, *MISSING, ("cloud", "has itself")),
    Row("no tools", 400, _error(f"{_PLAIN} does not support tools"), LacksTools, "model_lacks_tools", False, False, ("`channel: schema`", MODEL)),
    Row("no thinking", 400, _error('"plain:1b" does not support thinking'), LacksThinking, "model_lacks_thinking", False, False, ("`think`",)),
    Row("no think levels", 400, _error('think value "high" is not supported for this model'), LacksThinking, "model_lacks_thinking", False, False, ('"high"',)),
    Row("no chat", 400, _error('"embed" does not support chat'), LacksChat, "model_lacks_chat", False, False, ("another model",)),
    Row("no generate", 400, _error('"embed" does not support generate'), LacksChat, "model_lacks_chat", False, False),
    Row("no embeddings", 501, _error("This server does not support embeddings. Start it with `--embeddings`"), LacksEmbedding, "model_lacks_embedding", False, False, ("embedding model",)),
    Row("no insert", 400, _error(f"{_PLAIN} does not support insert"), BadRequest, *REFUSED),
    # the window
    Row("prompt too long", 400, _WINDOW, WindowExceeded, *WINDOW, ("18020 tokens into 4096", "`context_window`")),
    Row("prompt too long, no shift", 400, _error("the prompt is longer than the context length currently available to the model; shorten the prompt"), WindowExceeded, *WINDOW),
    Row("prompt too long, older; embed", 400, _error("the input length exceeds the context length"), WindowExceeded, *WINDOW),
    # queue, load, memory, engine
    Row("queue full", 503, _error("server busy, please try again.  maximum pending requests exceeded"), HostBusy, *BUSY, ("queue of box", "OLLAMA_MAX_QUEUE")),
    Row("load failure", 500, _error("llama-server process has terminated: exit status 1: error loading model: bad magic"), LoadFailed, *LOAD, ("bad magic", "log")),
    Row("out of memory at load", 500, _error("llama-server process has terminated: exit status 1: cudaMalloc failed: out of memory\nerror loading model: x"), OutOfMemory, "out_of_memory", False, True, ("too little memory", "mmos models unload")),
    Row("no room", 500, _error("model requires more system memory (9.1 GiB) than is available (4.0 GiB)"), OutOfMemory, "out_of_memory", False, True, ("9.1 GiB",)),
    Row("load stalled", 500, _error("timed out waiting for llama-server to start - progress 0.42"), LoadFailed, *LOAD, ("OLLAMA_LOAD_TIMEOUT",)),
    Row("weights cut short", 500, _error("unable to load model: /blobs/sha256-1"), LoadFailed, *LOAD, ("pull it again",)),
    Row("weights cut short, newer", 500, _error('tensor "blk.0.ffn_down.weight" offset+size (126144) exceeds file size (116704)'), LoadFailed, *LOAD),
    Row("weights garbage, newer", 500, _error("GGUF string length 18446744073709551615 exceeds maximum 9223372036854775807"), LoadFailed, *LOAD),
    Row("weights garbage: no word", 500, b"", HostFault, *FAILED, ("does not say why", "log"), type=""),
    Row("engine died before the first byte", 500, _error("model runner has unexpectedly stopped, this may be due to resource limitations"), RunnerCrashed, *CRASH, ("died",)),
    Row("engine died, not streamed", 500, _error("an error was encountered while running the model: unexpected EOF"), RunnerCrashed, *CRASH),
    Row("repeat guard", 500, _error("prediction aborted, token repeat limit reached"), Repetition, "repetition", False, False, ("over and over",)),
    Row("any other 500", 500, _error("something new"), HostFault, *FAILED, ("something new",)),
    # the model's own call
    Row("bad call", 500, _error("unexpected end of JSON input"), MalformedCall, *CALL, ("`channel: schema`",)),
    Row("bad call, harmony", 500, _error("error parsing tool call: raw='{\"path\": \"a' , b', err=unexpected end of JSON input"), MalformedCall, *CALL),
    Row("bad call, native", 500, _error('llama-server returned invalid tool call arguments for "x": unexpected end of JSON input'), MalformedCall, *CALL),
    Row("bad call, parser", 500, _error("invalid character '}' looking for beginning of value"), MalformedCall, *CALL),
    Row("bad output, engine", 500, _nested(code=500, message="Failed to parse input at pos 12", type="server_error"), MalformedCall, *CALL, ("pos 12",)),
    # on the way
    Row("given up on the way", 499, _error("request canceled"), StreamCut, "stream_cut", True, True),
    Row("given up on the way, no word", 499, b"", StreamCut, "stream_cut", True, True, type=""),
    Row("foreign Host header", 403, b"", Unauthorized, *BARRED, ("OLLAMA_HOST=0.0.0.0",), type=""),
    Row("no credentials", 401, HTML, Unauthorized, *BARRED, ("credentials",), type="text/html"),
    Row("no plan", 402, _error("payment required"), Unauthorized, *BARRED, ("402",)),
    Row("proxy wants credentials", 407, b"", Unauthorized, *BARRED, ("407",), type=""),
    Row("too large", 413, HTML, BadRequest, *REFUSED, ("larger",), type="text/html"),
    Row("too many calls", 429, _error("slow down"), HostBusy, *BUSY, ("429",), headers={"Retry_After": "7"}),
    Row("proxy waits for us", 408, b"", HostTimeout, "host_timeout", False, True, type=""),
    Row("nothing behind the proxy", 502, HTML, HostUnreachable, "host_unreachable", False, True, ("does not reach it",), type="text/html"),
    Row("proxy has no host", 503, HTML, HostBusy, *BUSY, type="text/html"),
    Row("proxy gave up", 504, HTML, HostTimeout, "host_timeout", False, True, ("time-out",), type="text/html"),
    Row("unknown path", 404, b"404 page not found", ProtocolFault, *STRANGE, ("Is it an Ollama?",), type="text/plain"),
    Row("wrong verb", 405, b"405 method not allowed", ProtocolFault, *STRANGE, ("Is it an Ollama?",), type="text/plain"),
    Row("a page", 500, HTML, ProtocolFault, *STRANGE, ("page", "proxy"), type="text/html"),
    Row("no content", 204, b"", ProtocolFault, *STRANGE, ("204",), type=""),
    Row("redirect", 302, b"", ProtocolFault, *STRANGE, ("https://elsewhere.example", "follows nobody"), headers={"Location": "https://elsewhere.example/login?token=s3cret"}, type=""),
    Row("redirect to nowhere", 308, b"", ProtocolFault, *STRANGE, type=""),
]  # fmt: skip


def _request() -> ChatRequest:
    return ChatRequest(MODEL, [Message("user", "hello")], 4096)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_each_refusal_is_a_typed_error(row: Row) -> None:
    async with serving(answer(row.body, row.status, kind=row.type, **row.headers)) as wire:
        host = OllamaHost("box", wire.url)
        with pytest.raises(HostError) as caught:
            await host.chat(_request(), timeouts=Timeouts())
        await host.close()
    error = caught.value
    assert type(error) is row.kind
    assert (error.code, error.retry, error.elsewhere) == (row.code, row.retry, row.elsewhere)
    assert (error.host, error.model) == ("box", MODEL)
    assert "s3cret" not in str(error)
    for word in row.words:
        assert word in str(error)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("an error was encountered while running the model: CUDA error: an illegal memory access", RunnerCrashed),
        ("an error was encountered while running the model: unexpected EOF", RunnerCrashed),
        ("CUDA error: out of memory", OutOfMemory),
        ("unexpected end of JSON input", MalformedCall),
        ("error parsing tool call: raw='{', err=unexpected end of JSON input", MalformedCall),
        ("llama-server chat error: map[code:500 message:The model produced output that does not match the expected peg-native format]", MalformedCall),
        ("prediction aborted, token repeat limit reached", Repetition),
        ({"message": "something structured", "code": 500}, HostFault),
    ],
)  # fmt: skip
async def test_an_error_in_the_stream_is_typed_and_keeps_what_had_come(text: object, kind: type[HostError]) -> None:
    lines = stream(said("so "), said("far"), json.dumps({"error": text}).encode() + b"\n")
    async with serving(lines) as wire:
        host = OllamaHost("box", wire.url)
        with pytest.raises(HostError) as caught:
            await host.chat(_request(), timeouts=Timeouts())
        await host.close()
    assert type(caught.value) is kind
    assert caught.value.partial == "so far"


def test_the_numbers_of_a_window_are_told() -> None:
    site = faults.Site("box", "http://box:11434", MODEL)
    error = faults.refused(site, 400, json.dumps(_WINDOW))
    assert isinstance(error, WindowExceeded)
    assert (error.prompt_tokens, error.window) == (18020, 4096)
    flat = faults.refused(site, 400, '{"error":"request (2020 tokens) exceeds the available context size (512 tokens)"}')
    assert isinstance(flat, WindowExceeded)
    assert (flat.prompt_tokens, flat.window) == (2020, 512)


def test_the_call_that_a_parser_rejected_is_kept() -> None:
    site = faults.Site("box", "http://box:11434", MODEL)
    error = faults.spoken(site, 'error parsing tool call: raw=\'{"path":"a\', err=unexpected end of JSON input')
    assert isinstance(error, MalformedCall)
    assert error.raw == '{"path":"a'


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)])
def test_a_busy_host_says_when_to_come_back(header: str, seconds: float | None) -> None:
    error = faults.refused(faults.Site("box", "http://box"), 503, "", {"Retry-After": header})
    assert isinstance(error, HostBusy)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:11434", "ollama serve"),
        ("http://localhost:11434", "container"),
        ("http://[::1]:11434", "ollama serve"),
        ("http://ollama01:11434", "OLLAMA_HOST=0.0.0.0"),
    ],
)
def test_a_refused_connection_says_what_to_do_there(url: str, words: str) -> None:
    error = faults.unreachable(faults.Site("box", url), "refused")
    assert url in str(error)
    assert words in str(error)


def test_a_proposed_command_is_safe_to_paste() -> None:
    error = faults.refused(faults.Site("box", "http://box", "m$(pwned);x:7b"), 404, json.dumps(_error("model 'm' not found")))
    assert "`mmos models pull 'm$(pwned);x:7b'`, or with `ollama pull 'm$(pwned);x:7b'`" in str(error.next_step)


def test_a_long_word_of_a_host_is_clipped() -> None:
    error = faults.refused(faults.Site("box", "http://box"), 500, json.dumps({"error": "x" * 10_000}))
    assert len(str(error)) < 500


def test_what_a_model_wrote_does_not_say_what_is_wrong_with_its_host() -> None:
    raw = '{"query": "why cudaMalloc failed: out of memory while GGUF loads"'
    error = faults.refused(
        faults.Site("box", "http://box"), 500, json.dumps(_error(f"error parsing tool call: raw='{raw}', err=unexpected end of JSON input"))
    )
    assert isinstance(error, MalformedCall)
    assert error.raw == raw


@pytest.mark.parametrize("site", [faults.Site("box", "http://box"), faults.Site("box", "http://box", speech=OPENAI)])
def test_of_a_long_text_only_the_beginning_is_looked_through(site: faults.Site) -> None:
    error = faults.refused(site, 400, json.dumps(_error("model 'x " * 1000 + "' not found")))
    assert isinstance(error, BadRequest)
