"""The error texts of OpenAI-compatible servers, and our messages for them."""

from __future__ import annotations

from mmos.diagnosis.knowledge import LESS, LOG, steps
from mmos.errors import (
    BadRequest,
    HostBusy,
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
from mmos.hosts.ollama_speech import OLLAMA
from mmos.hosts.speech import Rule, Speech, Words

_REFUSALS = range(400, 500)
_FAILURES = range(400, 600)
_ANSWERS = range(200, 500)  # 200: an error that stands in a stream

# The first rule that fits wins. Texts are those of LM Studio, vLLM, llama-server, TabbyAPI and the larger clouds.
_RULES = (
    Rule(
        r"(?i)context_length_exceeded|exceed_context_size|maximum (context|prompt) length|exceeds the (available )?context|context the overflows"
        r"|loaded with context length|greater than max_seq_len|maximum number of tokens allowed|prompt is too long|longer than the (maximum )?(model|context)",
        WindowExceeded,
        "The prompt is longer than the window of {model} on {host}{numbers}.",
        f"{LESS} Or start the server with a larger context; `context_window` of the role should not be larger than that.",
        statuses=_ANSWERS,
    ),
    Rule(
        r"(?i)insufficient_quota|insufficient (balance|credits|funds)|billing_(hard_limit|not_active)",
        Unauthorized,
        "The account behind {host} is spent: {said}.",
        steps("QUOTA_EXCEEDED"),
        statuses=_REFUSALS,
    ),
    Rule(
        r"(?i)invalid_api_key|(incorrect|invalid) api.?key|api.?key (is )?(not valid|invalid)",
        Unauthorized,
        "{host} does not accept the key.",
        "{credentials}",
        statuses=_REFUSALS,
    ),
    Rule(
        r"(?i)\b(tools?|tool[ _](choice|use|calls?|calling)|function[ _]calling)\b['\"`]?[^.]{0,60}(not (yet )?support|unsupported|requires?\b|not (enabled|permitted|allowed))"
        r"|(not support|unsupported|support)[^.]{0,40}\b(tools?|tool[ _](use|choice|calls?|calling)|function[ _]calling)\b"
        r"|(unrecogni[sz]ed|unknown|unexpected)[^.]{0,60}\b(tools|tool_choice)\b",
        LacksTools,
        "{model} on {host} cannot be offered tools.",
        "Set `channel: schema` for its role, or start its server with tool calls.",
        statuses=_FAILURES,
    ),
    Rule(
        r"(?i)reasoning[_ .]?effort|not support (thinking|reasoning)",
        LacksThinking,
        "{model} on {host} cannot think in the way that was asked for: {said}.",
        steps("MODEL_LACKS_THINKING"),
        statuses=_REFUSALS,
    ),
    Rule(
        r"(?i)not support[^.]{0,20} embed|`--embeddings`|not an embedding",
        LacksEmbedding,
        "{model} on {host} makes no embeddings.",
        "Name an embedding model, or start the server for embeddings.",
    ),
    Rule(
        r"(?i)not a chat model|not support( the)? chat",
        LacksChat,
        "{model} on {host} is not a model that answers.",
        "Give the role another model.",
        statuses=_REFUSALS,
    ),
    Rule(
        r"(?i)model_not_found|the model [`'\"].*[`'\"] does not exist|model not exist|model ['\"].*['\"] not found|not a valid model|invalid model( identifier|:| name)"
        r"|no models? (is |are )?(currently )?loaded|model not found|unknown model",
        ModelMissing,
        "{host} does not have the model {model}: {said}.",
        "See `mmos models list`; its server has to be told to load another.",
    ),
    Rule(r"(?i)loading model|model is (still )?loading", HostBusy, "{host} is still loading its model.", "Try again in a moment."),
    Rule(
        r"(?i)overloaded|rate_limit_exceeded|over capacity",
        HostBusy,
        "{host} takes no more calls for now: {said}.",
        steps("RATE_LIMITED"),
    ),
    Rule(
        r"(?i)insufficient system resources|out of memory",
        OutOfMemory,
        "{host} has too little memory for {model}: {said}.",
        "Choose a smaller model or window there.",
    ),
    Rule(r"(?i)failed to load model|error loading model", LoadFailed, "{host} cannot load {model}: {said}.", LOG),
    Rule(
        r"(?i)model has crashed|enginedead|engine (process|core)[^.]{0,20}(died|failed)|channel error",
        RunnerCrashed,
        "The engine of {model} on {host} died: {said}.",
        LOG,
    ),
    Rule(
        r"(?i)tool_use_failed|failed to (parse|call)( a)? (tool|function)|failed to parse input at pos",
        MalformedCall,
        "{host} could not read the tool call that {model} wrote: {said}.",
        steps("MALFORMED_TOOL_CALL_FROM_MODEL"),
    ),
    *(rule for rule in OLLAMA.rules if rule.kind in (OutOfMemory, RunnerCrashed, StreamCut)),
)

_STATUSES: dict[int, Words] = {
    401: (Unauthorized, "{host} does not accept the key, or asks for one (401).", "{credentials}"),
    402: (Unauthorized, "{host} asks for payment or a plan (402).", "Check the account behind it, or use a local model."),
    403: (Unauthorized, "{host} forbids the call (403).", "{credentials}"),
    404: (
        ProtocolFault,
        "{url} answers, but knows no such path (404).",
        "Most such servers want /v1 at the end: correct the `url` of {host}.",
    ),
    405: (
        ProtocolFault,
        "{url} answers, but does not allow the call (405).",
        "Correct the `url` of {host}: is it an OpenAI-compatible server?",
    ),
    407: OLLAMA.statuses[407],
    408: (HostTimeout, "{host} waited too long for the request (408).", ""),
    413: (BadRequest, "The request for {model} is larger than {host} or a proxy before it takes (413).", "Raise the limit there."),
    429: (HostBusy, "{host} takes no more calls for now (429).", steps("RATE_LIMITED")),
    499: OLLAMA.statuses[499],
    502: (HostUnreachable, "A proxy answers for {host}, but does not reach it (502).", "Is its server running behind {url}?"),
    503: (HostBusy, "{host} is busy, or its proxy has nothing behind it (503).", "Look at the host, or try again later."),
    504: (HostTimeout, "A proxy before {host} gave up waiting for {model} (504).", "Raise the proxy's time-out."),
    529: (HostBusy, "{host} takes no more calls for now (529).", "Try again later, or use another host."),
}

OPENAI = Speech(
    kind="an OpenAI-compatible server",
    rules=_RULES,
    statuses=_STATUSES,
    window_numbers=(
        r"(?is)length is (?P<window>\d+)\D.*?\((?P<prompt>\d+) (in the messages|of text input)",
        r"(?is)length is (?P<window>\d+)\D.*?(has|contains|resulted in|requested)( about)? (?P<prompt>\d+)( input)? tokens",
        r"(?is)contains (?P<prompt>\d+) tokens.*?with (?P<window>\d+) maximum",
        r"(?is)first (?P<prompt>\d+) tokens.*?context length of only (?P<window>\d+)",
        r"(?is)length (?P<prompt>\d+) is greater than max_seq_len (?P<window>\d+)",
        r"(?is)token count \((?P<prompt>\d+)\).*?\((?P<window>\d+)\)",
        r"(?is)(?P<prompt>\d+) tokens? > (?P<window>\d+)",
        r"(?is)\((?P<prompt>\d+) tokens\).*\((?P<window>\d+) tokens\)",
    ),
    silent_here="Is its server started? LM Studio, vLLM and llama-server have to be told to serve. Inside a container, this address is the container itself.",
    silent_there="Is its server started there, and does it serve more than its own machine?",
    away="Is the machine up, and is its server running there?",
    forms=("json", "event-stream", "text/plain"),
    greets=True,
)
