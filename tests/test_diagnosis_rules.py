"""The rules that recognize known failures in logs: each category in several wordings, and texts that only look like one."""

from __future__ import annotations

import pytest

from mmos.diagnosis.knowledge import FAILURES
from mmos.diagnosis.reader import select
from mmos.diagnosis.rules import judge
from mmos.diagnosis.signs import lines_of
from mmos.diagnosis.verdict import Verdict

KNOWN: dict[str, tuple[str, ...]] = {
    "SERVER_NOT_RUNNING": (
        "Error: could not connect to ollama app, is it running?",
        "httpx.ConnectError: [Errno 61] Connection refused\nurl: http://localhost:11434/api/chat",
        "Post \"http://127.0.0.1:11434/api/generate\": dial tcp 127.0.0.1:11434: connect: connection refused",
        "java.net.ConnectException: Connection refused: localhost/127.0.0.1:11434\n\tat okhttp3.internal.connection",
        "requests.exceptions.ConnectionError: HTTPConnectionPool(host='localhost', port=1234): Max retries exceeded with url: /v1/chat/completions (Caused by NewConnectionError('[WinError 10061] No connection could be made because the target machine actively refused it'))",
        "aiohttp.client_exceptions.ClientConnectorError: Cannot connect to host localhost:11434 ssl:default [Connect call failed ('127.0.0.1', 11434)]",
        "litellm.APIConnectionError: OllamaException - [Errno 111] Connection refused",
        "curl: (7) Failed to connect to localhost port 11434 after 0 ms: Couldn't connect to server",
        "ConnectionError: Failed to connect to Ollama. Please check that Ollama is downloaded, running and accessible.",
    ),
    "BOUND_TO_LOCALHOST_ONLY": (
        "dial tcp 192.168.178.20:11434: connect: connection refused",
        "Error: connect ECONNREFUSED 172.17.0.1:11434\n  at TCPConnectWrap (inside the container)",
        "HTTPConnectionPool(host='host.docker.internal', port=11434): Max retries exceeded with url: /api/tags (Caused by NewConnectionError('Connection refused'))",
        "msg=\"Listening on 127.0.0.1:11434 (version 0.12.3)\"\nclient gpu-box: connect to 10.0.0.7:11434 failed: Connection refused",
        "curl http://localhost:11434 works on the server itself, from another machine I get connection refused (ollama)",
    ),
    "LOCALHOST_INSIDE_CONTAINER": (
        "webapp-1  | requests.exceptions.ConnectionError: HTTPConnectionPool(host='localhost', port=11434): Connection refused\n$ docker compose logs webapp",
        "open-webui  | ERROR [open_webui.routers.ollama] Connection error: Cannot connect to host localhost:11434 ssl:default [Connect call failed ('127.0.0.1', 11434)]",
        "pod/agent-5d9f: dial tcp [::1]:11434: connect: connection refused (kubernetes)",
        "File \"/app/main.py\", line 12\nhttpx.ConnectError: [Errno 111] Connection refused\nOLLAMA_BASE_URL=http://127.0.0.1:11434",
    ),
    "SERVER_BUSY": (
        "503 {\"error\":\"server busy, please try again.  maximum pending requests exceeded\"}",
        "anthropic style: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
        "llama-server: {\"error\":{\"code\":503,\"message\":\"no slot available\",\"type\":\"unavailable_error\"}}",
        "HTTP 503 from http://gpu1:11434/api/chat: Service Unavailable",
    ),
    "MODEL_NOT_FOUND": (
        "ollama._types.ResponseError: model 'qwen3:99b' not found (status code: 404)",
        "{\"error\":\"model \\\"lama3.2\\\" not found, try pulling it first\"}",
        "Error: pull model manifest: file does not exist",
        "The model `gpt-oss-20b` does not exist. code: model_not_found",
        "{\"error\":{\"message\":\"No models loaded. Please load a model in the developer page or use the `lms load` command.\"}}",
        "Failed to load model: gguf_init_from_file: failed to open GGUF file '/models/phi.gguf'",
    ),
    "INSUFFICIENT_RAM": (
        "Error: model requires more system memory (11.2 GiB) than is available (6.9 GiB)",
        "llama runner process has terminated: signal: killed",
        "kernel: Out of memory: Killed process 4711 (ollama_llama_se) total-vm:30GB",
        "Model loading was stopped due to insufficient system resources (LM Studio)",
        "llama_model_load: error loading model: unable to allocate CPU buffer",
        'level=WARN source=server.go:136 msg="model request too large for system" requested="24.1 GiB"',
        'systemd[1]: ollama.service: A process of this unit has been killed by the OOM killer.',
    ),
    "INSUFFICIENT_VRAM": (
        "llama-server process has terminated: exit status 1: cudaMalloc failed: out of memory",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 11.76 GiB",
        "ggml_vulkan: Device memory allocation of size 5368709120 failed.\nvk::Device::allocateMemory: ErrorOutOfDeviceMemory",
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine.",
        "ggml_gallocr_reserve_n: failed to allocate CUDA0 buffer of size 3456789012",
    ),
    "GPU_DISCOVERY_FAILED": (
        "level=INFO source=gpu.go:392 msg=\"no compatible GPUs were discovered\"",
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
        "docker: Error response from daemon: could not select device driver \"\" with capabilities: [[gpu]].",
        "level=WARN msg=\"amdgpu is not supported\" gpu_type=gfx1010",
        "Failed to initialize NVML: Driver/library version mismatch",
        "level=INFO msg=\"unable to load cuda driver library\" library=libcuda.so.550 error=\"cuda driver library init failure: 999\"",
    ),
    "MODEL_LOAD_TIMEOUT": (
        "Error: timed out waiting for llama-server to start - progress 0.42 -",
        "llama runner start timed out after 5m0s: raise OLLAMA_LOAD_TIMEOUT",
        "Failed to load model: deadline exceeded while reading /models/big.gguf",
    ),
    "CLIENT_TIMEOUT_DURING_LOAD": (
        "level=WARN source=server.go:583 msg=\"client connection closed before server finished loading, aborting load\"",
        "msg=\"error loading llama server\" error=\"timed out waiting for llama runner to start: context canceled\"\n[GIN] | 499 | 1m30s | POST \"/api/chat\"",
        "httpx.ReadTimeout: timed out\nollama: load_tensors: loading model tensors, this can take a while",
    ),
    "HEALTHCHECK_TIMEOUT": (
        "ollama._types.ResponseError: health resp: Get \"http://127.0.0.1:41773/health\": context deadline exceeded",
        "level=DEBUG source=server.go:576 msg=\"server unhealthy\" error=\"llm server not responding\"",
        "llama runner is not responding",
    ),
    "CONTEXT_TRUNCATED": (
        "level=WARN source=runner.go:186 msg=\"truncating input prompt\" limit=8192 prompt=12034 keep=4 new=8192",
        "openai.BadRequestError: 400 This model's maximum context length is 4096 tokens. However, you requested 5012 tokens",
        "{\"error\":{\"code\":400,\"message\":\"request (9000 tokens) exceeds the available context size (4096 tokens), try increasing it\",\"type\":\"exceed_context_size_error\"}}",
        "ValueError: Requested tokens (2301) exceed context window of 2048",
        "Trying to keep the first 6013 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens",
        "the input length exceeds the context length",
    ),
    "UNAUTHORIZED": (
        "HTTP/1.1 401 Unauthorized\nwww-authenticate: Bearer\nPOST https://llm.example/v1/chat/completions",
        "openai.AuthenticationError: Error code: 401 - {'error': {'message': 'Incorrect API key provided: ***', 'code': 'invalid_api_key'}}",
        "403 Forbidden: {\"error\":\"access forbidden\"} from http://proxy/ollama/api/chat",
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth",
    ),
    "QUOTA_EXCEEDED": (
        "openai.RateLimitError: Error code: 429 - {'error': {'message': 'You exceeded your current quota, please check your plan and billing details.', 'type': 'insufficient_quota'}}",
        "402 {\"error\":{\"message\":\"Insufficient credits. Add more using https://openrouter.ai/credits\"}}",
        "{\"error\":\"you've reached your hourly usage limit, please upgrade to continue\"}",
        "Your credit balance is too low to access the API.",
    ),
    "RATE_LIMITED": (
        "litellm.RateLimitError: Rate limit reached for requests",
        "HTTP 429 Too Many Requests, retry-after: 12",
        "{\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"Limit 30000 tokens per minute\"}}",
        "toomanyrequests: You have reached your pull rate limit",
    ),
    "BAD_REQUEST": (
        "400 {\"error\":\"model is required\"}",
        "json: cannot unmarshal number into Go struct field ChatRequest.messages of type []api.Message",
        "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\",\"model\"],\"msg\":\"Field required\"}]} 422 Unprocessable Entity",
        "{\"error\":\"invalid model name\"} (status code: 400)",
        "option \"num_ctx\" must be of type integer",
        "\"qwen2.5:7b\" does not support thinking",
    ),
    "MODEL_LACKS_TOOL_SUPPORT": (
        "registry.ollama.ai/library/gemma2:9b does not support tools (status code: 400)",
        "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set",
        "No endpoints found that support tool use.",
        "tools param requires --jinja flag",
        "Function calling is not supported: this model does not support function calling",
    ),
    "TOOL_CALL_IN_CONTENT": (
        "\"message\":{\"role\":\"assistant\",\"content\":\"{\\\"name\\\": \\\"get_time\\\", \\\"parameters\\\": {\\\"zone\\\": \\\"CET\\\"}}\"},\"tool_calls\":[]",
        "The agent prints <tool_call>{\"name\": \"ls\", \"arguments\": {}}</tool_call> as plain text instead of calling it",
        "response.message.tool_calls is None\nresponse.message.content = '[TOOL_CALLS] [{\"name\": \"add\", \"arguments\": {\"a\": 1}}]'",
    ),
    "MALFORMED_TOOL_CALL_FROM_MODEL": (
        'HarmonyError: unexpected tokens remaining in message header',
        "500 {\"error\":\"error parsing tool call: raw='{\\\"path\\\": }', err=invalid character '}' looking for beginning of value\"}",
        "groq.BadRequestError: 400 {'error': {'message': \"Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.\", 'code': 'tool_use_failed'}}",
        "llama-server returned invalid tool call arguments for \"write_file\": unexpected end of JSON input",
        "ERROR hermes_tool_parser.py:144] Error in extracting tool call from response.",
        "finish_reason: MALFORMED_FUNCTION_CALL",
        "tool_calls[0].function.arguments: json.decoder.JSONDecodeError: Expecting ',' delimiter: line 1 column 40",
    ),
    "TOOL_CALL_UNPARSEABLE": (
        "could not decode the model output as a function call: unexpected EOF\nmodel output: [get_weather(city='Paris'",
        "tool call rejected: Invalid syntax. Failed to decode AST. unexpected EOF",
        "langchain_core.exceptions.OutputParserException: Could not parse LLM output: `I would look it up`",
        "No valid tool call could be extracted from the answer of the model",
    ),
    "TOOL_CALL_WRONG_FORMAT": (
        "tool call rejected: Did not output in the specified format. Note: see the prompt",
        "Invalid Format: Missing 'Action:' after 'Thought:'",
        "expected a JSON tool call, got Python: add(1, 2)",
    ),
    "HALLUCINATED_TOOL": (
        "pydantic_ai: Unknown tool name: 'browse'. Available tools: search, fetch",
        "AI_NoSuchToolError: Model tried to call unavailable tool 'open_file'. Available tools: read_file.",
        "web_lookup is not a valid tool, try one of [search, calculator].",
        "attempted to call tool 'bash' which was not in request.tools",
        "Error: tool `delete_all` does not exist in the list of tools of the agent",
    ),
    "WRONG_FUNCTION": (
        'expected function `book_flight`, but the model called `search_flights`',
        'grading: expected `get_price` to be called, got `get_company`',
        "tool call rejected: Function name 'geo.distance' not found in model output.",
        "expected tool 'search', but got 'fetch'",
        "The model called the wrong tool for this question",
    ),
    "WRONG_NUMBER_OF_CALLS": (
        'the model made 1 tool call but 2 were expected',
        "tool call rejected: Wrong number of functions.\nmodel output: [{\"f\": \"{}\"}]",
        "expected 2 tool calls, got 1",
        "This model only supports single tool-calls at once!",
    ),
    "CALL_WHEN_NONE_EXPECTED": (
        "tool call rejected: Valid syntax. Successfully decode AST when it should not.\nmodel output: [f(a=1)]",
        "expected no tool call, got get_weather(city='Rome')",
        "No tool call was expected here, and the model called search",
    ),
    "MISSING_REQUIRED_ARG": (
        "tool call rejected: Missing required parameter: 'unit'.\nmodel output: [convert(value=3)]",
        "MCP error -32602: Invalid arguments for tool read_file: [{\"code\":\"invalid_type\",\"expected\":\"string\",\"received\":\"undefined\",\"path\":[\"path\"],\"message\":\"Required\"}]",
        "call to `search` failed: query is missing; it takes a text",
        "1 validation error for StructuredTool search\nquery\n  Field required [type=missing, input_value={}, input_type=dict]",
        "jsonschema: 'city' is a required property (arguments of the tool call get_weather)",
    ),
    "UNEXPECTED_ARG": (
        "tool call rejected: Unexpected parameter: 'colour'.\nmodel output: paint(colour='red')",
        "TypeError: search() got an unexpected keyword argument 'limit' (while running the tool call)",
        "Additional properties are not allowed ('verbose' was unexpected) in the arguments of the tool call",
    ),
    "ARG_TYPE_ERROR": (
        "tool call rejected: Incorrect type for parameter 'days'. Expected type integer, got str. Parameter value: '3'.",
        "tool call rejected: Nested type checking failed for parameter 'points'. Expected outer type array with inner type <class 'float'>.",
        "tool arguments: 'three' is not of type 'integer'",
        "1 validation error for tool input\ncount\n  Input should be a valid integer [type=int_parsing]",
    ),
    "ARG_VALUE_ERROR": (
        "Input validation error: 'urgent' is not one of ['low', 'high']",
        "tool call rejected: Invalid value for parameter 'mode': 'fast'. Expected one of ['slow', 'medium'].",
        "tool call get_weather: 'kelvin' is not one of ['celsius', 'fahrenheit']",
        "Invalid arguments for tool convert: Invalid enum value. Expected 'km' | 'mi', received 'parsec'",
    ),
    "RUNNER_CRASHED": ("Error: llama runner process has terminated: exit status 2", "500: model runner has unexpectedly stopped, this may be due to resource limitations or an internal error"),
    "MODEL_LOAD_FAILED": ("llama_model_load: error loading model architecture: unknown model architecture: 'newone'", "Error: unable to load model: /models/blobs/sha256-12ab (ollama)"),
    "REPEATED_TEXT": ("{\"error\":\"prediction aborted, token repeat limit reached\"}", "ollama: the token repeat limit reached after 100 tokens"),
    "PORT_IN_USE": ("Error: listen EADDRINUSE: address already in use :::3000", "Bind for 0.0.0.0:5432 failed: port is already allocated"),
    "DISK_FULL": ("tar: write error: No space left on device", "npm ERR! ENOSPC: no space left on device, write"),
    "COMMAND_NOT_FOUND": ("bash: line 1: cargo: command not found", "exec: \"protoc\": executable file not found in $PATH"),
    "NAME_NOT_RESOLVED": ("curl: (6) Could not resolve host: db.internal", "getaddrinfo ENOTFOUND registry.corp"),
    "NETWORK_UNREACHABLE": ("connect: Network is unreachable", "ssh: connect to host 10.9.9.9 port 22: No route to host"),
    "CERTIFICATE_INVALID": ("ssl.SSLCertVerificationError: certificate verify failed: unable to get local issuer certificate", "tls: failed to verify certificate: x509: certificate signed by unknown authority"),
    "DEPENDENCY_UNRESOLVED": ("ERROR: No matching distribution found for torch==9.9", "npm ERR! code ERESOLVE\nnpm ERR! ERESOLVE unable to resolve dependency tree"),
    "IMPORT_ERROR": ('ImportError: libGL.so.1: cannot open shared object file: No such file or directory', "ModuleNotFoundError: No module named 'yaml'", "Error: Cannot find module './lib/parse'"),
    "SYNTAX_ERROR": ("SyntaxError: invalid syntax", "script.sh: line 4: syntax error near unexpected token `fi'"),
    "COMPILE_ERROR": ("src/main.cpp:12:5: error: 'vectr' was not declared in this scope", "error[E0382]: borrow of moved value: `names`"),
    "PERMISSION_DENIED": ("mkdir: cannot create directory '/srv/data': Permission denied", "EACCES: operation failed, open '/etc/app.conf'"),
    "TEST_FAILED": ("FAILED tests/test_cart.py::test_total - assert 3 == 4", "--- FAIL: TestTotal (0.00s)"),
    "OUT_OF_MEMORY_KILLED": ('build.service: A process of this unit has been killed by the OOM killer.', "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", "java.lang.OutOfMemoryError: Java heap space"),
    "MERGE_CONFLICT": ("CONFLICT (content): Merge conflict in src/app.py", "error: could not apply 3f2a1bc... Rename the field"),
}  # fmt: skip

