"""Makes tools that consult specialists: one for each role, or one for all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmos.calls.spec import Spec
from mmos.context import Answer, Context
from mmos.errors import HostError, MmosError, NoAnswer, ToolError
from mmos.messages import Message
from mmos.prompting.digest import digest
from mmos.prompting.templates import Templates
from mmos.toolbox import Tool, parameters_of, render
from mmos.tools.remembering import Remembering


@dataclass(frozen=True)
class Specialist:
    """A role that can be consulted, with the description that the arbiter reads."""

    name: str
    purpose: str


@dataclass(frozen=True)
class Consultation:
    """Asks a specialist and returns its answer."""

    templates: Templates
    answer_chars: int
    remembering: Remembering = field(default_factory=Remembering)

    async def __call__(self, context: Context, role: str, query: str, background: str) -> Any:
        memory = self.remembering.memory(context, role)
        message = self.message(context, role, query, background, memory)
        return await self._result(context, role, context.ask(role, message, memory=memory))

    async def reconsider(self, context: Context, role: str, query: str, model: str, servers: tuple[str, ...]) -> Any:
        """The same with another model than that of the role."""
        memory = self.remembering.memory(context, role, usual="none")  # the larger model has seen nothing of the answer before
        message = self.message(context, role, query, "", memory)
        return await self._result(context, role, context.ask_model(role, message, "larger-model", model, servers, memory=memory))

    async def _result(self, context: Context, role: str, asking: Awaitable[Answer]) -> Any:
        try:
            answer = await asking
        except (HostError, NoAnswer, ToolError) as error:
            raise ToolError(error.message, report=render(self.failure(error)), code=error.code) from error
        return {"success": answer.complete, "response": self.response(context, role, answer), "reasoning": answer.reasoning}

    def message(self, context: Context, role: str, query: str, background: str, memory: str) -> Message:
        """What was said before, if the role is told that, then the user's task word for word, then the brief. All are data, whatever they contain."""
        facts = f"\n\n{self.templates.fill('background', facts=background)}" if background else ""
        task = context.told
        brief = self.templates.fill("brief", task=task.content, asker=context.scope.role, query=query, context=facts)
        told = self.remembering.told(context, role, self.templates, memory)
        return Message("user", "\n\n".join(filter(None, (told, brief))), files=task.files)

    def response(self, context: Context, role: str, answer: Answer) -> str:
        """The text of the answer. A text longer than `limits.answer_chars` becomes a digest with a reference. The user gets the whole text in its place."""
        if len(answer.text) <= self.answer_chars:
            return answer.text
        reference = context.scope.keep(role, answer.text)
        return self.templates.fill("digest", artifact=reference, length=f"{len(answer.text):,}", digest=digest(answer.text))

    def failure(self, error: MmosError) -> dict[str, Any]:
        """What the caller reads in place of an answer."""
        partial = error.partial if isinstance(error, HostError) else ""
        response = self.templates.fill("broken_answer", error=str(error), text=partial) if partial else str(error)
        return {"success": False, "response": response, "reasoning": ""}

    def brief(self) -> dict[str, dict[str, str]]:
        """The arguments of a consultation. The specialist also gets the user's task, so the caller need not repeat it."""
        return {
            "query": {"type": "string", "description": self.templates.fill("consult.query")},
            "context": {"type": "string", "description": self.templates.fill("consult.context")},
        }


def for_one(specialist: Specialist, consultation: Consultation) -> Tool:
    """`consult_<role>_specialist(query, context?)`: a tool for one specialist."""

    async def run(context: Context, arguments: Mapping[str, Any]) -> Any:
        return await consultation(context, specialist.name, arguments["query"], arguments.get("context") or "")

    spec = Spec(
        f"consult_{specialist.name}_specialist",
        consultation.templates.fill("consult_ROLE_specialist", role=specialist.name, purpose=specialist.purpose),
        parameters_of(consultation.brief(), ["query"]),
    )
    return Tool(spec, run, after_crash="repeat")


def for_all(specialists: list[Specialist], consultation: Consultation) -> Tool:
    """`consult_specialist(specialist, query, context?)`: one tool for all specialists, for models that do better with one."""

    async def run(context: Context, arguments: Mapping[str, Any]) -> Any:
        return await consultation(context, arguments["specialist"], arguments["query"], arguments.get("context") or "")

    names = [specialist.name for specialist in specialists]
    # the description also has the names, because some hosts drop `enum` on the way to the model
    purposes = " ".join(f"{specialist.name}: {specialist.purpose}" for specialist in specialists)
    choice = {
        "type": "string",
        "enum": names,
        "description": consultation.templates.fill("consult_specialist.specialist", names=", ".join(names)),
    }
    spec = Spec(
        "consult_specialist",
        consultation.templates.fill("consult_specialist", purposes=purposes),
        parameters_of({"specialist": choice, **consultation.brief()}, ["specialist", "query"]),
    )
    return Tool(spec, run, after_crash="repeat")
