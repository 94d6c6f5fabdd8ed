"""One table of the differences between the Ollama versions that a host can imitate."""

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
    """One line of Ollama. `{path}`, `{name}`, `{type}` and `{schema}` stand for what a text speaks of."""

    version: str

    # names and what is told of models
    struct_dot: str
    """Stands before the struct's name where JSON of a wrong type is refused."""
    chat_type: str
    """What the body of a chat is decoded into."""
    invalid_name: str
    delete_nothing: str
    """What is said where no model is named that is to be deleted."""
    show_tells_tag: bool
    """`show` names an unknown model with its tag."""
    suffixes: bool
    """`:cloud` is refused with 403 and `:local` is served; else they are tags like any other."""
    status_route: bool
    arguments_as_text: str
    """What is said of a call in a history whose arguments are a text."""
    tags_tell_all: bool
    """`tags` has the context length, the embedding length and the capabilities."""
    v1_tells_types: bool
    """A refusal under `/v1` tells by its type what it is; else it is an `api_error` like any other."""
    v1_role_always: bool
    """Every delta names the role, not the first alone."""
    cached_count: bool
    """`prompt_eval_cached_count`, and `cached_tokens` under `/v1`."""

    tools_as_structs: bool
    """A template that prints `{{ .Function }}` of a tool writes a Go struct, no JSON."""
    tools_in_full: bool
    """Of a tool an empty description, and what a nested object requires, in its own order, reach the template."""

    # the engine
    native: bool
    """Models that bring a chat template of their own are asked through it, tools and all."""
    reloads: tuple[str, ...]
    """Options that make a loaded model load again."""
    defaults: Mapping[str, Any]
    """What such an option is where no request says it; one that is not here differs from any value."""
    clamps_window: bool
    """A window longer than the model was trained for is cut to that."""
    lists_loading: bool
    """`ps` lists a model that is still loading."""
    tail: Literal["window", "half"]
    """What stays of a last message that is too long: a whole window of tokens, or about half of one."""
    too_long: Literal["plain", "nested"]
    """How `truncate: false` refuses: a sentence, or the engine's error with its numbers."""
    shift_off_refuses: bool
    """A prompt that is too long is refused where shifting is off; else one token comes, with `length`."""
    embeds_with_any: bool
    """A chat model gives embeddings too."""
    takes_images: bool
    """A model that sees nothing takes images for a few tokens."""
    levels_for_all: bool
    """`think: "high"` is fine for a model that can only think or not."""
    bad_schema: Refusal
    thinks_twice: bool
    """With a format a thinking model is run twice, and the thought counts as prompt the second time."""
    times_first_token: bool
    """The first token of an answer counts as time of writing; else an answer of one token took none."""
    repeats: int
    """So many equal tokens in a row are too many."""
    repeats_error: bool
    """They end the answer with an error; else it ends without `done`."""
    bad_byte: Literal["dropped", "ends", "replaced"]
    """What bytes that are no UTF-8 do."""
    strips_escape: bool
    """`<escape>` is lost where it is a special token of the model."""
    engine: str
    """What the engine is called where it did not start."""
    load_stalled: str
    """What is said of a load that stood still for too long."""
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
    V0_13,  # the same engine inside the server; what the server itself says is nearer to 0.33
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
