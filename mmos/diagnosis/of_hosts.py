"""The signs of hosts that do not serve: what Ollama, other servers, clients and proxies say."""

from __future__ import annotations

from mmos.diagnosis.signs import Sign

MODEL_HOST = r"ollama|lm ?studio|llama[._ -]?(cpp|server|runner|index|model)|ggml|vllm|\b1143\d\b|:1234\b|/v1/(chat|completions|models|embeddings|messages)|/api/(chat|generate|tags|embed|embeddings|show|pull|ps)\b|litellm|openai|\bllm\b|langchain|gguf"
"""Words that show that a server of models is spoken of."""
_SIZE = r"[\d.]+ ?[kmgt]i?b"
_NOT = r"((is|was|are|were|does|do|did|has|have|been|be|could|can) ?)?(not|n't)"
_GPU = r"(gpu|cuda|rocm|hip|nvidia|amd|nvml|vulkan)"
_WINDOW = r"(context|max_seq_len|max_model_len|n_ctx|num_ctx|(model|sequence) length)"
_PROMPT = r"(prompt|input|messages?|context|history|conversation)"
_LOADER = r"(llama|model|runner|llm|engine)"

LOADING = (
    Sign(
        "CLIENT_TIMEOUT_DURING_LOAD",
        (
            r"client connection closed before[^\n]{0,40}load",
            r"aborting (the )?(model )?load",
            r"(client|request|caller)[^\n]{0,40}(closed|cancel|disconnect|gave up|timed? ?out|left|aborted)[^\n]{0,40}(before|while|during)[^\n]{0,40}\bload(ed|ing|s)?\b",
            r"\bload(ing)?[^\n]{0,40}(cancel|abort)l?ed (by|because)[^\n]{0,20}(client|caller|request)",
        ),
        confidence=0.95,
    ),
    Sign(
        "CLIENT_TIMEOUT_DURING_LOAD",
        (r"context cancel+ed", r"\| 499 \|", r"status[ =:]{1,2}499", r"read ?timed? ?out|readtimeout|client\.timeout exceeded|und_err_headers_timeout"),
        beside=r"load(ing|ed)? (the )?(model|llama|weights)|(model|llama)[^\n]{0,20} (is )?(still )?load(ing|s)?\b|waiting for llama|load_(duration|tensors|model)",
        unless=r"waiting for llama[^\n]{0,30} to start - |/health|loaded (the )?model",
        both=True,
        confidence=0.78,
    ),
    Sign(
        "MODEL_LOAD_TIMEOUT",
        (
            rf"timed? ?out (while )?(waiting for|loading)( the)? {_LOADER}",
            rf"{_LOADER}[^\n]{{0,30}} (load|start)(ing|up)?[^\n]{{0,10}} timed? ?out",
            r"(model )?load(ing)? (timeout|timed out|took too long)",
            r"failed to load (the )?model[^\n]{0,30}(timeout|timed out|deadline)",
            r"ollama_load_timeout\b(?!:)",
        ),
        unless=r"client connection closed before",
        confidence=0.93,
    ),
    Sign(
        "HEALTHCHECK_TIMEOUT",
        (
            r"/health'?:? [^\n]{0,60}(deadline exceeded|timeout|timed out)|health resp: ",
            r"(health[ _-]?(check|resp(onse)?|probe)|server health)[^\n]{0,60}(timed? ?out|deadline|timeout|no response|not respond)",
            rf"(runner|llama[- ]server|llm server)[^\n]{{0,10}} ({_NOT}|stopped) respond(ing)?",
            r"failed to (check|get) (the )?(server )?(health|status)",
            r"(unexpected server status|server unhealthy)[^\n]{0,30}not responding",
        ),
        beside=r"llama|ollama|runner|model|llm|127\.0\.0\.1:\d+/health",
        unless=r"(readiness|liveness) probe failed",
        confidence=0.88,
    ),
)  # fmt: skip

