"""What differs between the lines of Ollama: one table, which the tests look up; all else must be the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OLD, NEW = "0.13", "0.34"

DIFFERENT: Mapping[str, Mapping[str, Any]] = {
    "struct prefix of what is misspelt": {OLD: "ChatRequest.", NEW: ".ChatRequest."},
    "no object": {
        OLD: (400, "json: cannot unmarshal array into Go value of type api.ChatRequest"),
        NEW: (400, 'json: cannot unmarshal array into Go value of type struct { *api.ChatRequest; Think json.RawMessage "json:\\"think\\"" }'),
    },
    "invalid name": {OLD: (400, "model is required"), NEW: (400, "invalid model name")},
    "unknown model, show": {OLD: (404, "model 'nope' not found"), NEW: (404, "model 'nope:latest' not found")},
    "cloud model": {OLD: (404, "model 'x:cloud' not found"), NEW: (403, "ollama cloud is disabled: remote model is unavailable")},
    "local suffix": {OLD: (404, "model 'coder:local' not found"), NEW: (200, "")},
    "embed with a chat model": {OLD: 200, NEW: 501},
    "schema that is none": {OLD: (500, "invalid JSON schema in format"), NEW: (400, "")},
    "think level for a yes-or-no thinker": {OLD: (400, 'think value "high" is not supported for this model'), NEW: (200, "")},
    "tokens left of a message too long for 512": {OLD: 512, NEW: 259},
    "prompt too long, truncate false": {
        OLD: (400, "the input length exceeds the context length"), NEW: (400, "exceeds the available context size (512 tokens)"),
    },
    "prompt too long, shift false": {OLD: (200, "length"), NEW: (400, "the prompt is longer than the context length")},
    "window asked beyond the trained": {OLD: 1000000, NEW: 32768},
    "keys of an entry of tags": {
        OLD: ["name", "model", "modified_at", "size", "digest", "details"],
        NEW: ["name", "model", "modified_at", "size", "digest", "details", "capabilities"],
    },
    "metrics": {
        OLD: ["total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration"],
        NEW: [
            "total_duration", "load_duration", "prompt_eval_count", "prompt_eval_cached_count", "prompt_eval_duration",
            "eval_count", "eval_duration",
        ],
    },
    "tools as structs": {OLD: False, NEW: True},
    "nested object in a prompt": {
        OLD: '{"type":"object","description":"d","properties":{"b":{"type":"number"},"y":{"type":"string"}}}',
        NEW: '{"type":"object","description":"d","properties":{"y":{"type":"string"},"b":{"type":"number"}},"required":["b"]}',
    },
    "bare tool in a prompt": {
        OLD: '{"name":"bare","parameters":{"type":"","properties":null}}',
        NEW: '{"name":"bare","description":"","parameters":{"type":"","properties":null}}',
    },
    "refused under /v1": {OLD: "api_error", NEW: "invalid_request_error"},
    "deleting nothing": {OLD: 'name "" is invalid', NEW: "model is required"},
    "native path": {OLD: (400, r""), NEW: (200, r"[A-Za-z0-9]{32}")},
    "reloads": {
        OLD: {"num_batch": True, "num_thread": True, "use_mmap": True, "main_gpu 0": False, "shift": False},
        NEW: {"num_batch": True, "num_thread": True, "use_mmap": False, "main_gpu 0": True, "shift": True},
    },
    "repeats": {OLD: "", NEW: "whole"},
    "long repeats": {OLD: "", NEW: "prediction aborted, token repeat limit reached"},
    "unknown model on /v1": {OLD: "api_error", NEW: "not_found_error"},
}  # fmt: skip


def of(matter: str, line: str) -> Any:
    """How a line of Ollama behaves in a matter in which they differ."""
    return DIFFERENT[matter][line]
