"""Describes one request on its way through a host."""

from __future__ import annotations

from dataclasses import dataclass, field

from mmos.rehearsal.decoding import Ask
from mmos.rehearsal.faults import Fault
from mmos.rehearsal.host import Host
from mmos.rehearsal.record import LogEntry
from mmos.rehearsal.wire import HttpRequest


@dataclass(frozen=True)
class Visit:
    """The host, the HTTP request, the log entry and the fault of one request."""

    host: Host
    http: HttpRequest
    entry: LogEntry
    fault: Fault | None = None


@dataclass(frozen=True)
class Request(Visit):
    """A visit to a model: also the decoded request."""

    ask: Ask = field(default_factory=Ask)
    chat: bool = True