MEMORY = (
    Sign("INSUFFICIENT_RAM", (rf"requires? more system memory(?: \((?P<need>{_SIZE})\) than is available \((?P<have>{_SIZE})\))?", r"model request too large for system"), confidence=0.97),
    Sign(
        "INSUFFICIENT_VRAM",
        (
            r"\b(cuda|hip|rocm|vulkan|metal|mtl|gpu|sycl|cublas)\w*[^\n]{0,60}out[ _-]?of[ _-]?memory",
            r"out of memory[^\n]{0,60}\b(cuda|hip|gpu|vram|device \d)\b",
            r"out of (gpu|video|device|graphics) (memory|ram)|outofdevicememory|out_of_device_memory|outofmemoryerror[^\n]{0,40}(cuda|hip|gpu)",
            r"(cuda|hip)malloc\w*[^\n]{0,40}fail",
            r"(unable|failed) to allocate[^\n]{0,40}\b(cuda|rocm|vulkan|metal|sycl|hip|gpu)\d*\b",
            r"(not enough|insufficient|too little|no more|exceeds?( the)?( available)?|more than the) (free |available )*(v-?ram|gpu[ -]memory|video memory|graphics memory)",
            r"requires? more (gpu|video|v-?ram)",
            r"no available memory for the cache blocks",
            r"(increas|decreas|reduc)[^\n]{0,20}gpu[_-]memory[_-]utilization",
            r"free memory on device[^\n]{0,80}less than desired",
            r"cublas_status_alloc_failed|erroroutofdevicememory|iogpu\w*outofmemory",
            r"(does not|doesn't|will not|won't|cannot|can't) fit (in|into|on)( the)? (v-?ram|gpu)",
            r"tried to allocate [\d.]+ [kmg]i?b[^\n]{0,60}gpu",
        ),
        confidence=0.93,
    ),
    Sign(
        "INSUFFICIENT_RAM",
        (
            r"(not enough|insufficient|too little) (free |available |system |main |host )*(ram\b|memory)",
            r"insufficient system resources",
            r"std::bad_alloc",
            r"(unable|failed) to allocate[^\n]{0,40}(\bcpu|buffer|memory|tensor)",
            r"cannot allocate memory",
            r"signal: killed|oom[ -]?kill(ed|er)?\b|killed process \d+|memory cgroup out of memory",
            r"out of memory",
            r"model (is )?too (large|big)[^\n]{0,20}(memory|ram|system)",
        ),
        beside=MODEL_HOST + r"|load(ing)? (the )?model",
        confidence=0.85,
    ),
)  # fmt: skip

DISCOVERY = (
    Sign(
        "GPU_DISCOVERY_FAILED",
        (
            r"failure during gpu discovery|failed to finish (gpu )?discovery",
            r"(gpu|device|cuda|rocm|hip|vulkan|bootstrap) discovery[^\n]{0,50}(fail|timed? ?out|timeout|error|unable)",
            rf"(unable|failed|failure|error|could not|couldn't|cannot|can't)[^\n]{{0,30}}(discover|detect|enumerate|initiali[sz]e|find|load|access|see)(ing)?[^\n]{{0,20}}\b({_GPU}|nvcuda|libcuda\w*|libnvidia\S*|gpus|nvidia-smi)\b",
            r"no (compatible|supported|usable|nvidia|amd|cuda|cuda-capable|rocm|rocm-capable|vulkan)( or amd| or nvidia)?( gpu)? ?(gpus?|devices?)\b",
            r"no gpus? (detected|found|available|discovered|was)",
            r"nvidia-smi (has )?failed|failed to initialize nvml|driver/library version mismatch",
            r"cuda driver version is insufficient|cuda driver library (failed|init)",
            r"(cuda|cudart|nvml|nvcuda|nvml vram) (driver library )?init(ialization)? failure|cuda error:? (3|46|100|999)\b",
            r"(cu|hip|nvml)init[^\n]{0,30}(err|fail|: ?\d{2,3}\b|returned)",
            r"unable to verify rocm|amdgpu (version file missing|driver (is )?too old|is not supported|too old)",
            r"gfx\d+\w* is not supported|unsupported (radeon|amd) (gpu|igpu)|amdgpu is not supported",
            r"rocblas error: cannot read|no kernel image is available for execution",
            r"could not select device driver|unknown or invalid runtime name:? nvidia|nvidia-container-cli",
            r"failed to infer device type|torch not compiled with cuda",
            r"gpu (is |was )?(not|isn't|wasn't) (being )?(detected|found|recogni[sz]ed|visible)",
            r"rocm[^\n]{0,30}(driver|version)[^\n]{0,20}(too old|older|unsupported|incompatible)",
        ),
        confidence=0.9,
    ),
)  # fmt: skip

BUSY = (
    Sign(
        "SERVER_BUSY",
        (
            r"server (is )?(too )?busy|maximum pending requests|ollama_max_queue exceeded",
            r"(server|model|engine|service|host|api)( is| are)?( currently| temporarily)* (overloaded|at capacity|over capacity)",
            r"overloaded_error|over capacity|engineoverloaded",
            r"no (free |available )?slots?( (is|are))?( currently)? available|slot (is )?unavailable|all slots (are )?(busy|in use)",
            r"(request |pending )?queue (is |was )?(full|exceeded)",
            r"too many (pending|queued|concurrent|waiting) (requests|calls)",
        ),
    ),
)  # fmt: skip

