"""Makes the tools with which a role passes the whole task on to another one, and with which that one hands it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmos.calls.shape import Shape
from mmos.calls.spec import Spec
from mmos.context import Context, Question
from mmos.errors import HostError, MmosError, NoAnswer, SchemaUnmet, ToolDenied, ToolError
from mmos.fences import fenced
from mmos.messages import Message
from mmos.prompting.templates import Templates
from mmos.talk_events import TaskHandedOver
from mmos.toolbox import Tool, parameters_of, render
from mmos.tools.consult import Consultation, Specialist

HAND_OVER = "hand_over"
HAND_BACK = "hand_back"
KEY = "hand-over"
"""The key of the lane in which the other role answers the user."""
FAULTS = (HostError, NoAnswer, SchemaUnmet, ToolError)


def hand_over(specialists: Sequence[Specialist], consultation: Consultation) -> Tool:
    """`hand_over(role, brief)`: the role answers the user in place of the caller."""
    templates, names = consultation.templates, [specialist.name for specialist in specialists]

    async def run(context: Context, arguments: Mapping[str, Any]) -> Any:
        return await Handing(context, consultation, arguments["role"], arguments["brief"]).run()

    properties = {
        "role": {"type": "string", "enum": names, "description": templates.fill("hand_over.role", names=", ".join(names))},
        "brief": {"type": "string", "description": templates.fill("hand_over.brief")},
    }
    return Tool(Spec(HAND_OVER, templates.fill("hand_over"), parameters_of(properties, ["role", "brief"])), run, after_crash="repeat")


@dataclass(frozen=True)
class Handing:
    """A task that goes to another role."""

    context: Context
    consultation: Consultation
    role: str
    brief: str

    @property
    def _templates(self) -> Templates:
        return self.consultation.templates

    async def run(self) -> str:
        """What the caller remembers of the answer. The user gets the answer itself."""
        scope = self.context.scope
        if not any(handed.call == self.context.call for handed in scope.view.talks.handed):  # it was before a crash
            self._check()
            scope.record(TaskHandedOver(self.context.call, scope.lane, scope.role, self.role, self.brief))
        try:
            answer = await self.context.put(self._question())
        except FAULTS as error:
            raise self._failed(error) from error
        if back := next((one for one in scope.view.talks.handed if one.call == self.context.call and one.back), None):
            found = scope.conversation.lanes[scope.run, answer.lane].newest_text() or self._templates.fill("none")
            return self._templates.fill("handed_back", role=self.role, reason=back.brief, found=found)
        if not answer.complete:
            raise ToolError(self._templates.fill("broken_answer", error=f"{self.role} was not done.", text=answer.text))
        return self._templates.fill(
            "handed_over", role=self.role, answer=fenced(self.consultation.response(self.context, self.role, answer))
        )

    def _failed(self, error: MmosError) -> ToolError:
        return ToolError(error.message, report=render(self.consultation.failure(error)), code=error.code)

    def _check(self) -> None:
        """Refuse what would go round in circles, or what the run cannot carry out."""
        scope, templates = self.context.scope, self._templates
        must = str(scope.view.options.get("consult") or "")
        if scope.depth:
            raise ToolDenied(templates.fill("not_in_charge"))
        if len(scope.exchange.open) > 1:
            raise ToolDenied(templates.fill("hand_over_alone"))
        if self.role == scope.role or any(one.to == self.role and not one.back for one in scope.view.talks.handed):
            raise ToolDenied(templates.fill("handed_before", role=self.role))
        if must not in ("", self.role) and all(lane.role != must for lanes in scope.view.lanes.values() for lane in lanes):
            raise ToolDenied(templates.fill("consult_before", role=must))

    def _question(self) -> Question:
        context, remembering = self.context, self.consultation.remembering
        memory, schema = remembering.memory(context, self.role), context.scope.view.options.get("schema")
        words = self._templates.fill("handed_task", task=context.told.content, asker=context.scope.role, brief=self.brief)
        told = remembering.told(context, self.role, self._templates, memory)
        message = Message("user", "\n\n".join(filter(None, (told, words))), files=context.told.files)
        back, shape = hand_back(context.call, context.scope.role, self._templates), None if schema is None else Shape.of(schema)
        return Question(self.role, message, KEY, memory=memory, tools=(back,), beside=True, shape=shape, aloud=True)


def hand_back(call: str, to: str, templates: Templates) -> Tool:
    """`hand_back(reason)`: the role that handed the task over goes on. `call`: with which it did that."""

    async def run(context: Context, arguments: Mapping[str, Any]) -> str:
        scope, reason = context.scope, arguments["reason"]
        if not any(one.call == call and one.back for one in scope.view.talks.handed):
            scope.record(TaskHandedOver(call, scope.lane, scope.role, to, reason, back=True))
        return templates.fill("taken_back", role=to)

    properties = {"reason": {"type": "string", "description": templates.fill("hand_back.reason")}}
    spec = Spec(HAND_BACK, templates.fill("hand_back", role=to), parameters_of(properties, ["reason"]))
    return Tool(spec, run, after_crash="repeat", final=True)
