"""What a host's refusal means: from status and text to the typed error that says who can act."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

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

_CLIP = 300
_LOOPBACK = ("localhost", "::1", "127.")


@dataclass(frozen=True, slots=True)
class Site:
    """Whom a call was for, as an error names it."""

    host: str
    url: str
    model: str = ""


@dataclass(frozen=True)
class Rule:
    """A text that hosts say, what it means, and our words for it."""

    pattern: str
    kind: type[HostError]
    message: str
    next_step: str = ""
    statuses: range = range(200, 600)


_PULL = "Fetch it with `mmos models pull {model}`, or with `ollama pull {model}` on {host}."
_SAME_REQUEST = "Another try of the same request will not help: check the options, `format` and `think` of the role."
_LOG = "The log of the host has more."

# The first rule that fits wins: the exact ones come before those that a longer text may contain by chance.
_RULES = (
    Rule(
        r"exceeds the available context size|exceed_context_size|input length exceeds the context length|prompt is longer than the context",
        WindowExceeded,
        "The prompt is longer than the window of {model} on {host}{numbers}.",
        "Shorten the conversation, or give the role a larger `context_window`.",
    ),
    Rule(
        r"does not support tools",
        LacksTools,
        "{model} on {host} cannot be offered tools.",
        "Set `channel: schema` for its role, or choose a model whose capabilities list `tools`.",
    ),
    Rule(
        r"does not support thinking|think value .* is not supported",
        LacksThinking,
        "{model} on {host} cannot think in the way that was asked for: {said}.",
        "Leave `think` out for its role, or set it to false.",
    ),
    Rule(
        r"does not support embed|`--embeddings`",
        LacksEmbedding,
        "{model} on {host} makes no embeddings.",
        "Name an embedding model, such as nomic-embed-text.",
    ),
    Rule(
        r"does not support (chat|generate|completion)",
        LacksChat,
        "{model} on {host} is not a model that answers.",
        "Give the role another model; if this one should answer, its files are damaged: pull it again.",
    ),
    Rule(
        r"cloud is disabled|remote model is unavailable",
        ModelMissing,
        "{model} is a name for a cloud model, and {host} does not forward to the cloud.",
        "Name a model that the host has itself.",
    ),
    Rule(r"model is required|invalid model name|model '' not found", BadRequest, "{host} was asked for no valid model name: {said}."),
    Rule(r"model ['\"].*['\"] not found|try pulling it first", ModelMissing, "{host} does not have the model {model}.", _PULL),
    Rule(
        r"pull model manifest: (file does not exist|.*(not found|unknown))",
        ModelMissing,
        "The registry that {host} asked does not have the model {model}.",
        "Check the name and the tag.",
    ),
    Rule(r"pull model|max retries exceeded", HostFault, "{host} could not fetch {model}: {said}.", "Check its way to the registry."),
    Rule(
        r"server busy|maximum pending requests",
        HostBusy,
        "The queue of {host} is full.",
        "It accepts again when its models are loaded; OLLAMA_MAX_QUEUE there sets the length.",
    ),
    Rule(
        r"missing request body|cannot unmarshal|invalid character|^unexpected end of JSON|Value looks like|unexpected EOF",
        BadRequest,
        "{host} cannot read the request for {model}: {said}.",
        "Is its version older than what MMOS speaks?",
        statuses=range(400, 500),
    ),
    Rule(
        r"out of memory|requires more system memory|not enough memory|insufficient memory|(unable|failed) to allocate",
        OutOfMemory,
        "{host} has too little memory for {model}: {said}.",
        "Choose a smaller model or `context_window`, or unload another with `mmos models unload`.",
    ),
    Rule(
        r"timed out waiting for",
        LoadFailed,
        "{host} gave up loading {model}: {said}.",
        "OLLAMA_LOAD_TIMEOUT there sets how long it tries. " + _LOG,
    ),
    Rule(
        r"error loading model|(unable|failed) to load|GGUF|exceeds file size|has terminated",
        LoadFailed,
        "{host} cannot load {model}: {said}.",
        "Its files may be damaged: pull it again. " + _LOG,
    ),
    Rule(
        r"unexpectedly stopped|error was encountered while running the model|CUDA error|GGML_ASSERT|unexpected EOF",
        RunnerCrashed,
        "The engine of {model} on {host} died: {said}.",
        "The host starts it anew at the next request. " + _LOG,
    ),
    Rule(
        r"invalid duration|Unsupported type|invalid think|logprobs must be|invalid format|must be of type|JSON schema|does not support|Multimodal data",
        BadRequest,
        "{host} does not accept the request for {model}: {said}.",
        _SAME_REQUEST,
    ),
    Rule(
        r"error parsing tool call|tool call arguments|unexpected end of JSON|invalid character|[Ff]ailed to parse|does not match the expected",
        MalformedCall,
        "{host} could not read the tool call that {model} wrote: {said}.",
        "Ask again; `channel: schema` for the role, or another model, is steadier.",
    ),
    Rule(
        r"token repeat limit",
        HostFault,
        "{model} repeated itself until {host} stopped it.",
        "Ask again with another temperature, or another model.",
    ),
    Rule(r"request cancell?ed|context cancell?ed", StreamCut, "Something between here and {host} gave the call up: {said}."),
)

# What a status means where no text says more: a proxy in front, or another server altogether.
_STATUSES: dict[int, tuple[type[HostError], str, str]] = {
    401: (Unauthorized, "{host} asks for credentials (401).", "Check the headers or the key that the configuration gives for it."),
    402: (Unauthorized, "{host} asks for payment or a plan (402).", "Check the account behind it, or use a local model."),
    403: (
        Unauthorized,
        "{host} forbids the call (403).",
        "A proxy does so without credentials; Ollama, when it is asked under a name that it does not take for its own: OLLAMA_HOST=0.0.0.0 there lifts that.",
    ),
    404: (ProtocolFault, "{url} answers, but knows no such path (404).", "Is it an Ollama? Correct the `url` of {host}."),
    405: (ProtocolFault, "{url} answers, but does not allow the call (405).", "Is it an Ollama? Correct the `url` of {host}."),
    407: (Unauthorized, "A proxy before {host} asks for credentials (407).", "Check the headers that the configuration gives for it."),
    408: (HostTimeout, "{host} waited too long for the request (408).", ""),
    413: (BadRequest, "The request for {model} is larger than {host} or a proxy before it takes (413).", "Raise the proxy's limit."),
    429: (HostBusy, "{host} takes no more calls for now (429).", "Fewer calls at once, or another host."),
    499: (StreamCut, "Something between here and {host} gave the call up (499).", ""),
    502: (HostUnreachable, "A proxy answers for {host}, but does not reach it (502).", "Is Ollama running behind {url}?"),
    503: (HostBusy, "{host} is busy, or its proxy has nothing behind it (503).", "Look at the host, or try again later."),
    504: (
        HostTimeout,
        "A proxy before {host} gave up waiting for {model} (504).",
        "Raise the proxy's time-out above the time of a model load.",
    ),
}

_STAGES = {
    "connect": (
        "{url} ({host}) did not accept a connection in time.",
        "Is the machine up? A firewall that drops packets looks like this, too.",
    ),
    "first_byte": ("{host} sent nothing of {model} in time.", "It may be loading the model or be busy: see `mmos hosts`."),
    "between_chunks": ("{host} fell silent in the middle of {model}'s answer.", "See `mmos hosts`, and the log of the host."),
    "unload": ("{host} still holds {model}, though it was told to let go.", "Something may be using it: see `mmos hosts`."),
    "total": ("{model} on {host} needed more time than the call was given.", "Allow more time, or ask for less."),
}


def refused(site: Site, status: int, body: str, headers: Mapping[str, str] | None = None) -> HostError:
    """The error behind an HTTP answer that is not 200."""
    headers = headers or {}
    if 300 <= status < 400:
        return _redirected(site, status, headers.get("Location", ""))
    said, numbers = _unwrap(body)
    error = _by_text(site, status, said, numbers) or _by_status(site, status, said)
    if isinstance(error, HostBusy):
        error.retry_after = _seconds(headers.get("Retry-After", ""))
    return error


def spoken(site: Site, error: object) -> HostError:
    """The error behind a line `{"error": …}` in a stream that began well."""
    said, numbers = _unwrap(error if isinstance(error, str) else orjson.dumps({"error": error}).decode())
    return _by_text(site, 200, said, numbers) or _make(
        HostFault, site, 200, ("{host} broke off while {model} answered: {said}.", _LOG), said
    )


def unreachable(site: Site, why: str, detail: str = "") -> HostError:
    """Nobody to talk to; `why` is refused, name, tls or other."""
    local = (urlsplit(site.url).hostname or "").startswith(_LOOPBACK)
    if why == "refused" and local:
        words = ("Nothing listens at {url} ({host}).", "Is Ollama running? Start it with `ollama serve`. Inside a container, this address is the container itself.")  # fmt: skip
    elif why == "refused":
        words = ("Nothing listens at {url} ({host}).", "Is Ollama running there? It serves its own machine alone unless it is started with OLLAMA_HOST=0.0.0.0.")  # fmt: skip
    elif why == "name":
        words = (
            "The name in {url} ({host}) is not known to this machine.",
            "Check its spelling in orchestration.yaml, or use the address.",
        )
    elif why == "tls":
        words = ("No secure connection to {url} ({host}): {said}.", "Check its certificate, and whether it speaks https at all.")
    else:
        words = ("{url} ({host}) cannot be reached: {said}.", "Is the machine up, and is Ollama running there?")
    return _make(HostUnreachable, site, None, words, detail)


def timed_out(site: Site, stage: str) -> HostError:
    return _make(HostTimeout, site, None, _STAGES[stage], stage=stage)


def cut(site: Site, why: str) -> HostError:
    """The answer ended before its end; `why` completes the sentence."""
    return _make(StreamCut, site, None, ("The answer of {model} on {host} is not whole: {said}.", "Another try may well succeed."), why)


def garbled(site: Site, why: str) -> HostError:
    """What came is no answer of an Ollama; `why` completes the sentence and holds nothing of the answer itself."""
    return _make(ProtocolFault, site, None, ("{url} ({host}) does not speak as an Ollama does: {said}.", "Is another server or a proxy there?"), why)  # fmt: skip


def malformed_call(site: Site, name: str, raw: str) -> HostError:
    words = ("The arguments of the call to `{said}` that {model} on {host} wrote are no JSON object.", "Ask again.")
    return _make(MalformedCall, site, None, words, name, raw=raw)


def _by_text(site: Site, status: int, said: str, numbers: Mapping[str, Any]) -> HostError | None:
    for rule in _RULES:
        if status in rule.statuses and re.search(rule.pattern, said):
            return _make(rule.kind, site, status, (rule.message, rule.next_step), said, **_details(rule.kind, said, numbers))
    return None


def _by_status(site: Site, status: int, said: str) -> HostError:
    page = said.lstrip().startswith("<")
    if status in _STATUSES:
        kind, *words = _STATUSES[status]
        return _make(kind, site, status, (words[0], words[1]))
    if page:
        return garbled(site, f"a page came with status {status}, as from a proxy")
    if status < 300:
        return garbled(site, f"status {status} came where 200 is due")
    if status < 500:
        return _make(BadRequest, site, status, ("{host} does not accept the request for {model}: {said}.", _SAME_REQUEST), said)
    if not said:
        return _make(HostFault, site, status, ("{host} failed with {model} and does not say why.", "A damaged model file does that. " + _LOG))  # fmt: skip
    return _make(HostFault, site, status, ("{host} failed with {model}: {said}.", _LOG), said)


def _make(kind: type[HostError], site: Site, status: int | None, words: tuple[str, str], said: str = "", **details: Any) -> HostError:
    tokens, window = details.get("prompt_tokens"), details.get("window")
    names = {
        "host": site.host,
        "url": site.url,
        "model": site.model or "the model",
        "said": _clipped(said),
        "numbers": f" ({tokens} tokens into {window})" if tokens and window else "",
    }
    message, next_step = (text.format_map(names) for text in words)
    return kind(message, host=site.host, model=site.model, status=status, next_step=next_step, **details)


def _details(kind: type[HostError], said: str, numbers: Mapping[str, Any]) -> dict[str, Any]:
    if kind is WindowExceeded:
        told = re.search(r"\((\d+) tokens\).*\((\d+) tokens\)", said)
        prompt, window = (int(told[1]), int(told[2])) if told else (None, None)
        return {"prompt_tokens": numbers.get("n_prompt_tokens", prompt), "window": numbers.get("n_ctx", window)}
    if kind is MalformedCall:
        raw = re.search(r"raw='(.*)', err=", said, re.DOTALL)
        return {"raw": raw[1] if raw else ""}
    return {}


def _unwrap(body: str) -> tuple[str, Mapping[str, Any]]:
    """The sentence inside `{"error": …}`, however often it is wrapped, and the numbers that came beside it."""
    numbers: Mapping[str, Any] = {}
    said: Any = body
    for _ in range(4):
        if isinstance(said, str) and said.lstrip().startswith("{"):
            try:
                said = orjson.loads(said)
            except orjson.JSONDecodeError:
                break
        if not isinstance(said, dict):
            break
        numbers = said
        said = said.get("error", said.get("message", ""))
    return (said if isinstance(said, str) else str(said)).strip(), numbers


def _redirected(site: Site, status: int, location: str) -> HostError:
    target = urlsplit(location)
    where = f" to {target.scheme}://{target.hostname}" if target.hostname else ""
    return garbled(
        site, f"it sends the call on{where} (status {status}), and MMOS follows nobody to where the configuration does not point"
    )


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None


def _clipped(said: str) -> str:
    line = " ".join(said.split()).rstrip(".")
    return line if len(line) <= _CLIP else line[: _CLIP - 1] + "…"