WINDOW = (
    Sign(
        "CONTEXT_TRUNCATED",
        (
            rf"truncat(ing|ed|e) (the )?(input |oldest |old )?{_PROMPT}",
            rf"{_PROMPT} (has |have |was |were |is |are |will be |being |got |been |silently )*truncated",
            rf"(exceed(s|ed|ing)?|longer than|larger than|greater than|beyond|overflows)( the| a| its)?( model'?s?)?( maximum| available| max| configured| allowed| total| supported)* {_WINDOW}",
            r"(maximum|max) (context|prompt) (length|size|window)",
            r"context[ _](length|window|size)[ _](is )?(exceeded|overflow|too small|limit exceeded)|exceed_context_size|contextwindowexceeded|context (overflow|shift is disabled)",
            r"prompt (is |was )?too long|(input|request|messages?) (is |are |was )?too long for",
            r"loaded with context length|maximum number of tokens allowed|input length exceeds",
            r"requested tokens \(\d+\) exceed|sequence length is longer than the specified maximum|increase the physical batch size",
            r"(forgets|forgot|ignores|ignored|loses|lost) (the |its |my )?(system (prompt|message)|beginning of the)[^\n]{0,80}(num_ctx|context|tokens)",
            r"longer than num_ctx|prompt_eval_count'?[:= ]+(2048|4096)\b|n_ctx[^\n]{0,20}too small",
            r"(oldest|earlier|first) messages? (was |were |have been )?(dropped|discarded|cut)",
            r"please reduce the length of the (messages|prompt|input)",
        ),
        unless=r"tokens per (minute|min|day)|\btpm\b",
    ),
)  # fmt: skip

_STATUS = r"(status(?:[ _]?code)?'?[ =:']{1,4}|http(?:/[\d.]+)?[ :'=]+|'code' ?[=:] ?|\berror (?:code)?[ :'=(]{1,3}|\(|^|\| )"
_OTHER = r"'?[ )|:\-}\],.]|$"

ACCOUNT = (
    Sign(
        "QUOTA_EXCEEDED",
        (
            r"insufficient[_ ](quota|balance|credits?|funds)",
            r"exceed(s|ed|ing)? (your|the|its)[^\n]{0,30}(quota|usage limit|budget|spend)",
            r"resource_exhausted[^\n]{0,60}quota|resource has been exhausted|quota( limit)?( has been| was| is)? ?(exceeded|exhausted|reached|depleted)",
            r"out of credits?|no (more )?credits|credit balance is too low|not enough credits|requires more credits",
            r"billing[_ ](hard[_ ]limit|not[_ ]active)|payment required|check your plan and billing|requires a subscription",
            r"(reached|hit|exceeded) (your|the)[^\n]{0,20}(usage|monthly|weekly|daily|hourly|session|spend(ing)?)[^\n]{0,20}limit",
            r"(monthly|weekly|daily|usage|spending|budget)( usage)? limit( has been| was| is)? ?(reached|exceeded|hit)|budget has been exceeded",
        ),
        confidence=0.92,
    ),
    Sign("QUOTA_EXCEEDED", (_STATUS + rf"402({_OTHER})",), beside=MODEL_HOST + r"|error|plan|account", confidence=0.8),
    Sign(
        "RATE_LIMITED",
        (
            r"rate[ _-]?limit(s|ed|ing)?( was| is| has been)? ?(exceed|reach|hit|error)|rate_?limit_?(exceeded|error)|\brate[ -]limited\b",
            r"too[ _]?many[ _]?requests",
            r"(exceed(s|ed)?|reached|hit) (your|the|its)?[^\n]{0,20}(rate|pull rate|request)s?[ _-]limit",
            r"\bthrottl(ed|ing)(exception)?\b[^\n]{0,40}(request|rate)",
            r"limit[^\n]{0,40}(requests|tokens) per (minute|min|second|day|hour)",
        ),
    ),
    Sign("RATE_LIMITED", (_STATUS + rf"429({_OTHER})",), confidence=0.85),
)  # fmt: skip

