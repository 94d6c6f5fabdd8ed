"""Lists the failures that MMOS knows: what each category means, its cause and its cure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Literal

Family = Literal["hosts", "calls", "runs", "commands"]

UNKNOWN: Mapping[str, str] = {
    "host": "the host", "model": "the model", "address": "the address", "tool": "the tool", "argument": "an argument",
    "amounts": "", "name": "NAME", "port": "PORT", "file": "a file",
}  # fmt: skip
"""What stands in a text for a name that nobody told."""


@dataclass(frozen=True)
class Failure:
    """One category. Its texts have names in braces, such as `{model}`."""

    family: Family
    cause: str
    cure: str
    commands: str = ""
    """What also helps, with commands for those who work without MMOS."""
    elsewhere: str = ""
    """What helps instead if the server is none of models, such as a database."""


def _failures(family: Family, table: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, Failure]]:
    return ((category, Failure(family, *texts)) for category, texts in table.items())


LOG = "The log of the host has more."
LESS = "Ask about less at a time, or begin a new conversation: `--thread NAME`, in chat `/thread new`."

_HOSTS = {
    "SERVER_NOT_RUNNING": (
        "Nothing listens at {address}.",
        "Is Ollama running? Start it with `ollama serve`.",
        "`curl http://127.0.0.1:11434/api/version` shows whether it answers.",
        "See whether the service runs and listens: `ss -ltn`. If it starts at the same time, wait for it: in a compose file, `depends_on` with `condition: service_healthy`.",
    ),
    "BOUND_TO_LOCALHOST_ONLY": (
        "The server may run, but it accepts connections from its own machine only: {address} refuses them.",
        "Is Ollama running there? It serves its own machine alone unless it is started with OLLAMA_HOST=0.0.0.0.",
        "With systemd: `sudo systemctl edit ollama`, write Environment=OLLAMA_HOST=0.0.0.0 under [Service], then `sudo systemctl restart ollama`.",
        "Have the service listen on 0.0.0.0 instead of 127.0.0.1: `ss -ltn` shows where it listens.",
    ),
    "LOCALHOST_INSIDE_CONTAINER": (
        "The client runs in a container, and {address} is the container itself, not the machine with the server.",
        "Use http://host.docker.internal:11434 as the address. On Linux, start the container with `--add-host=host.docker.internal:host-gateway`, and Ollama with OLLAMA_HOST=0.0.0.0. In one compose file, use the name of the service.",
        "",
        "Use the name of the service in the compose file instead of localhost, or host.docker.internal for a service of the machine.",
    ),
    "SERVER_BUSY": (
        "The server accepts no more requests now: its queue is full, or it is overloaded.",
        "It accepts again when its models are loaded; OLLAMA_MAX_QUEUE there sets the length.",
        "",
        "Try again later, with fewer requests at once.",
    ),
    "MODEL_NOT_FOUND": (
        "The server does not have {model}.",
        "Fetch it with `mmos models pull {quoted_model}`, or with `ollama pull {quoted_model}` on {host}.",
    ),
    "INSUFFICIENT_RAM": (
        "The model needs more memory than is free{amounts}.",
        "Choose a smaller model or `context_window`, or unload another with `mmos models unload`.",
        "`ollama ps` shows what is loaded, and `ollama stop MODEL` unloads it.",
    ),
    "INSUFFICIENT_VRAM": (
        "The memory of the GPU is too small for the model and its window.",
        "Choose a smaller model or `context_window`, or unload another with `mmos models unload`.",
        "`nvidia-smi` shows who uses the memory, and `ollama stop MODEL` unloads a model. OLLAMA_KV_CACHE_TYPE=q8_0 halves the cache of the window.",
    ),
    "GPU_DISCOVERY_FAILED": (
        "The server found no GPU that it can use.",
        "On {host}: nvidia-smi (or rocm-smi), then restart Ollama; its log says which GPUs it found",
        "(`sudo systemctl restart ollama`, then `journalctl -u ollama`). If the driver does not answer, update it. In a container, give it the GPU: `docker run --gpus=all`.",
    ),
    "MODEL_LOAD_TIMEOUT": (
        "The server gave up: the model was not loaded in time.",
        "OLLAMA_LOAD_TIMEOUT there sets how long it tries.",
        "For example: `OLLAMA_LOAD_TIMEOUT=15m ollama serve`.",
    ),
    "CLIENT_TIMEOUT_DURING_LOAD": (
        "The client closed the connection while the server loaded the model, and so cancelled the load.",
        "Give the client a longer timeout, or load the model first: `mmos models warm {quoted_model}`.",
    ),
    "HEALTHCHECK_TIMEOUT": (
        "The process that runs the model did not answer the server in time.",
        "Restart Ollama there: `sudo systemctl restart ollama`. If it comes again, use a smaller model or `context_window`: the machine is too slow or has too little memory.",
    ),
    "CONTEXT_TRUNCATED": (
        "The prompt is longer than the window of the model.",
        f"{LESS} Or give the role a larger `context_window`.",
        "Without MMOS: set `num_ctx` in the options of the request, or start Ollama with `OLLAMA_CONTEXT_LENGTH=16384 ollama serve`.",
    ),
    "UNAUTHORIZED": (
        "The server does not accept the request: it asks for a key, for another key, or for a right that the key does not give.",
        "Check the headers or the key that the configuration gives for it.",
        "For models in the cloud of Ollama: `ollama signin`.",
        "Check the key or the token, and the rights that it gives.",
    ),
    "QUOTA_EXCEEDED": (
        "The account has no credit left, or has reached the limit of its plan.",
        "Add to it, or use another host.",
        "",
        "Add credit to the account, or wait until its limit is renewed.",
    ),
    "RATE_LIMITED": (
        "The server takes no more calls for now: there were too many in a short time.",
        "Fewer calls at once, or another host.",
        "The header Retry-After of the response says how long to wait.",
        "Send fewer requests at once, or wait: the header Retry-After of the response says how long.",
    ),
    "BAD_REQUEST": (
        "The server does not accept the request: it is not in the form that the server expects.",
        "Another try of the same request will not help: check the options, `format` and `think` of the role.",
    ),
}  # fmt: skip

_STEADIER = "Ask again; `channel: schema` for the role, or another model, is steadier."

_CALLS = {
    "MODEL_LACKS_TOOL_SUPPORT": (
        "{model} cannot be offered tools.",
        "Set `channel: schema` for its role, or choose a model whose capabilities list `tools`.",
        "`ollama show {quoted_model}` lists them.",
    ),
    "TOOL_CALL_IN_CONTENT": (
        "The model wrote its tool call as plain text, so no call reached the program.",
        "Read the call out of the text, as MMOS does, or choose another model: `mmos models test MODEL` shows how well one calls tools.",
    ),
    "MALFORMED_TOOL_CALL_FROM_MODEL": (
        "The model wrote a tool call that the parser of the server or of the client could not read.",
        _STEADIER,
    ),
    "TOOL_CALL_UNPARSEABLE": (
        "No tool call can be read in what the model wrote.",
        _STEADIER,
    ),
    "TOOL_CALL_WRONG_FORMAT": (
        "The model wrote a tool call in another form than was asked for.",
        "Say the form in the prompt, with an example. " + _STEADIER,
    ),
    "HALLUCINATED_TOOL": (
        "The model called {tool}, which it was not offered.",
        "Offer fewer tools, with names that differ clearly. " + _STEADIER,
    ),
    "WRONG_FUNCTION": (
        "The model did not call {tool}, which the task needs.",
        "Say in the description of each tool when to use it. `channel: schema` permits no name that is not offered.",
    ),
    "WRONG_NUMBER_OF_CALLS": (
        "The model made another number of calls than the task needs.",
        "Say in the prompt how many calls are expected, or ask for one thing at a time. Many small models make one call in each reply.",
    ),
    "CALL_WHEN_NONE_EXPECTED": (
        "The model called a tool although none fits the task.",
        "Say in the prompt that it may answer without a tool, and offer only the tools that the task may need.",
    ),
    "MISSING_REQUIRED_ARG": (
        "The tool call lacks {argument}, which is required.",
        "Describe each required argument of the tool. `channel: schema` for the role makes the model write them all.",
    ),
    "UNEXPECTED_ARG": (
        "The tool call has {argument}, which the tool does not know.",
        "Set `additionalProperties: false` in the schema of the tool, and `channel: schema` for the role.",
    ),
    "ARG_TYPE_ERROR": (
        "The value of {argument} in the tool call has another type than the tool expects.",
        "Give the type of each argument in the schema of the tool. `channel: schema` for the role makes the model keep to it.",
    ),
    "ARG_VALUE_ERROR": (
        "The value of {argument} in the tool call is not one that the tool accepts.",
        "List the allowed values as `enum` in the schema of the tool, or describe them with an example.",
    ),
}  # fmt: skip

_RUNS = {
    "HOST_TIMEOUT": ("The host did not answer in time.", "It may be loading the model or be busy: see `mmos hosts`."),
    "HOST_FAILED": ("The host answered with an error.", LOG),
    "NOT_A_MODEL_SERVER": ("What answers at {address} does not speak as a model server does.", "Correct the `url` of the host. Is another server or a proxy there?"),
    "MODEL_LOAD_FAILED": ("The host cannot load {model}.", "Its files may be damaged: pull it again. " + LOG),
    "RUNNER_CRASHED": ("The process that runs the model died.", "The host starts it anew at the next request. " + LOG),
    "ANSWER_CUT_OFF": ("The answer of the host broke off.", "Another try may well succeed."),
    "MODEL_LACKS_THINKING": ("{model} cannot think in the way that was asked for.", "Leave `think` out for its role, or set it to false."),
    "MODEL_LACKS_CHAT": ("{model} is not a model that answers.", "Give the role another model; if this one should answer, its files are damaged: pull it again."),
    "MODEL_LACKS_EMBEDDING": ("{model} makes no embeddings.", "Name an embedding model, such as nomic-embed-text."),
    "CLOUD_NOT_ALLOWED": ("The host would send the prompt to a cloud, and the configuration does not allow that.", "Name a model that the host runs itself, or write `allow_cloud: true` for the server."),
    "NO_GPU": ("This machine has no GPU, or others hold them all.", "See who holds them: `mmos gpu list`."),
    "REPEATED_TEXT": ("The model wrote the same text over and over, and was stopped.", "Ask in other words, or try a higher `temperature` or `repeat_penalty`, or another model."),
    "REPEATED_CALL": ("The model made the same tool call again and again.", "Try another model, or say in the prompt what to do with the result."),
    "LIMIT_REACHED": ("The run reached one of its limits before it had an answer.", "Raise the limit, or ask for less: `mmos run --help` lists the limits."),
    "NO_ANSWER": ("The model gave no answer that could be read.", "Try another model for this role."),
    "SCHEMA_UNMET": ("The model gave no answer that fits the schema.", "Try another model, or a simpler schema."),
    "QUESTION_UNANSWERED": ("A model asked the user, and the user could not be asked.", "Run it in a terminal, or with --on-question default or wait."),
    "TOOL_FAILED": ("A tool raised an error.", "Correct the tool; its error stands in the evidence."),
    "TOOL_TIMEOUT": ("A tool took too long.", "Give the tool more time, or less to do."),
    "TOOL_DENIED": ("The role may not use this tool, or not now.", "Permit the tool in the configuration of the role."),
    "CONFIG_INVALID": ("The configuration is wrong.", "Fix it, then run `mmos config check`."),
    "STATE_UNUSABLE": ("The journal cannot be read or written.", "`mmos doctor` says what is wrong with it."),
}  # fmt: skip

_COMMANDS = {
    "PORT_IN_USE": ("Another process already listens on port {port}.", "Find it with `ss -ltnp 'sport = :{port}'`, and stop it, or use another port."),
    "DISK_FULL": ("No space is left on the disk.", "See what is full: `df -h` and `df -i`. Then remove what is not needed, such as `docker system prune`."),
    "OUT_OF_MEMORY_KILLED": ("The process ran out of memory.", "Give it more memory, or let it do less at once. `dmesg | grep -i 'killed process'` shows whether the kernel ended it."),
    "PERMISSION_DENIED": ("The process may not read, write or run {file}.", "See who owns it with `ls -l`, and run the command as that user or correct the rights."),
    "COMMAND_NOT_FOUND": ("The command {name} is not installed, or is not in PATH.", "Install it, or add its folder to PATH: `command -v {name}` shows whether it is found."),
    "NAME_NOT_RESOLVED": ("The name of the host {name} is not known to the machine.", "Check its spelling, and the name server: `getent hosts {name}`."),
    "NETWORK_UNREACHABLE": ("The machine does not reach the address.", "Check the network, the proxy and the firewall."),
    "CERTIFICATE_INVALID": ("The certificate of the server is not accepted.", "Check its date and its issuer; install the certificate of your own authority if it has one."),
    "DEPENDENCY_UNRESOLVED": ("A package that the build needs cannot be found, or two packages exclude each other.", "Correct the name or the version in the list of dependencies."),
    "IMPORT_ERROR": ("The module {name} cannot be imported.", "Install the package that has it, in the environment that runs the command."),
    "MERGE_CONFLICT": ("The changes of two branches touch the same lines.", "Resolve the conflict: `git status` lists the files."),
    "SYNTAX_ERROR": ("A source file has a syntax error.", "Correct the source file at the line that the log names."),
    "COMPILE_ERROR": ("The compiler does not accept the source.", "Correct the first error that the compiler names; later ones often follow from it."),
    "TEST_FAILED": ("A test failed.", "Run this test alone, and compare what it expected with what it got."),
}  # fmt: skip

FAILURES: Mapping[str, Failure] = {
    **dict(_failures("hosts", _HOSTS)),
    **dict(_failures("calls", _CALLS)),
    **dict(_failures("runs", _RUNS)),
    **dict(_failures("commands", _COMMANDS)),
}
"""Every category, in the order of the documentation."""


def pull(model: str, host: str = "") -> str:
    """The command that fetches a model."""
    return f"mmos models pull {quote(model)}{f' --host {host}' if host else ''}"


def steps(category: str) -> str:
    """What helps, without commands, and with names in braces: the text is filled in where it is used."""
    return FAILURES[category].cure


def cause(category: str, **names: str) -> str:
    """The cause in one sentence."""
    text = FAILURES[category].cause.format_map(_filled(names))
    return text[:1].upper() + text[1:]


def cure(category: str, **names: str) -> str:
    """What helps, with commands that can be copied."""
    failure = FAILURES[category]
    return f"{failure.cure} {failure.commands}".strip().format_map(_filled(names))


def cure_elsewhere(category: str, **names: str) -> str:
    """What helps if the server is none of models."""
    return FAILURES[category].elsewhere.format_map(_filled(names)) or cure(category, **names)


def _filled(names: Mapping[str, str]) -> dict[str, str]:
    model = names.get("model", "")
    return {**UNKNOWN, "quoted_model": quote(model) if model else "MODEL", **{name: value for name, value in names.items() if value}}
