"""Writes a run as a log: what was asked, who did what, what failed, and how it ended. A diagnosis of a run reads it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from mmos import events
from mmos.events import Entry, Event, Reason
from mmos.views.window import window_note
from mmos.window_events import HistorySummarised, MessagesShortened

MOST = 300
"""Events of a longer run that are left out are the oldest ones: a failure stands at the end."""
LONGEST = 4000
"""Characters of one text of an event."""
SHORT = 300


def as_log(entries: Iterable[Entry]) -> str:
    """One line or more for each event, with the seconds since the run began."""
    entries = list(entries)
    start = entries[0].time if entries else 0.0
    told = [(entry.time - start, text) for entry in entries if (text := _text(entry.event))]
    lines = [f"{seconds:9.3f} {text}" for seconds, text in (told if len(told) <= MOST else [told[0], *told[-MOST:]])]
    return "\n".join(line for each in lines for line in _indented(each))


def _indented(text: str) -> Iterator[str]:
    first, *rest = text.splitlines() or [""]
    yield first
    yield from (f"{'':10}{line}" for line in rest)


def _text(event: Event) -> str:
    match event:
        case events.RunStarted(task=task, options=options):
            return f"the user asks: {_cut(task, SHORT)}{_options(options)}"
        case events.RunResumed():
            return "the run is resumed"
        case events.LaneOpened(role=role, parent=parent, message=message) if parent:
            return f"{role} is asked: {_cut(message.content, SHORT)}"
        case events.ModelAsked(role=role, model=model, window=window, estimate=estimate):
            return f"{role} asks the model {model} (window {window}, about {estimate} tokens)"
        case events.ModelReplied(role=role, host=host, seconds=seconds, done_reason=done, message=message):
            return f"{role} gets a reply from {host} after {seconds:.1f} s ({done}, {len(message.content)} characters, {len(message.calls)} calls)"
        case events.ModelFailed(role=role, model=model, host=host, code=code, detail=detail):
            return f"error: {role}: the request to {model} on {host or 'no host'} failed: {code}: {_cut(detail)}"
        case events.CallStarted(role=role, tool=tool, arguments=arguments):
            return f"{role} calls {tool} {_json(arguments)}"
        case events.CallFinished(tool=tool, ok=True, seconds=seconds):
            return f"{tool} succeeded after {seconds:.1f} s"
        case events.CallFinished(tool=tool, code=code, message=message):
            return f"error: {tool} failed: {code or 'failed'}: {_cut(message.content)}"
    return _rare(event)


def _rare(event: Event) -> str:
    match event:
        case events.CallRepaired(stage=stage, what=what):
            return f"a call was repaired ({stage}): {_cut(what, SHORT)}"
        case events.LoopNoticed(role=role, tool=tool, times=times, measure=measure):
            return f"warning: {role} made the same call of {tool} {times} times: {measure}"
        case events.Prompted(role=role, message=message):
            return f"{role} is corrected: {_cut(message.content, SHORT)}"
        case events.HistoryShortened(role=role, dropped=dropped):
            return f"warning: {dropped} exchanges of {role} no longer fit into its window"
        case MessagesShortened() | HistorySummarised():
            return f"warning: {window_note(event)}"
        case events.QuestionAsked(role=role, text=text):
            return f"{role} asks the user: {_cut(text, SHORT)}"
        case events.QuestionAnswered(by=by, text=text):
            return f"answered by {by}: {_cut(text, SHORT)}"
        case events.Warned(text=text):
            return f"warning: {_cut(text)}"
        case events.RunFinished(status=status, reason=reason):
            return f"the run ended: {status}{_reason(reason)}"
    return ""


def _reason(reason: Reason | None) -> str:
    return f": {reason.code}: {_cut(reason.message)}" if reason else ""


def _options(options: Mapping[str, Any]) -> str:
    return f"\noptions: {_json(options)}" if options else ""


def _json(value: Mapping[str, Any]) -> str:
    return _cut(orjson.dumps(value, default=str).decode(), SHORT)


def _cut(text: str, most: int = LONGEST) -> str:
    return text if len(text) <= most else f"{text[:most]} … ({len(text):,} characters)"