UNKNOWN_LOGS = (
    "",
    "Process completed with exit code 1.",
    "make: *** [Makefile:12: all] Error 2",
    "Ollama is running",
    "connected to 127.0.0.1:11434 in 429 ms",
    "compiled 401 files, 403 objects, 503 symbols",
    "the tool was called three times and the answer is 42",
    'level=INFO msg="loaded model qwen3:8b" duration=4.2s',
    "checked the health of the server: ok",
    "test_rate_limit_is_read ... ok",
    "docker: container started on localhost:8080",
    "GPU 0: 10 GiB of 24 GiB used, model fits in VRAM",
    "the prompt has 300 tokens, the context length is 8192",
    "api key loaded from the environment",
    '{"name": "my-package", "version": "1.0.0"}',
    "tool calls: 2, expected 2",
    "all required parameters are present",
    "quota: 10 of 100 requests used",
    "function add(a, b) is defined in math.js",
    "port 8080 is free",
)


def judged(log: str) -> Verdict:
    return judge(select([log.encode()]), lines_of(log))


@pytest.mark.parametrize(("category", "log"), [(category, log) for category, logs in KNOWN.items() for log in logs])
def test_a_known_failure_has_its_category(category: str, log: str) -> None:
    verdict = judged(log)
    assert (verdict.category, bool(verdict.evidence)) == (category, True)
    assert verdict.cause is not None
    assert "{" not in verdict.cause + verdict.cure


