"""Logs: structured by structlog, carried by the standard library, so that a program that uses mmos decides where they go."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from logging import Logger

    from structlog.stdlib import BoundLogger


class Log:
    """A logger of the `mmos` tree that imports structlog, which takes long, only when a line is written."""

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
    """A logger of the `mmos` tree. Ids, names, counts and seconds only: what people and models say stays out."""
    return Log(name)


@cache
def _bound(name: str) -> BoundLogger:
    import structlog

    processors: list[structlog.types.Processor] = [
        structlog.stdlib.filter_by_level,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,  # a record's message is the facts themselves, whoever formats it
    ]
    made = structlog.wrap_logger(
        _door(name), processors=processors, wrapper_class=structlog.stdlib.BoundLogger, cache_logger_on_first_use=True
    )
    return cast("BoundLogger", made)


_DEBUG, _INFO, _WARNING = 10, 20, 30
"""As the standard library counts; it is imported when the first line is written, or might be."""

_TOLD = frozenset({"call_finished", "model_replied", "model_failed", "question_asked", "loop_noticed"})
"""Facts that `-v` tells of; the others are for debugging."""

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
"""Fields that are ids, names, counts or seconds of ours in every fact."""

_FACTS = "mmos.facts"

_ELSEWHERE = frozenset({"run_started", "run_finished"})
"""They have lines of their own, when a run begins and ends."""


def log_fact(run: str, kind: str, fact: object) -> None:
    """A line for a fact of a run; what people and models said in it stays out, and so does the name of a tool that a model made up."""
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
