"""Lists the differences between the Ollama versions that a host can imitate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

Version = Literal["0.13", "0.24", "0.33", "0.34"]
Weights = Literal["truncated", "garbage", "missing"]
"""What can be wrong with a model's file."""
Refusal: TypeAlias = tuple[int, str]

COLD_OPTIONS = ("num_ctx", "num_gpu", "num_thread", "num_batch")


@dataclass(frozen=True)
class Profile:
    """One Ollama version. Error texts contain `{path}`, `{name}`, `{type}` and `{schema}` for the values of a request."""

    version: str

    # names, and what the host reports about models
    struct_dot: str
    """The text before the struct's name in the error for JSON of a wrong type."""
    chat_type: str
    """The Go type of the body of a chat."""
    invalid_name: str
    delete_nothing: str
    """The error when a request to delete a model names none."""
    show_tells_tag: bool
    """Whether the error of `show` names an unknown model with its tag."""
    suffixes: bool
    """Whether `:cloud` is refused with 403 and `:local` is served. If not, they are ordinary tags."""
    status_route: bool
    arguments_as_text: str
    """The error for a call in a history whose arguments are text."""
    tags_tell_all: bool
    """Whether `tags` has the context length, the embedding length and the capabilities."""
    v1_tells_types: bool
    """Whether an error under `/v1` has its own type. If not, every error is an `api_error`."""
    v1_role_always: bool
    """Whether every delta names the role, not only the first."""
    cached_count: bool
    """Whether answers have `prompt_eval_cached_count`, and `cached_tokens` under `/v1`."""

    tools_as_structs: bool
    """Whether `{{ .Function }}` of a tool in a template writes a Go struct, not JSON."""
    tools_in_full: bool
    """Whether a tool's empty description, and the `required` of nested objects in its order, reach the template."""

    # the engine
    native: bool
    """Whether the engine uses the chat template of a model that has its own, also for tools."""
    reloads: tuple[str, ...]
    """Options that make a loaded model load again."""
    defaults: Mapping[str, Any]
    """The values of these options when a request does not give them. An option that is missing here differs from every value."""
    clamps_window: bool
    """Whether the host cuts a window to the length that the model was trained for."""
    lists_loading: bool
    """Whether `ps` lists a model that is still loading."""
    tail: Literal["window", "half"]
    """How much stays of a last message that is too long: a whole window of tokens, or about half."""
    too_long: Literal["plain", "nested"]
    """The error with `truncate: false`: a sentence, or the engine's error with its numbers."""
    shift_off_refuses: bool
    """Whether the host refuses a prompt that is too long when shifting is off. If not, it answers with one token and `length`."""
    embeds_with_any: bool
    """Whether a chat model also gives embeddings."""
    takes_images: bool
    """Whether a model without vision accepts images, as a few tokens."""
    levels_for_all: bool
    """Whether the host accepts `think: "high"` for a model without levels of thinking."""
    bad_schema: Refusal
    thinks_twice: bool
    """Whether a thinking model with a format runs twice. The second time its thought counts as prompt."""
    times_first_token: bool
    """Whether the first token counts in the time of writing. If not, an answer of one token takes none."""
    repeats: int
    """How many equal tokens in a row stop an answer."""
    repeats_error: bool
    """Whether such an answer ends with an error. If not, it ends without `done`."""
    bad_byte: Literal["dropped", "ends", "replaced"]
    """What happens to bytes that are not UTF-8."""
    strips_escape: bool
    """Whether `<escape>` is lost if it is a special token of the model."""
    engine: str
    """The name of the engine in the error that it did not start."""
    load_stalled: str
    """The error of a load that stopped for too long."""
    weights: Mapping[Weights, Refusal]


UNKNOWN_TYPE = "Field 'json_schema': \"json_schema\": JSON schema conversion failed:\n"