@pytest.mark.parametrize("log", UNKNOWN_LOGS)
def test_what_only_looks_like_a_failure_has_no_category(log: str) -> None:
    assert judged(log).category is None


def test_the_texts_name_what_the_log_names() -> None:
    verdict = judged("ResponseError: model 'qwen3:99b' not found (status code: 404)")
    assert verdict.cause == "The server does not have qwen3:99b."
    assert "`mmos models pull qwen3:99b`" in verdict.cure
    assert "(it needs 11.2 GiB, and 6.9 GiB is free)" in str(judged(KNOWN["INSUFFICIENT_RAM"][0]).cause)
    assert judged(KNOWN["PORT_IN_USE"][1]).cause == (
        "Another process already listens on port 5432: Bind for 0.0.0.0:5432 failed: port is already allocated"
    )


def test_a_name_from_a_log_is_no_shell_word_with_a_meaning() -> None:
    assert "touch" not in judged("model 'x;touch /tmp/y' not found, try pulling it first").cure
    assert "command -v -rf" not in judged("sh: 1: -rf: not found").cure


def test_the_evidence_shows_where_the_client_runs() -> None:
    verdict = judged(
        "$ docker compose logs app\nstarting\nhttpx.ConnectError: [Errno 111] Connection refused\nOLLAMA=http://localhost:11434"
    )
    assert [line.number for line in verdict.evidence] == [1, 3]
    assert "localhost:11434 is the container itself" in str(verdict.cause)


