"""Writes entries as JSON lines, and reads such lines, which may come from a stranger."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import orjson

from mmos.choice_events import TaskRouted
from mmos.encoding import KINDS, encode, from_json, load
from mmos.event import LAST_DAY
from mmos.events import (
    Entry,
    Forked,
    ModelReplied,
    QuestionAnswered,
    QuestionAsked,
    RunResumed,
    RunStarted,
    ThreadNamed,
    Unknown,
)
from mmos.journal.ids import id_of_copy, is_id

_KIND = re.compile(r"[a-z][a-z0-9_]{0,60}")


OPTIONED = (RunStarted, RunResumed, Forked, TaskRouted)
OF_THIS_MACHINE = frozenset({"tools", "folder"})
"""Options that do not come along: a run of a stranger gives its models no tools for files and commands of this machine."""


class NotAnEntry(ValueError):
    """Says in a sentence why a line is not an entry of a run."""


Part = tuple[int, int]
"""Which of the entries of its run a line has, and how many there are."""


def as_json_line(entry: Entry, part: Part | None = None) -> str:
    """`{"seq", "time", "run", "part", "thread", "kind", "version", "data"}`. The name of a thread is no part of a run."""
    event = entry.event
    kind = event.name if isinstance(event, Unknown) else event.kind
    row = {
        "seq": entry.seq, "time": entry.time, "run": entry.run, **({"part": part} if part else {}), "thread": entry.thread,
        "kind": kind, "version": event.version, "data": orjson.Fragment(encode(event)),
    }  # fmt: skip
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE).decode()


def as_json_lines(entries: Iterable[Entry]) -> Iterator[str]:
    """The lines of whole runs."""
    entries = list(on_their_own(entries))
    lengths, counts = Counter(entry.run for entry in entries), Counter[str]()
    for entry in entries:
        counts[entry.run] += 1
        yield as_json_line(entry, (counts[entry.run], lengths[entry.run]) if entry.run else None)


def on_their_own(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Entries that need no other journal: a fork comes with its past, so it no longer says where that is, and a batch belongs to files of this machine."""
    for entry in entries:
        if not entry.run and not isinstance(entry.event, ThreadNamed):
            continue
        yield marked(entry, imported=False)


def marked(entry: Entry, *, imported: bool) -> Entry:
    """The entry for another journal. What was asked, said and answered has a mark if it was not here, whatever the file says of it."""
    event = entry.event
    if isinstance(event, OPTIONED) and imported and event.options.keys() & OF_THIS_MACHINE:
        event = replace(event, options={name: value for name, value in event.options.items() if name not in OF_THIS_MACHINE})
        entry = replace(entry, event=event)
    if isinstance(event, Forked) and event.until:
        return replace(entry, event=replace(event, until=0))
    if isinstance(event, ModelReplied | QuestionAsked | QuestionAnswered) and event.imported != imported:
        return replace(entry, event=replace(event, imported=imported))
    return entry


def shared_past(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Of the entries of a forked thread, those of runs of another thread, as runs of this one: each run has one thread, so they get ids of their own."""
    fork = next((entry for entry in reversed(entries) if isinstance(entry.event, Forked) and entry.event.until), None)
    for entry in entries:
        if fork is not None and entry.seq < fork.seq and entry.run not in ("", fork.run):
            yield replace(entry, run=id_of_copy(entry.run, entry.thread))


def entry_of(line: bytes) -> Entry:
    """The entry of a line. Raises `NotAnEntry`."""
    return entry_and_part(line)[0]


def entry_and_part(line: bytes) -> tuple[Entry, Part | None]:
    """The entry of a line, and its part of its run. An older mmos wrote no parts. Raises `NotAnEntry`."""
    try:
        row = load(line)
    except ValueError:
        raise NotAnEntry("This is not a line of JSON.") from None
    if not isinstance(row, dict) or not isinstance(row.get("data"), dict):
        raise NotAnEntry("This is not an event of an export.")
    run, thread, time, kind = (row.get(name) for name in ("run", "thread", "time", "kind"))
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise NotAnEntry("The event has no kind.")
    if isinstance(time, bool) or not isinstance(time, int | float) or not 0 <= time < LAST_DAY:
        raise NotAnEntry("The event has no time.")
    if not isinstance(thread, str) or not is_id(thread):
        raise NotAnEntry("The event has no id of a thread.")
    if not isinstance(run, str) or not (is_id(run) or (not run and kind == ThreadNamed.kind)):
        raise NotAnEntry("The event has no id of a run.")
    if run and kind == ThreadNamed.kind:
        raise NotAnEntry("The name of a thread belongs to no run.")
    return Entry(run, thread, float(time), _event(kind, row["data"], row.get("version"))), _part(row.get("part"))


def _part(value: Any) -> Part | None:
    if value is None:
        return None
    if not (isinstance(value, list) and len(value) == 2 and all(type(number) is int for number in value)):
        raise NotAnEntry("The part of the event must be two numbers.")
    return value[0], value[1]


def _event(kind: str, data: dict[str, Any], version: Any) -> Any:
    known = KINDS.get(kind)
    if known is not None and not (type(version) is int and version <= known.version and data.keys() <= _fields(known)):
        raise NotAnEntry(f"A newer mmos wrote this {kind} event. Update mmos.")
    try:
        return from_json(kind, data)
    except (ValueError, TypeError, LookupError, AttributeError):
        raise NotAnEntry(f"The {kind} event cannot be understood.") from None


def _fields(kind: type[Any]) -> set[str]:
    return {spec.name for spec in fields(kind)}
