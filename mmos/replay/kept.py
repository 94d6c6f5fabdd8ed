"""Gives participants the words, tool schemas and options that a run has kept of them, for a run that goes on as it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NoReturn

from mmos.calls.channels import TOOLS, listed
from mmos.calls.spec import Spec
from mmos.errors import ToolError
from mmos.events import Entry, ModelAsked
from mmos.participant.artifacts import NAME as READ_ARTIFACT
from mmos.participant.artifacts import read_artifact
from mmos.participant.cast import Member, PlainRole, Role
from mmos.participant.ladder import text_for
from mmos.participant.loop import Participants
from mmos.prompting.frame import Frame
from mmos.replay.asking import specs_of
from mmos.replay.state import RunState
from mmos.toolbox import Tool, Toolbox

Kept = tuple[ModelAsked, Frame]
"""A request with its frame."""


def kept_role(role: Role, event: ModelAsked, frame: Frame, channel: str | None) -> PlainRole:
    """A role with the options that it had. Its model and its servers are those of today."""
    options = dict(frame.options)
    if options.get("num_predict") == event.window:  # MMOS set it, and sets it again
        del options["num_predict"]
    return PlainRole(role.name, role.model, role.servers, role.window, channel, options, frame.think, frame.keep_alive, role.timeout)


def as_it_was(participants: Participants, state: RunState, entries: Iterable[Entry]) -> Participants:
    """The participants with what the run has kept of each role that it has asked. All else is as today."""
    found, inquired = _frames(state, entries)
    cast = {name: _member(member, found[name], participants) if name in found else member for name, member in participants.cast.items()}
    ladder = participants.ladder
    if ladder is not None and ladder.interpreters and (kept := inquired.get(ladder.interpreters[0].name)):
        event, frame = kept
        given = {text_for(role.model): frame.system.content for role in ladder.interpreters}
        roles = [kept_role(role, replace(event, window=0), frame, None) for role in ladder.interpreters]
        ladder = replace(ladder, interpreters=roles, templates=replace(ladder.templates, given=given))
    return replace(participants, cast=cast, ladder=ladder)


def _frames(state: RunState, entries: Iterable[Entry]) -> tuple[dict[str, list[Kept]], dict[str, Kept]]:
    """The requests of each role, oldest first, and the newest request of each role to which MMOS put an inquiry."""
    found: dict[str, list[Kept]] = {}
    inquired: dict[str, Kept] = {}
    for entry in entries:
        state.apply(entry)
        event = entry.event
        if entry.run != state.run or not isinstance(event, ModelAsked) or event.frame not in state.frames:
            continue
        opened, kept = state.opened.get(event.lane), (event, state.frames[event.frame])
        if opened is not None and opened.parent and not opened.call:
            if not event.shows:
                inquired[event.role] = kept
        elif opened is not None and opened.memory == "thread":
            found.setdefault(event.role, []).append(kept)
    return found, inquired


def _member(member: Member, kept: list[Kept], participants: Participants) -> Member:
    """The member with its newest words, and with the most tools that it was offered with them."""
    event, frame = kept[-1]
    own = _own(frame)
    if own is None:
        return member
    same = [each for _, each in kept if _own(each) == own]
    specs = max(map(specs_of, reversed(same)), key=len)
    schema = next((each for each in reversed(same) if each.channel == "schema" and each.own), None)
    given = {} if schema is None else {"schema": _explanation(schema)}
    for each in same:
        given.update(each.wording)
    channel = frame.channel if specs else None
    return replace(
        member,
        role=kept_role(member.role, event, frame, channel),
        system=own,
        box=Toolbox.of(_tool(spec, participants) for spec in specs),
        templates=replace(member.templates, given=given),
        first=member.first if member.first and {spec.name for spec in specs} & set(member.first.only or ()) else None,
        others=tuple(kept_role(role, event, frame, channel) for role in member.others),
    )


def _own(frame: Frame) -> str | None:
    """The role's own text. None: an earlier version kept it together with the tools."""
    if frame.own:
        return frame.own
    return None if frame.channel == "schema" else frame.system.content


def _explanation(frame: Frame) -> str:
    """What the system text says of the schema channel, with a place for the tools."""
    text = frame.system.content.removeprefix(frame.own).strip()
    return text.replace(listed(specs_of(frame)), TOOLS)


def _tool(spec: Spec, participants: Participants) -> Tool:
    """The tool of today behind a description of then."""
    tool = read_artifact(participants.templates) if spec.name == READ_ARTIFACT else participants.box.get(spec.name)
    if tool is not None:
        return replace(tool, spec=spec)

    async def gone(_context: object, _arguments: object) -> NoReturn:
        raise ToolError(participants.templates.fill("gone_tool", tool=spec.name))

    return Tool(spec, gone, after_crash="repeat")