@pytest.mark.parametrize(
    ("log", "category", "address", "cure"),
    [
        ('psycopg.OperationalError: connection to server at "localhost" (127.0.0.1), port 5432 failed: Connection refused', "SERVER_NOT_RUNNING", "127.0.0.1:5432", "`depends_on`"),
        ("web-1 | redis.exceptions.ConnectionError: Error 111 connecting to localhost:6379. Connection refused.\n$ docker compose up", "LOCALHOST_INSIDE_CONTAINER", "localhost:6379", "name of the service"),
        ("dial tcp 172.18.0.3:3306: connect: connection refused", "SERVER_NOT_RUNNING", "172.18.0.3:3306", "`ss -ltn`"),
    ],
)  # fmt: skip
def test_a_refused_connection_to_another_service_gets_no_advice_about_models(log: str, category: str, address: str, cure: str) -> None:
    verdict = judged(log)
    assert (verdict.category, address in str(verdict.cause), cure in verdict.cure) == (category, True, True)
    assert "llama" not in verdict.cure


def test_a_long_log_is_judged_by_its_likely_lines() -> None:
    noise = [f"test case {number} ... ok (429 requests, retried after: too many requests)" for number in range(1500)]
    log = "\n".join([*noise, "error: sh: 1: protoc: not found", "make: *** [all] Error 127", *noise[:20]])
    verdict = judged(log)
    assert (verdict.category, verdict.evidence[0].number) == ("COMMAND_NOT_FOUND", 1501)
    assert len(verdict.evidence) <= 5


