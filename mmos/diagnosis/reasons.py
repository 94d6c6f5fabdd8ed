"""Tells the category of a failed run from the code and the message of its reason."""

from __future__ import annotations

from collections.abc import Mapping

from mmos.diagnosis import knowledge
from mmos.diagnosis.rules import recognized
from mmos.diagnosis.signs import lines_of
from mmos.diagnosis.verdict import Verdict

_UNREACHED = ("SERVER_NOT_RUNNING", "BOUND_TO_LOCALHOST_ONLY", "LOCALHOST_INSIDE_CONTAINER", "NAME_NOT_RESOLVED", "CERTIFICATE_INVALID")
_ARGUMENTS = ("", "ARG_VALUE_ERROR", "ARG_TYPE_ERROR", "MISSING_REQUIRED_ARG", "UNEXPECTED_ARG")
_OF_HOSTS = tuple(category for category, failure in knowledge.FAILURES.items() if failure.family == "hosts")

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "host_unreachable": _UNREACHED,
    "host_timeout": ("HOST_TIMEOUT", "MODEL_LOAD_TIMEOUT", "HEALTHCHECK_TIMEOUT", "CLIENT_TIMEOUT_DURING_LOAD"),
    "host_busy": ("SERVER_BUSY", "RATE_LIMITED"),
    "host_failed": ("HOST_FAILED", *_OF_HOSTS),
    "host_not_understood": ("NOT_A_MODEL_SERVER",),
    "no_host": ("", *_OF_HOSTS, "NAME_NOT_RESOLVED"),
    "no_gpu": ("NO_GPU",),
    "load_failed": ("MODEL_LOAD_FAILED", "MODEL_LOAD_TIMEOUT", "INSUFFICIENT_RAM", "INSUFFICIENT_VRAM"),
    "out_of_memory": ("INSUFFICIENT_VRAM", "INSUFFICIENT_RAM"),
    "runner_crashed": ("RUNNER_CRASHED", "INSUFFICIENT_VRAM", "INSUFFICIENT_RAM"),
    "stream_cut": ("ANSWER_CUT_OFF", "CLIENT_TIMEOUT_DURING_LOAD"),
    "cloud_not_allowed": ("CLOUD_NOT_ALLOWED",),
    "model_missing": ("MODEL_NOT_FOUND",),
    "unauthorized": ("UNAUTHORIZED", "QUOTA_EXCEEDED"),
    "no_answer": ("NO_ANSWER", "TOOL_CALL_UNPARSEABLE"),
    "schema_unmet": ("SCHEMA_UNMET",),
    "call_malformed": ("MALFORMED_TOOL_CALL_FROM_MODEL",),
    "model_lacks_tools": ("MODEL_LACKS_TOOL_SUPPORT",),
    "model_lacks_thinking": ("MODEL_LACKS_THINKING",),
    "model_lacks_chat": ("MODEL_LACKS_CHAT",),
    "model_lacks_embedding": ("MODEL_LACKS_EMBEDDING",),
    "window_exceeded": ("CONTEXT_TRUNCATED",),
    "request_refused": ("BAD_REQUEST", *_OF_HOSTS),
    "tool_unknown": ("HALLUCINATED_TOOL",),
    "tool_arguments": _ARGUMENTS,
    "tool_denied": ("TOOL_DENIED",),
    "tool_failed": ("TOOL_FAILED",),
    "tool_timeout": ("TOOL_TIMEOUT",),
    "loop": ("REPEATED_CALL",),
    "repetition": ("REPEATED_TEXT",),
    "question_unanswered": ("QUESTION_UNANSWERED",),
    "config_invalid": ("CONFIG_INVALID",),
    **dict.fromkeys(("timeout", "stalled", "limit_turns", "limit_total_turns", "limit_calls", "limit_tokens", "limit_reached"), ("LIMIT_REACHED",)),
    **dict.fromkeys(
        ("state_unusable", "state_damaged", "state_too_new", "state_too_old", "state_read_only", "state_full", "state_busy"), ("STATE_UNUSABLE",)
    ),
}  # fmt: skip
"""The categories that each reason may have: the one that holds if the message does not say more comes first. Empty: none."""

_CONTEXT = {"tool_arguments": "tool call: "}
"""What a message is about, where it does not say so itself."""


def judge_reason(code: str, message: str, next_step: str = "", **names: str) -> Verdict:
    """`names` are those of the host and the model, if they are known. The next step of the reason is surer than that of the table."""
    lines = tuple(lines_of(message))
    usual, *others = CATEGORIES.get(code, ("",))
    found = recognized(lines_of(f"{_CONTEXT.get(code, '')}{message}")) if others else None
    category = found.category if found and found.category in others else usual
    if not category:
        return Verdict(None, lines[0].text if lines else None, lines[:5], next_step, 0.0)
    cause = lines[0].text if lines else knowledge.cause(category, **names)
    return Verdict(category, cause, lines[:5], next_step or knowledge.cure(category, **names), 1.0 if category == usual else 0.9)
