"""Words for tasks that are read in parts: lines of progress, and lines of a record."""

from __future__ import annotations

from mmos import events
from mmos.chunk_events import PartFailed, PartsJoined, TaskCondensed, TaskDivided
from mmos.cli.output import one_line
from mmos.plurals import counted
from mmos.views.chunks import part_of

WIDTH = 110


def seen(event: events.Event) -> str:
    """What an event says to somebody who watches the run. Empty: it is about no part."""
    match event:
        case TaskDivided():
            return f"{_divided(event, 'reads')} · {one_line(event.why, WIDTH)}"
        case events.ModelAsked(lane=lane, role=role) if part := part_of(lane):
            return f"  {role} {'puts together' if part.startswith('notes') else 'reads'} {part}"
    return ""


def working(event: events.Event) -> str | None:
    """What is read now. None: something else happens."""
    match event:
        case events.ModelAsked(lane=lane) if part := part_of(lane):
            return f"reading {part}"
        case TaskCondensed() | PartsJoined():
            return ""
    return None


def cause(lane: str) -> str:
    """What was read in a lane. Empty: it is no lane of a part."""
    part = part_of(lane)
    return f"{part} of its task" if part.startswith("part") else f"putting together {part}" if part else ""


def record(event: events.Event) -> str:
    """What a record of the run says of an event. Empty: it is about no part."""
    match event:
        case TaskDivided():
            return f"{_divided(event, 'read')} ({event.way}: {one_line(event.why, WIDTH)})"
        case PartFailed(role=role, number=number, of=of, why=why):
            return f"{role} could not read part {number} of {of}: {one_line(why, WIDTH)}"
        case TaskCondensed(role=role, message=message):
            return f"{role} goes on with {counted(len(message.content), 'character')} in place of its task"
        case PartsJoined(role=role):
            return f"the parts that {role} wrote are joined"
    return ""


def _divided(event: TaskDivided, verb: str) -> str:
    size = f"about {counted(event.tokens, 'token')} for a window of {event.window:,}"
    return f"{event.role} {verb} its task in {counted(event.parts, 'part')}: {size}"