V0_13 = Profile(
    version="0.13.5",
    struct_dot="",
    chat_type="api.ChatRequest",
    invalid_name="model is required",
    delete_nothing='name "" is invalid',
    show_tells_tag=False,
    suffixes=False,
    status_route=False,
    arguments_as_text="json: cannot unmarshal string into Go struct field ChatRequest.messages.tool_calls.function.arguments"
    " of type api.ToolCallFunctionArguments",
    tags_tell_all=False,
    v1_tells_types=False,
    v1_role_always=True,
    cached_count=False,
    tools_as_structs=False,
    tools_in_full=False,
    native=False,
    reloads=(*COLD_OPTIONS, "use_mmap", "main_gpu"),
    defaults={"main_gpu": 0},
    clamps_window=False,
    lists_loading=False,
    tail="window",
    too_long="plain",
    shift_off_refuses=False,
    embeds_with_any=True,
    takes_images=True,
    levels_for_all=False,
    bad_schema=(500, "invalid JSON schema in format"),
    thinks_twice=True,
    times_first_token=False,
    repeats=30,
    repeats_error=False,
    bad_byte="dropped",
    strips_escape=False,
    engine="llama runner process has terminated: exit status 2",
    load_stalled="timed out waiting for llama runner to start - progress 0.50 - ",
    weights={
        "truncated": (500, "unable to load model: {path}"),
        "garbage": (500, ""),
        "missing": (400, '"{name}" does not support chat'),
    },
)
V0_24 = replace(
    V0_13,  # the same engine inside the server; the server's own texts are closer to 0.33
    version="0.24.0",
    invalid_name="invalid model name",
    delete_nothing="model is required",
    show_tells_tag=True,
    suffixes=True,
    status_route=True,
    v1_tells_types=True,
    v1_role_always=False,
    tools_as_structs=True,
    tools_in_full=True,
    lists_loading=True,
)
V0_33 = replace(
    V0_24,
    version="0.33.0",
    arguments_as_text="Value looks like object, but can't find closing '}' symbol",
    tags_tell_all=True,
    native=True,
    reloads=(*COLD_OPTIONS, "main_gpu", "shift"),
    defaults={},
    clamps_window=True,
    lists_loading=False,
    tail="half",
    too_long="nested",
    shift_off_refuses=True,
    embeds_with_any=False,
    takes_images=False,
    levels_for_all=True,
    bad_schema=(400, UNKNOWN_TYPE + "Unrecognized schema: {schema}"),
    times_first_token=True,
    bad_byte="ends",
    strips_escape=True,
    engine="llama-server process has terminated: exit status 1",
    load_stalled="timed out waiting for llama-server to start - ",
    weights={
        "truncated": (500, 'tensor "blk.0.ffn_down.weight" offset+size (126144) exceeds file size (116704)'),
        "garbage": (500, "GGUF string length 18446744073709551615 exceeds maximum 9223372036854775807"),
        "missing": (404, 'model "{name}" not found, try pulling it first'),
    },
)
V0_34 = replace(
    V0_33,
    version="0.34.4",
    struct_dot=".",
    chat_type='struct { *api.ChatRequest; Think json.RawMessage "json:\\"think\\"" }',
    cached_count=True,
    bad_schema=(400, UNKNOWN_TYPE + "JSON schema error at #: unrecognized type {type}"),
    thinks_twice=False,
    repeats=100,
    repeats_error=True,
    bad_byte="replaced",
    weights={
        "truncated": (
            500,
            'read GGUF metadata "{path}": unsupported tensor "blk.0.ffn_gate.weight" offset+size exceeds file size',
        ),
        "garbage": (500, 'read GGUF metadata "{path}": GGUF item count 18446744073709551615 exceeds maximum 9223372036854775807'),
        "missing": (404, 'model "{name}" not found, try pulling it first'),
    },
)
PROFILES: Mapping[Version, Profile] = {"0.13": V0_13, "0.24": V0_24, "0.33": V0_33, "0.34": V0_34}
