"""Holds a talk in which only the arbiter asks: it chooses what each participant reads, and reviews each answer before it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mmos.context import Answer, Context, Question
from mmos.conversing.closing import closed_with, closing_tool, concluded, own_verdict
from mmos.conversing.place import FEW_TURNS
from mmos.conversing.reading import message_line, notes, short
from mmos.conversing.speaking import CONCLUDE
from mmos.conversing.spending import is_spent
from mmos.conversing.table import Table
from mmos.conversing.taking import spec_of, taken
from mmos.conversing.terms import FAULTS
from mmos.errors import ToolDenied, ToolError
from mmos.fences import Fenced
from mmos.messages import Message
from mmos.prompting.templates import Templates
from mmos.talk_events import ConclusionProposed, MessageSent, TalkClosed
from mmos.toolbox import Tool
from mmos.views.talks import Said

CONSULT = "consult_model"
FILTERS = ("nothing", "topic", "own", "answers")
"""What a participant reads beside the query: nothing, the task and the topic, also its own thread in this talk, also what the others answered."""
REMEMBERING = ("own", "answers")


@dataclass
class Mediated:
    """A talk in mediated mode while it goes on."""

    table: Table
    _under_way: set[str] = field(default_factory=set, init=False)
    """The calls that wait for a participant."""
    _told: int = field(default=0, init=False)
    """How many texts of the user the arbiter has read."""

    @classmethod
    async def hold(cls, table: Table) -> TalkClosed:
        """Hold the talk from its beginning, or go on with it."""
        own = await own_verdict(table)
        answer = await cls(table)._ask_arbiter(own)
        if not table.talk.sent:
            return table.close(TalkClosed(table.opened.talk, "failed", own_verdict=own))
        made = taken(table.scope, answer.lane, CONCLUDE) if answer else []
        if made:
            return table.close(closed_with(table, "verdict", own, made[-1][1]))
        prose = ConclusionProposed(table.opened.talk, verdict=answer.text) if answer and answer.complete and answer.text.strip() else None
        return table.close(await concluded(table, "verdict" if prose and table.turns_left else "budget", own, prose))

    @property
    def _templates(self) -> Templates:
        return self.table.terms.templates

    async def _ask_arbiter(self, own: str) -> Answer | None:
        """Let the arbiter ask the participants until it concludes. None: it cannot go on."""
        table, opened, templates = self.table, self.table.opened, self._templates
        text = templates.fill(
            "talk_mediate", task=table.context.told.content, topic=opened.topic, goal=opened.goal or templates.fill("none"),
            names=", ".join(opened.participants), most=str(opened.max_turns), own=own or templates.fill("none"),
        )  # fmt: skip
        tools = (self._consult_model(), closing_tool(table.terms, opened.participants, self._open_matter, patience=FEW_TURNS))
        question = table.to_arbiter(text, "mediate", *tools, memory=table.memory)
        try:
            return await table.ask(replace(question, turns=opened.max_turns + 2 * FEW_TURNS))
        except FAULTS as error:
            table.scope.warn_once("The arbiter could not go on with the conversation", error.message)
            return None

    def _open_matter(self, _arguments: Mapping[str, Any]) -> str:
        """Why the talk cannot be concluded now."""
        if not self.table.talk.sent:
            return self._templates.fill("talk_nobody_asked", names=", ".join(self.table.opened.participants))
        return self._news()

    def _news(self) -> str:
        """What the user has written to the talk since the arbiter read of it."""
        steered, told = self.table.talk.steered, self._told
        self._told = len(steered)
        return "\n".join(self._templates.fill("talk_user", text=one.text) for one in steered[told:])

    # ---------------------------------------------------------------- one question to a participant

    def _consult_model(self) -> Tool:
        """`consult_model(model, query, context_filter, messages?)`."""
        names, text, templates = list(self.table.opened.participants), {"type": "string"}, self._templates
        spec = spec_of(
            CONSULT,
            templates.fill("consult_model"),
            {
                "model": {**text, "enum": names, "description": templates.fill("consult_model.model", names=", ".join(names))},
                "query": {**text, "description": templates.fill("consult_model.query")},
                "context_filter": {**text, "enum": list(FILTERS), "description": templates.fill("consult_model.context_filter")},
            },
            {"messages": {"type": "array", "items": {"type": "integer"}, "description": templates.fill("consult_model.messages")}},
        )
        return Tool(spec, self._consult, after_crash="repeat", repeatable=True)  # `max_turns` ends a loop, and the talk alone

    async def _consult(self, context: Context, arguments: Mapping[str, Any]) -> str:
        self._check(context)
        self._under_way.add(context.call)
        try:
            return self._result(await self._said(context, arguments))
        finally:
            self._under_way.discard(context.call)

    def _check(self, context: Context) -> None:
        """Refuse a question for whose answer the talk has no room. One whose answer has come was asked before a crash."""
        table, lane = self.table, f"{context.scope.lane}/{context.call}/"
        if any(one.lane.startswith(lane) for one in table.talk.sent.values()):
            return
        if table.turns_left <= len(self._under_way):
            raise ToolDenied(self._templates.fill("talk_no_turns", most=str(table.opened.max_turns)))
        if is_spent(context.scope, 2):
            raise ToolDenied(self._templates.fill("talk_spent"))

    async def _said(self, context: Context, arguments: Mapping[str, Any]) -> Said:
        """The answer of a participant, as its review leaves it."""
        table, name, query = self.table, arguments["model"], arguments["query"]
        keeps = arguments["context_filter"] in REMEMBERING
        shown = self._shown(name, arguments, keeps=keeps)
        earlier = [one for one in table.talk.sent.values() if one.sender == name]
        topic = arguments["context_filter"] != "nothing" and not (keeps and any(one.remembered for one in earlier))
        message = Message(
            "user", self._words(name, query, shown, topic=topic, keeps=keeps), files=table.context.told.files if topic else ()
        )
        answer = await context.put(Question(name, message, name, memory=table.memory if keeps else "none"))
        if not answer.text.strip():
            raise ToolError(self._templates.fill("no_answer", reason=f"{name} wrote nothing"))
        draft = MessageSent(
            table.opened.talk, sender=name, to=table.opened.arbiter, text=answer.text.strip(), round=len(earlier), lane=answer.lane,
            query=query, shown=tuple(said.number for said in shown), remembered=keeps,
        )  # fmt: skip
        return await table.send(draft)

    def _shown(self, name: str, arguments: Mapping[str, Any], *, keeps: bool) -> list[Said]:
        """The messages of others that the arbiter lets a participant read, without those that it has read and remembers."""
        messages, numbers = self.table.talk.messages, arguments.get("messages") or ()
        others = {said.number: said for said in messages if not said.dropped and said.sent.sender != name}
        if unknown := [number for number in numbers if number not in others]:
            able = ", ".join(map(str, others)) or self._templates.fill("none")
            raise ToolError(self._templates.fill("talk_unknown_message", number=str(unknown[0]), name=name, numbers=able))
        chosen = {number for number, said in others.items() if number in numbers or said.to == name}
        if arguments["context_filter"] == "answers":
            chosen |= others.keys()
        known = {number for said in messages if said.sent.sender == name and said.sent.remembered for number in said.sent.shown}
        return [said for number, said in others.items() if number in chosen and not (keeps and number in known)]

    def _words(self, name: str, query: str, shown: Sequence[Said], *, topic: bool, keeps: bool) -> str:
        """What a participant reads. The query comes last, because a small model forgets what is far above."""
        table, templates = self.table, self._templates
        parts = [*self._topic(name, topic=topic), *(message_line(templates, said) for said in shown), *notes(table, name, remembers=keeps)]
        return templates.fill("talk_query", context=Fenced("\n\n".join([*parts, ""]) if parts else ""), query=query)

    def _topic(self, name: str, *, topic: bool) -> list[str]:
        if not topic:
            return []
        table, opened, templates = self.table, self.table.opened, self._templates
        text = templates.fill("talk_about", task=table.context.told.content, topic=opened.topic, goal=opened.goal or templates.fill("none"))
        return [text for text in (table.history(name), text) if text]

    def _result(self, said: Said) -> str:
        """What the arbiter reads of the answer, and what it should know beside it."""
        templates, talk, review = self._templates, self.table.talk, said.review
        if said.dropped and review is not None:
            parts = [
                templates.fill("talk_answer_dropped", number=str(said.number), sender=said.sent.sender, by=review.by, reason=review.reason)
            ]
        else:
            parts = [message_line(templates, said, short(self.table, said.sent.sender, said.text))]
        facts = [one.detail for one in talk.noticed if one.detail and one.number == said.number]
        left = templates.fill("talk_left", count=str(self.table.turns_left))
        return "\n\n".join(filter(None, (*parts, *(templates.fill("talk_fact", fact=fact) for fact in facts), self._news(), left)))