def test_the_long_log_of_a_server_is_searched_for_what_servers_say() -> None:
    calm = ['time=2026-01-01T10:00:00Z level=INFO source=routes.go:12 msg="all is well"', "[GIN] | 200 | 1.2s | POST /api/chat"] * 400
    calm[301] = 'time=2026-01-01T10:00:00Z level=WARN source=runner.go:131 msg="truncating input prompt" limit=4096 prompt=9000'
    verdict = judged("\n".join(calm))
    assert (verdict.category, verdict.evidence[0].number) == ("CONTEXT_TRUNCATED", 302)


def test_the_messenger_is_never_the_cause() -> None:
    verdict = judged(
        "the widget 7 does not turn: FAILED as before\nmake: *** [Makefile:3: all] Error 2\nProcess completed with exit code 2."
    )
    assert (verdict.category, verdict.cause) == (None, "the widget 7 does not turn: FAILED as before")
    assert [line.number for line in verdict.evidence] == [1]
    alone = judged("make: *** [Makefile:3: all] Error 2")
    assert (alone.category, alone.cause, alone.cure, alone.confidence) == (None, None, "", 0.0)


def test_every_category_that_a_log_can_show_has_cases() -> None:
    of_logs = {category for category, failure in FAILURES.items() if failure.family != "runs"}
    assert of_logs <= KNOWN.keys()
    assert all(len(logs) > 1 for logs in KNOWN.values())


