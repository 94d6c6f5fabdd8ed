"""Repairs a call that MMOS cannot read or run: it asks the interpreter what the call means, then asks the caller to repeat it in JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import orjson

from mmos.calls.channels import ToolsChannel
from mmos.calls.interpreting import LONGEST, relevant, spelled_out, trusted
from mmos.calls.reading import Reading, Repair, writable
from mmos.calls.seen import Seen
from mmos.calls.spec import Spec, encode_offer
from mmos.errors import HostError, LimitReached
from mmos.events import CallRepaired, ModelAsked, Status
from mmos.fences import one_line
from mmos.messages import Message, Reply, ToolCall
from mmos.participant.cast import Offer, Role
from mmos.participant.inquiry import Inquiry
from mmos.participant.models import Models
from mmos.prompting.frame import Frame
from mmos.prompting.gauge import Gauge
from mmos.prompting.templates import Templates
from mmos.scope import Scope
from mmos.toolbox import Toolbox

LANE = "interpreter"
"""The role name of every lane that the ladder opens, also when the caller answers in it."""
SECONDS = 60.0
"""Timeout of one attempt when its role has no `timeout`."""
TOKENS = 512
ROUTER = "functiongemma"
ROUTER_TOKENS = 256
ROUTER_STOP = "<start_function_response>"
"""Without this stop FunctionGemma continues with an invented result."""


@dataclass(frozen=True)
class Again:
    """The turn of the caller once more. A grammar forces the reply to be JSON."""

    role: Role
    offer: Offer
    event: ModelAsked


@dataclass
class Ladder:
    """What MMOS tries before it tells a caller that its reply is unclear. Each run has one ladder."""

    models: Models
    gauge: Gauge
    templates: Templates
    interpreters: Sequence[Role] = ()
    """The role of the interpreter with each of its models that may still answer. The first one is asked."""
    silent: bool = False
    """The interpreter did not answer, so this run does not wait for it again."""

    async def climb(self, scope: Scope, box: Toolbox, reading: Reading, again: Again | None) -> Reading:
        """The reading that the first successful attempt gives. If none succeeds, the reading as it came."""
        text = reading.message.content.strip()
        asks_interpreter = bool(text) and not reading.quoted and self._may_interpret(text)
        if not box or not _may_ask(scope) or not (asks_interpreter or again):
            return reading
        with self._inquiry(scope, text or self.templates.explain(reading.unclear)) as inquiry:
            if asks_interpreter:
                calls = await self._interpret(inquiry, text, box, text)
                calls = _without_quotations(calls, text, Seen(scope.read()))
                if not isinstance(calls, str):
                    repair = Repair("interpreter", f"{self._name} read it as {_list(calls)}")
                    return Reading(replace(reading.message, content="", calls=calls), repairs=(*reading.repairs, repair))
            return await self._second_reading(inquiry, reading, again) if again else reading

    async def clarify(self, scope: Scope, call: ToolCall, box: Toolbox, fault: str) -> ToolCall | None:
        """Ask the interpreter which call the model wanted when its call cannot run. Every change is recorded."""
        source = orjson.dumps({"name": call.name, "arguments": call.arguments}).decode()
        if not self._may_interpret(source) or not _may_ask(scope) or not box:
            return None
        task = scope.exchange.messages[0].content
        question = self.templates.fill("clarify", task=task, call=source, fault=one_line(fault))
        if len(question) > LONGEST:
            question = self.templates.fill("clarify", task=self.templates.fill("long_task"), call=source, fault=one_line(fault))
        if tool := box.get(call.name):
            box = Toolbox.of([tool])
        with self._inquiry(scope, question) as inquiry:
            calls = await self._interpret(inquiry, question, box, f"{source} {task}")
        if isinstance(calls, str) or len(calls) > 1 or (calls[0].name, calls[0].arguments) == (call.name, call.arguments):
            return None
        what = f"{self._name} read {call.name} as {_list(calls)}"
        scope.record(CallRepaired(call.id, scope.lane, "interpreter", what, calls[0].name, calls[0].arguments))
        return calls[0]

    async def interpret(self, scope: Scope, text: str, box: Toolbox) -> tuple[ToolCall, ...] | str:
        """The calls that the text means, or the reason why there are none."""
        if not self.interpreters:
            return "there is no interpreter"
        if len(text) > LONGEST:
            return f"the text has more than {LONGEST} characters"
        with self._inquiry(scope, text) as inquiry:
            return await self._interpret(inquiry, text, box, text)

    # ---------------------------------------------------------------- the interpreter

    @property
    def _name(self) -> str:
        return self.interpreters[0].model if self.interpreters else ""

    def _may_interpret(self, text: str) -> bool:
        return bool(self.interpreters) and len(text) <= LONGEST and not self.silent

    async def _interpret(self, inquiry: Inquiry, text: str, box: Toolbox, source: str) -> tuple[ToolCall, ...] | str:
        specs = relevant(text, box.specs)
        if not self.interpreters or not specs:
            return "it fits no tool"
        reply = await self._ask(inquiry, specs)
        if isinstance(reply, str):
            return reply
        if reply is None:
            return "it does not fit into the interpreter's window"
        calls = reply.calls or ToolsChannel(specs).read(reply).message.calls
        effects = [tool.name for tool in box if tool.effects]
        result = trusted(calls, specs, text=source, sources=[source], bound=effects)
        return result if isinstance(result, str) else tuple(result)

    async def _ask(self, inquiry: Inquiry, specs: Sequence[Spec]) -> Reply | str | None:
        """The reply of the interpreter's first model that answers, or why the last one does not. None: the text does not fit its window."""
        for role in self.interpreters:
            try:
                reply = await inquiry.ask(role, self.frame(role, specs), role.timeout or SECONDS)
            except HostError as error:
                inquiry.scope.warn(f"{role.name} ({role.model}) gave no answer: {error}", unserved=(f"{role.name}={role.model}",))
                fault = error.message
                continue
            self.interpreters = self.interpreters[self.interpreters.index(role) :]
            return reply
        self.silent = True
        return fault

    def frame(self, role: Role, specs: Sequence[Spec]) -> Frame:
        """One turn with few tools and few tokens. FunctionGemma gets the system text that it was trained with."""
        router = text_for(role.model) == ROUTER
        system = instructions(role, self.templates)
        limits = {"num_predict": ROUTER_TOKENS, "stop": [ROUTER_STOP]} if router else {"num_predict": TOKENS}
        options = {"temperature": 0, **limits, **role.options}
        tools = encode_offer(map(spelled_out, specs))
        return Frame(Message("system", system), tools=tools, options=options, think=role.think, keep_alive=role.keep_alive)

    # ---------------------------------------------------------------- the caller itself

    async def _second_reading(self, inquiry: Inquiry, reading: Reading, again: Again) -> Reading:
        """What the caller replies the second time. A grammar allows only a call or an answer."""
        role, offer = again.role, again.offer
        try:
            reply = await inquiry.ask(role, offer.frame, role.timeout or SECONDS, again.event)
        except (HostError, LimitReached):
            return reading
        if reply is None:
            return reading
        second = writable(offer.channel.read(reply))
        if second.unclear:
            return reading
        what = _list(second.message.calls) if second.message.calls else "an answer"
        repair = Repair("arbiter", f"said again as JSON: {what}")
        return Reading(second.message, repairs=(*reading.repairs, *second.repairs, repair))

    # ---------------------------------------------------------------- its lane

    @contextmanager
    def _inquiry(self, scope: Scope, about: str) -> Iterator[Inquiry]:
        inquiry = Inquiry.open(self.models, self.gauge, scope, role=LANE, about=about)
        status: Status = "failed"
        try:
            yield inquiry
            status = "answered"
        except asyncio.CancelledError:
            status = "cancelled"
            raise
        finally:
            inquiry.close(status)


def text_for(model: str) -> str:
    """The name of the prompt that an interpreter gets."""
    return ROUTER if ROUTER in model.lower() else "interpreter"


def instructions(role: Role, templates: Templates) -> str:
    """An interpreter's system text."""
    return "\n\n".join(filter(None, (templates.fill(text_for(role.model)), role.system)))


def _without_quotations(calls: tuple[ToolCall, ...] | str, text: str, seen: Seen) -> tuple[ToolCall, ...] | str:
    """The calls, unless one of them is a quotation from a text that the caller read."""
    if not isinstance(calls, str) and (seen.repeats(text) or any(seen.quotes(call.name, call.arguments) for call in calls)):
        return "it is a quotation"
    return calls


def _may_ask(scope: Scope) -> bool:
    """Whether the run has calls left, and may ask more models."""
    return scope.calls_left != 0 and scope.reached_limit is None


def _list(calls: Sequence[ToolCall]) -> str:
    return ", ".join(f"{call.name} {orjson.dumps(call.arguments).decode()[:200]}" for call in calls)
