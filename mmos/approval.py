"""Asks the user whether a call may be made. An approval holds only for the tool, the arguments, the role and the rules that it was given for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Protocol

import orjson

from mmos.answers import ALWAYS, NO, YES, is_bare_no, verdict
from mmos.context import Room, UserAnswer, UserQuestion, invoke
from mmos.errors import QuestionUnanswered, ToolDenied
from mmos.events import QuestionAsked
from mmos.messages import ToolCall
from mmos.prompting.templates import Templates
from mmos.scope import Scope
from mmos.toolbox import Tool

MOST_CHANGES = 20
SHOWN = 300
"""Characters of a value that the list of changes shows."""

_CHOICE = f'"{ALWAYS}" also allows later calls of this tool by this role in this conversation. Any other answer refuses the call, and the model reads it.'


@dataclass(frozen=True)
class ApprovalQuestion(UserQuestion):
    """The question whether a call may be made."""

    basis: Mapping[str, Any] = field(default_factory=dict)
    """What the answer holds for: the tool, the arguments, the role and the rules."""

    @property
    def digest(self) -> str:
        return blake2b(orjson.dumps(self.basis, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()


class ApprovalRoom(Room, Protocol):
    """What a request for approval can reach."""

    @property
    def templates(self) -> Templates:
        """The texts that the caller reads."""
        ...

    @property
    def approving(self) -> asyncio.Lock:
        """One request at a time: `always` may answer the next one, too."""
        ...


async def approve(scope: Scope, room: ApprovalRoom, tool: Tool, call: ToolCall, terms: Mapping[str, Any]) -> None:
    """Return if the user allows the call, now or earlier. Raise `ToolDenied` if not. `terms`: the role and the rules of the caller."""
    earlier = newest_approval(scope, call.id)
    if earlier is None and not tool.approval:
        return
    basis = {"tool": tool.spec.offer()["function"], "arguments": call.arguments, **await _preview(tool, call, earlier), **terms}
    question = _question(scope.role, call, basis, earlier)
    answered = earlier is not None and earlier.digest == question.digest and earlier.question in scope.view.answers
    async with room.approving:
        if not answered and call.id not in scope.view.imported_calls and _stands(scope, tool, question):
            return
        answer = await _answer(scope, room, tool, question, call.id)
    said = verdict(answer)
    if answer.by != "user":
        raise ToolDenied(room.templates.fill("unapproved_call", tool=tool.name))
    if said not in (YES, ALWAYS):
        raise ToolDenied(
            room.templates.fill("refused_call") if is_bare_no(answer) else room.templates.fill("refused_call_why", reason=answer)
        )


async def _preview(tool: Tool, call: ToolCall, earlier: QuestionAsked | None) -> Mapping[str, Any]:
    """What the tool says of this call. Without its function, as in a replay, what it said before."""
    if tool.preview is not None:
        return {"preview": await invoke(tool.preview, call.arguments)}
    return {} if earlier is None else {name: value for name, value in earlier.basis.items() if name == "preview"}


def _stands(scope: Scope, tool: Tool, question: ApprovalQuestion) -> bool:
    """Whether the user has said in this thread that the role may always call the tool, and all but the arguments is as it was."""
    given = scope.conversation.approvals.get((scope.role, tool.name))
    return given is not None and _standing(given.basis) == _standing(question.basis)


async def _answer(scope: Scope, room: ApprovalRoom, tool: Tool, question: ApprovalQuestion, call: str) -> UserAnswer:
    try:
        return await room.ask_user(scope, question, call=call)
    except QuestionUnanswered:
        scope.warn(
            f"{scope.role} wanted to call {tool.name}. MMOS could not ask the user for approval, so it did not make the call. "
            "With --on-question wait, the run waits for your answer."
        )
        return UserAnswer(NO, "default")


def newest_approval(scope: Scope, call: str) -> QuestionAsked | None:
    """The newest question whether this call may be made. One that was imported may show another call than the answer would allow."""
    return next(
        (asked for asked in reversed(scope.view.questions.values()) if asked.call == call and asked.digest and not asked.imported), None
    )


def _question(role: str, call: ToolCall, basis: Mapping[str, Any], earlier: QuestionAsked | None) -> ApprovalQuestion:
    basis = orjson.loads(orjson.dumps(basis))  # as it comes back from the journal
    changes = [] if earlier is None else list(_changes(earlier.basis, basis))
    arguments = [f"  {name}: {_spelled(value)}" for name, value in call.arguments.items()]
    lines = [f"May {role} call {call.name}?", *([basis["preview"]] if "preview" in basis else arguments)]
    if changes:
        more = [f"  and {len(changes) - MOST_CHANGES} more"] if len(changes) > MOST_CHANGES else []
        lines += ["Since you were asked about this call before, this has changed, so an earlier answer does not count:"]
        lines += [*(f"  {change}" for change in changes[:MOST_CHANGES]), *more]
    return ApprovalQuestion("\n".join([*lines, _CHOICE]), "choice", (YES, ALWAYS, NO), NO, basis=basis)


def _changes(old: Any, new: Any, place: str = "") -> Iterator[str]:
    """What differs, each with its place, its old and its new value."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in dict.fromkeys((*old, *new)):
            yield from _changes(old.get(name), new.get(name), f"{place}.{name}" if place else name)
    elif old != new:
        yield f"{place}: {_spelled(old)[:SHOWN]} → {_spelled(new)[:SHOWN]}"


def _spelled(value: Any) -> str:
    """The value as JSON: one line, whatever a text in it holds."""
    return orjson.dumps(value).decode()


def _standing(basis: Mapping[str, Any]) -> dict[str, Any]:
    """What holds for each call of the tool: all but what this one does."""
    return {name: value for name, value in basis.items() if name not in ("arguments", "preview")}