@pytest.mark.parametrize(
    "log",
    [
        "collected 12 items\ntests/test_errors.py::test_error_is_raised PASSED\n0 errors, 0 failures\n12 passed in 0.5s",
        "WARN retrying: connection refused\nINFO connected\nBuild succeeded: 0 Warning(s) 0 Error(s)",
        "found 0 vulnerabilities\ntest result: ok. 12 passed; 0 failed; 0 ignored\nBUILD SUCCESSFUL in 3s",
        "bash: foo: command not found (ignored)\nPASS src/a.test.js\nTests:       3 passed, 3 total\nSnapshots:   0 total",
        "starting\nthe flux capacitor is cold",
    ],
)
def test_a_log_without_a_failure_has_no_cause(log: str) -> None:
    verdict = judged(log)
    assert (verdict.category, verdict.cause, verdict.confidence) == (None, None, 0.0)


def test_what_fails_after_the_tests_passed_is_the_cause() -> None:
    assert judged("12 passed in 0.5s\n$ deploy\nbash: deploy: command not found").category == "COMMAND_NOT_FOUND"


def test_a_failed_test_is_explained_by_what_was_wrong_in_it() -> None:
    log = "____ test_a ____\nE       assert 1 < 0\nE        +  where 1 = one()\n\nt.py:4: AssertionError\nFAILED t.py::test_a - assert 1 <...\n1 failed in 1.3s"
    verdict = judged(log)
    assert (verdict.category, verdict.cause) == ("TEST_FAILED", "A test failed: assert 1 < 0")
    assert [line.number for line in verdict.evidence] == [2, 6]
    assert (
        judged("=== RUN   TestAdd\n    add_test.go:9: got 3, want 4\n--- FAIL: TestAdd (0.00s)").cause
        == "A test failed: add_test.go:9: got 3, want 4"
    )
    assert judged("1) User is valid\n   Failure/Error: expect(user).to be_valid\n2 examples, 1 failure").category == "TEST_FAILED"
    assert judged("t.py::test_a FAILED [ 50%]\nmake: *** [test] Error 1").category == "TEST_FAILED"


