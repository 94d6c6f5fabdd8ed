"""Ollama's error texts, and our messages for them."""

from __future__ import annotations

from mmos.diagnosis.knowledge import LOG, steps
from mmos.errors import (
    BadRequest,
    HostBusy,
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
from mmos.hosts.speech import REPEATED, SAME_REQUEST, Rule, Speech, Words

_MALFORMED = (
    "{host} could not read the tool call that {model} wrote: {said}.",
    steps("MALFORMED_TOOL_CALL_FROM_MODEL"),
)

# The first rule that fits wins: the exact ones come before those that a longer text may contain by chance.
_RULES = (
    # It quotes what the model wrote, which may speak of anything.
    Rule(r"^(error parsing tool call: raw=|llama-server returned invalid tool call arguments)", MalformedCall, *_MALFORMED),
    Rule(
        r"exceeds the available context size|exceed_context_size|input length exceeds the context length|prompt is longer than the context",
        WindowExceeded,
        "The prompt is longer than the window of {model} on {host}{numbers}.",
        steps("CONTEXT_TRUNCATED"),
    ),
    Rule(
        r"does not support tools",
        LacksTools,
        "{model} on {host} cannot be offered tools.",
        steps("MODEL_LACKS_TOOL_SUPPORT"),
    ),
    Rule(
        r"does not support thinking|think value .* is not supported",
        LacksThinking,
        "{model} on {host} cannot think in the way that was asked for: {said}.",
        steps("MODEL_LACKS_THINKING"),
    ),
    Rule(
        r"does not support embed|`--embeddings`",
        LacksEmbedding,
        "{model} on {host} makes no embeddings.",
        steps("MODEL_LACKS_EMBEDDING"),
    ),
    Rule(
        r"does not support (chat|generate|completion)",
        LacksChat,
        "{model} on {host} is not a model that answers.",
        steps("MODEL_LACKS_CHAT"),
    ),
    Rule(
        r"cloud is disabled|remote model is unavailable",
        ModelMissing,
        "{model} is a name for a cloud model, and {host} does not forward to the cloud.",
        "Name a model that the host has itself.",
    ),
    Rule(r"model is required|invalid model name|model '' not found", BadRequest, "{host} was asked for no valid model name: {said}."),
    Rule(
        r"model ['\"].*['\"] not found|try pulling it first",
        ModelMissing,
        "{host} does not have the model {model}.",
        steps("MODEL_NOT_FOUND"),
    ),
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
        steps("SERVER_BUSY"),
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
        steps("INSUFFICIENT_VRAM"),
    ),
    Rule(
        r"timed out waiting for",
        LoadFailed,
        "{host} gave up loading {model}: {said}.",
        steps("MODEL_LOAD_TIMEOUT") + " " + LOG,
    ),
    Rule(
        r"error loading model|(unable|failed) to load|GGUF|exceeds file size|has terminated",
        LoadFailed,
        "{host} cannot load {model}: {said}.",
        steps("MODEL_LOAD_FAILED"),
    ),
    Rule(
        r"unexpectedly stopped|error was encountered while running the model|CUDA error|GGML_ASSERT|unexpected EOF",
        RunnerCrashed,
        "The engine of {model} on {host} died: {said}.",
        steps("RUNNER_CRASHED"),
    ),
    Rule(
        r"invalid duration|Unsupported type|invalid think|logprobs must be|invalid format|must be of type|JSON schema|grammar|does not support|Multimodal data",
        BadRequest,
        "{host} does not accept the request for {model}: {said}.",
        SAME_REQUEST,
    ),
    Rule(
        r"error parsing tool call|tool call arguments|unexpected end of JSON|invalid character|[Ff]ailed to parse|does not match the expected",
        MalformedCall,
        *_MALFORMED,
    ),
    Rule(
        r"token repeat limit",
        Repetition,
        *REPEATED,
    ),
    Rule(r"request cancell?ed|context cancell?ed", StreamCut, "Something between here and {host} gave the call up: {said}."),
)

# What a status means where no text says more: a proxy in front, or another server altogether.
_STATUSES: dict[int, Words] = {
    401: (Unauthorized, "{host} asks for credentials (401).", "{credentials}"),
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
    429: (HostBusy, "{host} takes no more calls for now (429).", steps("RATE_LIMITED")),
    499: (StreamCut, "Something between here and {host} gave the call up (499).", ""),
    502: (HostUnreachable, "A proxy answers for {host}, but does not reach it (502).", "Is Ollama running behind {url}?"),
    503: (HostBusy, "{host} is busy, or its proxy has nothing behind it (503).", "Look at the host, or try again later."),
    504: (
        HostTimeout,
        "A proxy before {host} gave up waiting for {model} (504).",
        "Raise the proxy's time-out above the time of a model load.",
    ),
}

OLLAMA = Speech(
    kind="an Ollama",
    rules=_RULES,
    statuses=_STATUSES,
    window_numbers=(r"\((?P<prompt>\d+) tokens\).*\((?P<window>\d+) tokens\)",),
    silent_here=steps("SERVER_NOT_RUNNING") + " Inside a container, this address is the container itself.",
    silent_there=steps("BOUND_TO_LOCALHOST_ONLY"),
    away="Is the machine up, and is Ollama running there?",
)
