"""Logs: structured by structlog, carried by the standard library, so that a program that uses mmos decides where they go."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger


def logger(name: str) -> BoundLogger:
    """A logger of the `mmos` tree. Ids, names, counts and seconds only: what people and models say stays out."""
    import logging

    import structlog

    processors: list[structlog.types.Processor] = [
        structlog.stdlib.filter_by_level,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,  # a record's message is the facts themselves, whoever formats it
    ]
    made = structlog.wrap_logger(
        logging.getLogger(name), processors=processors, wrapper_class=structlog.stdlib.BoundLogger, cache_logger_on_first_use=True
    )
    return cast("BoundLogger", made)