def test_the_first_error_of_a_compiler_comes_first_in_a_long_log() -> None:
    notes = [f"/usr/include/stl_{number}.h:5:5: note: candidate: template {number}" for number in range(60)]
    first, later = "/usr/include/map.h:8:20: error: no match for operator<", "/usr/include/vector.h:45:23: error: no match for operator<"
    verdict = judged("\n".join(["t.cpp:6:87:   required from here", first, *notes, "t.cpp:6:40:   required from here", later, *notes]))
    assert verdict.evidence[0].text == first


@pytest.mark.parametrize(
    ("line", "category"),
    [
        ("./main.go:14:2: undefined: fmt.Printn", "COMPILE_ERROR"),
        ("main.go:20:9: cannot use x (variable of type int) as string value", "COMPILE_ERROR"),
        ("main.go:20:9: ineffectual assignment to err (ineffassign)", None),
        ("e: file:///app/src/Main.kt:3:4 Unresolved reference: foo", "COMPILE_ERROR"),
    ],
)
def test_errors_of_compilers_without_the_word(line: str, category: str | None) -> None:
    assert judged(f"{line}\nmake: *** [build] Error 1").category == category


@pytest.mark.parametrize(
    ("log", "category"),
    [
        ("Failed to pull image reg/app:1.2: rpc error: code = NotFound desc = manifest unknown\nError: ImagePullBackOff", None),
        ("SyntaxError: Unexpected token < in JSON at position 0", None),
        ("E       AssertionError: expected 'model not found' in 'ok'\nFAILED t.py::test_get - AssertionError", "TEST_FAILED"),
        ("--- FAIL: TestKey (0.01s)\n    auth_test.go:20: status = 200, want 401 Unauthorized\nFAIL", "TEST_FAILED"),
        (
            "E   ConnectionRefusedError: [Errno 111] Connection refused\nFAILED t.py::test_get - ConnectionRefusedError",
            "SERVER_NOT_RUNNING",
        ),
    ],
)
def test_what_only_looks_like_a_failure_of_a_host(log: str, category: str | None) -> None:
    assert judged(log).category == category
