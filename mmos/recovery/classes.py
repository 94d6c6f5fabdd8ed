"""Says which class a failure belongs to. Pure: it knows only the tree of errors and the codes of tool results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from mmos.errors import HostError, LimitReached, MmosError, NoAnswer, NoHost, SchemaUnmet, ToolError

FailureClass = Literal["transport", "capacity", "window", "tool", "schema", "loop", "empty", "refusal", "quality", "config", "unknown"]

_CODES: dict[FailureClass, tuple[str, ...]] = {
    "transport": (
        "host_unreachable", "host_timeout", "stream_cut", "runner_crashed", "host_failed", "host_not_understood", "no_host",
    ),
    "capacity": (
        "host_busy", "load_failed", "out_of_memory", "no_gpu", "timeout", "stalled", "limit_reached", "limit_turns", "limit_total_turns",
        "limit_calls", "limit_tokens",
    ),
    "window": ("window_exceeded",),
    "tool": ("tool_failed", "tool_timeout", "tool_unknown", "tool_arguments", "tool_outcome_unknown", "call_malformed"),
    "schema": ("schema_unmet",),
    "loop": ("loop", "repetition"),
    "empty": ("no_answer",),
    "refusal": (
        "request_refused", "model_lacks_tools", "model_lacks_thinking", "model_lacks_chat", "model_lacks_embedding", "tool_denied",
    ),
    "config": ("config_invalid", "usage", "not_found", "model_missing", "unauthorized", "cloud_not_allowed"),
    "unknown": (
        "internal", "run_failed", "question_open", "question_unanswered", "state_unusable", "state_damaged", "state_too_new",
        "state_too_old", "state_read_only", "state_full", "state_busy",
    ),
}  # fmt: skip
"""The codes of each class. A tool may also name a class as the code of its error, such as `quality`."""

CLASSES: tuple[FailureClass, ...] = get_args(FailureClass)

_CLASS_OF: dict[str, FailureClass] = {
    **{name: name for name in CLASSES},
    **{code: name for name, codes in _CODES.items() for code in codes},
}

CURABLE_LIMITS = ("loop", "repetition")
"""Limits that another way may avoid. All others hold, whatever would help."""

DECIDED = ("tool_denied", "tool_outcome_unknown", "question_unanswered")
"""Codes of calls about which the user, or a rule of the configuration, has decided. Nothing gets around that."""


def class_of_code(code: str) -> FailureClass:
    return _CLASS_OF.get(code, "unknown")


def class_of(error: MmosError) -> FailureClass:
    """The class of an error. If no host could serve a call, the reasons of the hosts count, when all of them are of one class."""
    if isinstance(error, LimitReached):
        return class_of_code(error.limit)
    if isinstance(error, NoHost) and error.said:
        said = {class_of(fault) for fault in error.said.values()}
        return said.pop() if len(said) == 1 else "transport"
    return class_of_code(error.code)


def code_of(error: MmosError) -> str:
    return error.limit if isinstance(error, LimitReached) else error.code


def unreachable(error: MmosError) -> set[str]:
    """The hosts that could not be reached."""
    said = error.said if isinstance(error, NoHost) else {}
    return {host for host, fault in said.items() if fault.code == "host_unreachable"}


def is_curable(error: MmosError) -> bool:
    """Whether another way may lead to an answer. What the user has ended, and most limits of a run, are final."""
    if error.by_user:
        return False
    if isinstance(error, LimitReached):
        return error.limit in CURABLE_LIMITS
    if isinstance(error, ToolError):
        return error.code not in DECIDED
    return isinstance(error, HostError | NoAnswer | SchemaUnmet)


def revived(code: str, detail: str, next_step: str = "") -> MmosError:
    """The error with this code, when a run goes on after it."""
    if code in CURABLE_LIMITS:
        return LimitReached(detail, limit=code, next_step=next_step)
    known: list[type[MmosError]] = [*_kinds(HostError), NoAnswer, SchemaUnmet]
    kinds = {kind.code: kind for kind in known}
    if code not in kinds:
        return ToolError(detail, code=code, next_step=next_step)
    return kinds[code](detail, next_step=next_step)


def _kinds(root: type[MmosError]) -> Iterator[type[MmosError]]:
    """An error and all below it, the more general ones last."""
    for kind in root.__subclasses__():
        yield from _kinds(kind)
    yield root
