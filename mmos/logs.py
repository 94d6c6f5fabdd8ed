"""Writes structured logs with structlog to the standard library's `logging`, so that a program that uses MMOS decides where they go."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from logging import Logger

    from structlog.stdlib import BoundLogger


class Log:
    """A logger below `mmos`. It imports structlog only when it writes a line, because that import is slow."""

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, event: str, **values: Any) -> None:
        self._write(_DEBUG, event, values)

    def info(self, event: str, **values: Any) -> None:
        self._write(_INFO, event, values)

    def warning(self, event: str, **values: Any) -> None:
        self._write(_WARNING, event, values)

    def _write(self, level: int, event: str, values: dict[str, Any]) -> None:
        if _standard_logger(self._name).isEnabledFor(level):
            _logger(self._name).log(level, event, **values)


def logger(name: str) -> Log:
    """A logger below `mmos`. Log only ids, names, counts and seconds, never what people and models say."""
    return Log(name)


@cache
def _logger(name: str) -> BoundLogger:
    import structlog

    processors: list[structlog.types.Processor] = [
        structlog.stdlib.filter_by_level,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,  # the record's message is the dict of values, and the handler formats it
    ]
    wrapper = structlog.wrap_logger(
        _standard_logger(name), processors=processors, wrapper_class=structlog.stdlib.BoundLogger, cache_logger_on_first_use=True
    )
    return cast("BoundLogger", wrapper)


_DEBUG, _INFO, _WARNING = 10, 20, 30
"""The levels of the standard library. Its `logging` is imported only when it is needed."""

_USUAL = frozenset({"call_finished", "model_replied", "model_failed", "question_asked", "loop_noticed"})
"""Events that `-v` shows. The others are for debugging."""

_FIELDS = (
    "lane", "role", "ask", "call", "model", "host", "ok", "code", "status", "seconds", "done_reason", "stage", "measure", "times", "window",
    "recovery", "failure", "suggestion", "helped", "turn",
)  # fmt: skip
"""Fields that hold ids, names, counts or seconds from MMOS in every event, never text of people or models."""

_EVENTS = "mmos.facts"

_ELSEWHERE = frozenset({"run_started", "run_finished"})
"""Events with their own log lines, at the start and the end of a run."""


def log_event(run: str, kind: str, event: object) -> None:
    """Log an event of a run, without the texts of people and models and without the names of tools that a model made up."""
    level = _INFO if kind in _USUAL else _DEBUG
    if kind in _ELSEWHERE or not _standard_logger(_EVENTS).isEnabledFor(level):
        return
    values: dict[str, Any] = {name: value for name in _FIELDS if (value := getattr(event, name, "")) not in ("", None)}
    if getattr(event, "ok", False):
        values["tool"] = getattr(event, "tool", "")
    usage = getattr(event, "usage", None)
    if usage is not None:
        values |= {"prompt_tokens": usage.prompt_tokens, "output_tokens": usage.output_tokens}
    _logger(_EVENTS).bind(run=run).log(level, kind, **values)


@cache
def _standard_logger(name: str) -> Logger:
    import logging

    return logging.getLogger(name)