NAMES = (
    Sign(
        "MODEL_NOT_FOUND",
        (
            rf"\bmodel:? '(?P<model>[\w./:@-]{{1,120}})'[^\n]{{0,30}}? {_NOT} (be )?(found|exist|available|installed|pulled|downloaded|present|loaded)",
            rf"\bmodel:? (?P<bare_model>[\w.-]+[:/][\w./:@-]{{1,120}}) {_NOT} (found|exist|available|installed|pulled|downloaded)",
            r"\bmodel[ _]?(is |was )?not[ _]?(found|exist)",
            r"does not have the model (?P<absent_model>[\w./:@-]{0,119}\w)",
            r"try pulling it|pull model manifest[^\n]{0,80}(does not exist|not found|unknown)|pulling manifest\b[^\n]{0,80}manifest unknown",
            r"(unknown|no such) model\b( '?(?P<unknown_model>[\w./:@-]{1,120})'?)?",
            r"no models? (is |are )?(currently )?loaded",
            r"not a valid model (id|identifier|name)|invalid model (identifier|id)\b",
            r"failed to open (the )?gguf file|(model|gguf|checkpoint)( file)?[^\n]{0,60}(no such file|does not exist)",
            r"is not a local folder and is not a valid model identifier|repository not found for url",
            r"you (may )?(need to|have to|should) (pull|download) (the |this )?model|(could not|couldn't|cannot|can't|unable to|failed to) (find|locate) (the )?model\b",
        ),
        unless=r"unknown model architecture|django\.|pull access denied",
        confidence=0.92,
    ),
)  # fmt: skip

CRASHES = (
    Sign(
        "RUNNER_CRASHED",
        (
            r"model runner has unexpectedly stopped",
            r"(runner|llama-server)( process)? (has terminated|no longer running)",
            r"an error was encountered while running the model",
            r"enginedeaderror|engine (process|core)[^\n]{0,20}(died|failed)|the model has crashed",
        ),
        unless=r"error loading model",
        confidence=0.75,
    ),
    Sign(
        "MODEL_LOAD_FAILED",
        (
            r"(error|failed|unable) (to )?load(ing)? (the )?model\b",
            r"unknown model architecture|unknown \(magic|invalid (file )?magic|gguf[^\n]{0,40}(invalid|corrupt|unsupported)",
        ),
        beside=MODEL_HOST,
        confidence=0.75,
    ),
    Sign("REPEATED_TEXT", (r"token repeat limit reached",), confidence=0.9),
)  # fmt: skip
"""They come late: most have a cause that is named beside them."""

DOORS = (
    Sign(
        "UNAUTHORIZED",
        (
            r"\bunauthori[sz]ed\b",
            r"(invalid|incorrect|wrong|missing|expired|revoked|no)[_ ](or missing )?(api|access|bearer|auth\w*)[ _-]?(key|token|credential)s?",
            r"api[_ -]?key[^\n]{0,40}(not (valid|provided|set|found)|invalid|missing|required|incorrect|must be set|expired|revoked)",
            r"(did not|didn't) provide an api key",
            r"authentication[_ ]?(error|failed|required|is required)|(could not validate|no auth|invalid) credentials|not authenticated",
            r"authorization header[^\n]{0,20}(missing|required|invalid)|missing (bearer|authorization)",
            r"403 forbidden|access( was| is)? forbidden|gated (repo|model)",
            r"permission_error|you (are not|aren't|need to be|must be) (authenticated|authorized|logged in|signed in)",
        ),
        beside=MODEL_HOST + r"|\bapi\b|http|\b40[13]\b|\bkey\b|bearer",
        unless=r"could not read username|permission denied \(publickey",
        confidence=0.88,
    ),
    Sign("UNAUTHORIZED", (_STATUS + rf"40[13]({_OTHER})",), beside=MODEL_HOST + r"|error|\bkey\b|token", confidence=0.78),
)  # fmt: skip

REQUESTS = (
    Sign(
        "BAD_REQUEST",
        (
            r"invalid_request_error",
            r"(messages|model) is required|missing request body|invalid model name",
            r"cannot unmarshal[^\n]{0,40} into go struct field (chat|generate|embed|show|create|pull)\w*request",
            r"option '\w+' must be of type|invalid options?( provided)?: ",
            r"does not support (thinking|images?|vision|embeddings?|chat|generate)|multimodal data provided",
        ),
        confidence=0.88,
    ),
    Sign(
        "BAD_REQUEST",
        (
            r"badrequesterror|\bbad[ _]request\b",
            r"(prompt|input|request body|content|role)'? (is|are|field)( a)? ?required",
            r"cannot unmarshal|unprocessable (entity|content)|unsupported type: |invalid duration",
            r"invalid (format|json schema|role|message|image)\b",
            r"(unknown|unsupported|unrecognized) (parameter|request argument|value)|invalid (request|json|body|payload|parameter)\b",
            r"request (body|entity) too large|invalid character '.{1,6}' looking for",
        ),
        beside=MODEL_HOST + r"|\b4(00|13|22)\b",
        confidence=0.8,
    ),
    Sign("BAD_REQUEST", (_STATUS + rf"(400|422)({_OTHER})",), beside=MODEL_HOST, confidence=0.75),
    Sign("SERVER_BUSY", (_STATUS + rf"(503|529)({_OTHER})", r"service unavailable", r"'loading model'"), beside=MODEL_HOST, confidence=0.7),
)  # fmt: skip
