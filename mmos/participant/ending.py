"""Says what an exchange begins with and what ends it: the first calls, the answer in its last message, and the question that asks for help."""

from __future__ import annotations

import orjson

from mmos.calls.shape import Shape, bare
from mmos.calls.tool_choice import ToolChoice
from mmos.context import Answer, Question
from mmos.messages import Message
from mmos.participant.cast import Member
from mmos.scope import Scope
from mmos.toolbox import Toolbox
from mmos.views.conversation import Lane


def answer_of(message: Message, shape: Shape | None) -> Answer:
    """The answer in the last message of a lane."""
    if shape is None or message.role == "tool":
        return Answer(message.content, message.thinking)
    text = bare(message.content)
    return Answer(text, message.thinking, data=orjson.loads(text))


def help_of(address: str, lane: Lane) -> str:
    """The call id of a question that MMOS itself asks. Each turn has one."""
    return f"{address}#{lane.turns}"


def first_calls(question: Question, box: Toolbox) -> ToolChoice | None:
    """What the participant of a question must call before it answers. None: nothing."""
    return ToolChoice(frozenset(box.names), 1, 1, prose=question.prose) if question.must_call else None


def is_final(message: Message, member: Member, scope: Scope) -> bool:
    """Whether a result is the answer."""
    tool, end = member.box.get(message.tool_name), scope.view.finished_calls.get(message.call_id)
    return end is not None and end.ok and ((tool is not None and tool.final) or scope.view.talks.passed_on(end.call))


def final_answer(message: Message, shape: Shape | None, scope: Scope) -> Answer:
    """The answer that ends an exchange without the model's own words: a result, or what the role said that the task was handed over to."""
    if not scope.view.talks.passed_on(message.call_id):
        return answer_of(message, None)
    return answer_of(scope.bind(lane=scope.view.speaker).exchange.last, shape)
