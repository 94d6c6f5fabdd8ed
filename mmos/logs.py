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

    def debug(self, event: str, **facts: Any) -> None:
        self._write(_DEBUG, event, facts)

    def info(self, event: str, **facts: Any) -> None:
        self._write(_INFO, event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        self._write(_WARNING, event, facts)

    def _write(self, level: int, event: str, facts: dict[str, Any]) -> None:
        if _door(self._name).isEnabledFor(level):
            _bound(self._name).log(level, event, **facts)


def logger(name: str) -> Log:
    """A logger below `mmos`. Log only ids, names, counts and seconds, never what people and models say."""
    return Log(name)


@cache
def _bound(name: str) -> BoundLogger:
    import structlog

    processors: list[structlog.types.Processor] = [
        structlog.stdlib.filter_by_level,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,  # the record's message is the dict of facts, and the handler formats it
    ]
    made = structlog.wrap_logger(
        _door(name), processors=processors, wrapper_class=structlog.stdlib.BoundLogger, cache_logger_on_first_use=True
    )
    return cast("BoundLogger", made)


_DEBUG, _INFO, _WARNING = 10, 20, 30
"""The levels of the standard library. Its `logging` is imported only when it is needed."""

_TOLD = frozenset({"call_finished", "model_replied", "model_failed", "question_asked", "loop_noticed"})
"""Facts that `-v` shows. The others are for debugging."""

_LOGGED = (
    "lane",
    "role",
    "ask",
    "call",
    "model",
    "host",
    "ok",
    "code",
    "status",
    "seconds",
    "done_reason",
    "stage",
    "measure",
    "times",
    "window",
)
"""Fields that hold ids, names, counts or seconds from MMOS in every fact, never text of people or models."""

_FACTS = "mmos.facts"

_ELSEWHERE = frozenset({"run_started", "run_finished"})
"""Facts with their own log lines, at the start and the end of a run."""


def log_fact(run: str, kind: str, fact: object) -> None:
    """Log a fact of a run, without the texts of people and models and without the names of tools that a model made up."""
    level = _INFO if kind in _TOLD else _DEBUG
    if kind in _ELSEWHERE or not _door(_FACTS).isEnabledFor(level):
        return
    told: dict[str, Any] = {name: value for name in _LOGGED if (value := getattr(fact, name, "")) not in ("", None)}
    if getattr(fact, "ok", False):
        told["tool"] = getattr(fact, "tool", "")
    usage = getattr(fact, "usage", None)
    if usage is not None:
        told |= {"prompt_tokens": usage.prompt_tokens, "output_tokens": usage.output_tokens}
    _bound(_FACTS).bind(run=run).log(level, kind, **told)


@cache
def _door(name: str) -> Logger:
    import logging

    return logging.getLogger(name)
