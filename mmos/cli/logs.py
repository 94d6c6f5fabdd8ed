"""Sets up the logs of a command on stderr: their level and their format. By default, only problems are logged."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import click

from mmos.cli.guard import unstyled
from mmos.cli.styles import Style, colourless, style
from mmos.cli.text import flat, harmless

VARIABLE = "MMOS_LOG"
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR, "critical": logging.CRITICAL}
LOOKS: Mapping[str, Style] = {"debug": "dim", "info": "ok", "warning": "accent"}
_JSON = ":json"


@dataclass(frozen=True)
class LogOptions:
    """The log level and the log format."""

    level: int = logging.WARNING
    parts: Mapping[str, int] = field(default_factory=dict)
    """Levels by the names of loggers."""
    as_json: bool = False


def log_options(verbose: int, as_json: bool, spec: str) -> LogOptions:
    """Read the options and `MMOS_LOG`: `LEVEL` or `LEVEL,PART=LEVEL…`, with an optional `:json` at the end. `-v` overrides its level."""
    spec = spec.strip()
    as_json = as_json or spec.endswith(_JSON) or spec == "json"
    level, parts = logging.WARNING, {}
    for word in filter(None, (word.strip() for word in spec.removesuffix(_JSON).removesuffix("json").split(","))):
        part, found, name = word.rpartition("=")
        if not found:
            level = _level(name)
        else:
            parts[f"mmos.{part.strip().removeprefix('mmos.')}"] = _level(name)
    if verbose:
        level = logging.INFO if verbose == 1 else logging.DEBUG
    return LogOptions(level, parts, as_json)


def _level(name: str) -> int:
    found = LEVELS.get(name.strip().lower())
    if found is None:
        from difflib import get_close_matches

        near = get_close_matches(name.lower(), LEVELS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise click.UsageError(f"{VARIABLE}: {name!r} is not a level. Allowed: {', '.join(LEVELS)}{hint}")
    return found


def set_up(verbose: int, as_json: bool = False, environ: Mapping[str, str] = os.environ) -> None:
    """Send MMOS's logs to stderr."""
    options = log_options(verbose, as_json, environ.get(VARIABLE, ""))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Formatter(options.as_json))
    log = logging.getLogger("mmos")
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(options.level)
    for name, level in options.parts.items():
        logging.getLogger(name).setLevel(level)


class Formatter(logging.Formatter):
    """Format with structlog. It is imported only when there is something to log."""

    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json
        self._made: logging.Formatter | None = None

    def format(self, record: logging.LogRecord) -> str:
        if self._made is None:
            self._made = _for_programs() if self._as_json else _for_people()
        return self._made.format(record)


def _for_people() -> logging.Formatter:
    import structlog

    colours = sys.stderr.isatty() and not colourless()
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.TimeStamper("%H:%M:%S", utc=False),
            structlog.processors.format_exc_info,
            _Line(colours),
        ],
    )


def _for_programs() -> logging.Formatter:
    import structlog

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level],
        processors=[
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.TimeStamper("iso", utc=True, key="time"),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
        ],
    )


class _Line:
    """A record as one line for people. Names come from files and hosts: each part is cleaned and quoted where it has to be."""

    def __init__(self, colours: bool) -> None:
        self._colours = colours

    def __call__(self, logger: Any, method: str, facts: MutableMapping[str, Any]) -> str:  # noqa: ARG002  # structlog's shape
        level = str(facts.pop("level", ""))
        head = f"{style(str(facts.pop('timestamp')), 'dim')} [{style(f'{level:<9}', LOOKS.get(level, 'error'))}]"
        event, trace = flat(str(facts.pop("event", ""))), str(facts.pop("exception", ""))
        fields = [f"{style(flat(name), 'accent')}={_value(value)}" for name, value in sorted(facts.items())]
        line = " ".join([head, style(f"{event:<30}", "bold"), *fields])
        return (line if self._colours else unstyled(line)).rstrip() + (f"\n{harmless(trace)}" if trace else "")


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return repr(text) if isinstance(value, str) and any(sign in text for sign in " \t\r\n=\"'") else harmless(text)
