"""Produces one response of a model: it loads the model, takes a slot, reads the prompt and writes the turn at the model's speed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mmos.rehearsal.checking import check, refuse_broken
from mmos.rehearsal.decoding import RefusalError, check_format
from mmos.rehearsal.engine import OutOfScriptError, respond
from mmos.rehearsal.faults import LOAD_TIMEOUT, OUT_OF_MEMORY
from mmos.rehearsal.memory import Need
from mmos.rehearsal.parsing import Bit, Reading
from mmos.rehearsal.personas import Model
from mmos.rehearsal.pieces import Piece
from mmos.rehearsal.prompt import Prompt, ToolSpec
from mmos.rehearsal.runner import Runner, Slot
from mmos.rehearsal.templates import rendered
from mmos.rehearsal.tokens import count, split
from mmos.rehearsal.unrolling import Repeats, unroll
from mmos.rehearsal.visit import Request
from mmos.rehearsal.windows import FittedPrompt, fit, messages_in_prompt, render
from mmos.rehearsal.writers import Metrics, ResponseWriter, Shape, StruckError, open_writer, suffer

BREATH = 64
"""After this many pieces other requests get a turn, and the host checks whether the client left."""


async def infer(request: Request, model: Model, writer: ResponseWriter | None = None) -> None:
    """Serve a chat or a generation. Without `writer`, the response has Ollama's own format."""
    host, ask = request.host, request.ask
    shape = Shape(ask.model, host.clock, chat=request.chat)
    writer = writer or open_writer(request.http, shape, request.fault, ask)
    refuse_broken(host, model, ask.model)
    if not ask.messages and ask.keep_alive == 0:
        host.residency.unload(model)
        return writer.note("unload")
    check(request, model)
    number = host.take_turn(model) if ask.messages and not ask.render_only else None
    complete = False
    try:
        async with host.residency.hold(_need(request, model)) as (runner, load):
            if not ask.messages:
                return writer.note("load")
            if ask.render_only:
                return writer.note("", _debug_info(request, model, runner))
            complete = await _Generation(request, runner, writer, load, number or 0).run()
    finally:
        if number is not None and not complete:
            host.return_turn(model, number)
    return None


def _debug_info(request: Request, model: Model, runner: Runner) -> dict[str, Any]:
    """The prompt that the model would get."""
    ask = request.ask
    fields: dict[str, Any] = {"rendered_template": rendered(messages_in_prompt(ask, runner), ask, model, request.host.rules)}
    return fields | ({"image_count": ask.images} if ask.images else {})


def _need(request: Request, model: Model) -> Need:
    """The model that the request wants loaded, as its fault changes it."""
    host, ask, fault = request.host, request.ask, request.fault
    need = host.need(model, ask.options, shift=ask.shift, keep_alive=ask.keep_alive)
    request.entry.num_ctx = need.window
    if fault is not None and fault.kind == "killed":
        host.residency.kill(model)
    if fault is not None and fault.kind == "deadlock":
        host.residency.jam()
    if fault is not None and fault.kind == "oom":
        return replace(need, failure=fault.error or f"{host.rules.engine}{OUT_OF_MEMORY}")
    if fault is not None and fault.kind == "load_stall":
        return replace(need, failure=fault.error or host.rules.load_stalled, stall=LOAD_TIMEOUT if fault.seconds is None else fault.seconds)
    return need


@dataclass
class _Generation:
    """The part of a response that a runner does."""

    request: Request
    runner: Runner
    writer: ResponseWriter
    load: float
    turn: int
    texts: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    used: int = 0
    thought_tokens: int = 0
    """Tokens of the thought."""
    number: int = 0
    stall_seconds: float = 0.0
    """Seconds without a token, because the script says so."""
    lone: bool = False
    """Whether the response is a single token: its end token, or the only one that the window had room for."""

    async def run(self) -> bool:
        """Give the turn. Returns whether it was given whole. The model is loaded, so refusals from here on come from the engine."""
        host = self.request.host
        self.number = host.next_request()
        try:
            form = check_format(self.request.ask.format, host.rules)
            fault = self.request.fault
            cut = fault.factor if fault is not None and fault.kind == "truncate" else 0.0
            prompt = fit(self.request.ask, self.runner, host.rules, cut=cut)
            pieces = respond(self.runner.model, self._prompt(prompt, form))
        except RefusalError as refusal:
            self.writer.refuse(refusal.status, refusal.text)
            return False
        except OutOfScriptError as error:
            self.writer.refuse(500, str(error))
            return False
        waited_from = host.clock.now()
        async with self.runner.slot(prompt.parts) as slot:
            queue_seconds = host.clock.now() - waited_from
            host.queue_seconds += queue_seconds
            self.request.entry.queue_seconds, self.request.entry.load_seconds = queue_seconds, self.load
            try:
                await self._generate(pieces, prompt, slot, queue_seconds)
            except StruckError as struck:
                if struck.fault.kind == "error_line":
                    self.runner.dead = True
                await suffer(struck.fault, self.writer, self.request.http)
                return False
        return True

    def _prompt(self, prompt: FittedPrompt, form: Any) -> Prompt:
        ask = self.request.ask
        seed = zlib.crc32(f"{self.request.host.seed}/{self.number}".encode())
        return Prompt(ask.model, prompt.messages, self._specs(), form, self.turn, seed, ask.think)

    def _specs(self) -> list[ToolSpec]:
        functions = [tool.get("function") or {} for tool in self.request.ask.tools]
        return [ToolSpec(str(f.get("name", "")), str(f.get("description", "")), f.get("parameters") or {}) for f in functions]

    async def _generate(self, pieces: Sequence[Piece], prompt: FittedPrompt, slot: Slot, queue_seconds: float) -> None:
        host, speed = self.request.host, self.runner.model.speed
        slower = self._slowness()
        reused = min(slot.reusable(prompt.parts), prompt.tokens - 1)
        reading = (prompt.tokens - reused) / speed.prefill * slower
        self._read(prompt.tokens, reused)
        began = host.clock.now()
        await host.clock.sleep(reading)
        slot.hold(prompt.parts, prompt.tokens)
        pace = slower / speed.decode
        reason = await self._write(pieces, self._limit(prompt), (began + reading, pace))
        host.tokens_generated += self.used
        self.request.entry.output_tokens = self.used
        reply = render({"role": "assistant", "content": "".join(self.texts), "tool_calls": self.calls})
        slot.hold([*prompt.parts, reply], prompt.tokens + count(reply))
        if reason:
            total = queue_seconds + self.load + reading + self.used * pace + self.stall_seconds
            cached = reused if host.rules.cached_count else None
            again = self.thought_tokens if self.request.ask.format and host.rules.thinks_twice else 0
            writing = 0.0 if self.lone and not host.rules.times_first_token else self.used * pace + self.stall_seconds
            metrics = Metrics(total, self.load, prompt.tokens + again, reading, self.used, writing, cached).to_json()
            late = self.calls if self._late else ()
            self.writer.finish(reason, self._context(prompt) | metrics, late)

    def _slowness(self) -> float:
        fault = self.request.fault
        struck = fault.factor if fault is not None and fault.kind == "slow" else 1.0
        return struck * self.runner.slowness / self.request.host.speed_factor

    def _read(self, tokens: int, reused: int) -> None:
        host, entry = self.request.host, self.request.entry
        host.tokens_reused += reused
        host.tokens_evaluated += tokens - reused
        entry.prompt_tokens, entry.cached_tokens = tokens, reused

    @property
    def _late(self) -> bool:
        """Whether calls come with the end of the response."""
        return self.runner.model.path == "native" and self.request.host.rules.native

    def _context(self, prompt: FittedPrompt) -> dict[str, Any]:
        """The tokens that a generation reports, so that the client can continue from them. A raw prompt reports none."""
        if self.request.chat or self.request.ask.raw:
            return {}
        return {"context": [zlib.crc32(token.encode()) % 32000 for token in split("".join([*prompt.parts, *self.texts]))]}

    def _limit(self, prompt: FittedPrompt) -> int:
        """The largest number of tokens of the response."""
        ask, window = self.request.ask, self.runner.window
        requested = {**self.runner.model.parameters, **ask.options}.get("num_predict")
        most = 10 * window
        limit = most if requested is None or requested < 0 else min(int(requested), most)
        room = window - prompt.tokens + (0 if self.request.host.rules.shift_off_refuses else 1)
        return limit if ask.shift else min(limit, room)

    def _reading(self) -> Reading:
        ask, model = self.request.ask, self.runner.model
        tools = {spec.name: spec for spec in self._specs()}
        thinks = model.can("thinking") and ask.think is not False
        return Reading(model, tools, thinks, self.request.host.rules.strips_escape)

    async def _write(self, pieces: Sequence[Piece], limit: int, timing: tuple[float, float]) -> str:
        """Write the response. Returns the reason of its end. Empty: it broke off."""
        host = self.request.host
        repeats = Repeats(0 if self._late else host.rules.repeats)
        for bit in unroll(pieces, self.request.ask.options.get("stop") or (), self._reading(), host.rules):
            if bit.kind == "derail" or self.used + bit.cost > limit:
                return await self._run_out(bit, limit, timing)
            if bit.kind == "finish":
                return str(bit.value)
            if bit.kind in ("fail", "cut", "end") or (bit.kind == "text" and repeats.too_many(bit.value)):
                self._break_off(bit)
                return ""
            self.used += bit.cost
            if bit.kind == "stall":
                await self._stall(bit.value)
                continue
            if not host.clock.rushes:
                self.writer.flush()
                await host.clock.until(timing[0] + self.stall_seconds + self.used * timing[1])
            self._put(bit)
            if self.used % BREATH == 0:
                self.writer.flush()
                await self.request.http.drain()
        self.lone = self.used == 0
        self.used = max(self.used, 1)  # the token that ends a response
        return "stop"

    async def _stall(self, seconds: float | None) -> None:
        """Send nothing for this long, or for ever. The slot stays taken until the client leaves."""
        self.writer.flush()
        if seconds is None:
            await asyncio.Event().wait()
            return
        await self.request.host.clock.sleep(seconds)
        self.stall_seconds += seconds

    async def _run_out(self, bit: Bit, limit: int, timing: tuple[float, float]) -> str:
        """End a response that is as long as allowed. A native call that is cut off is an error."""
        self.used, self.lone = limit, limit == 1
        self.writer.flush()
        await self.request.host.clock.until(timing[0] + self.stall_seconds + self.used * timing[1])
        if bit.kind == "call" and self._late:
            bit = Bit("derail", f'llama-server returned invalid tool call arguments for "{bit.value.tool}": unexpected end of JSON input')
        if bit.kind != "derail":
            return "length"
        self.writer.fail(bit.value)
        return ""

    def _break_off(self, bit: Bit) -> None:
        """Stop the response without an end."""
        if bit.kind == "fail":
            self.writer.fail(bit.value)
        elif bit.kind == "cut":
            self.writer.flush()
            self.request.http.cut()
        elif bit.kind == "text" and self.request.host.rules.repeats_error:
            self.writer.fail("prediction aborted, token repeat limit reached")
        else:
            self.writer.stop()

    def _put(self, bit: Bit) -> None:
        if bit.kind == "think":
            self.thought_tokens += bit.cost
            self.writer.think(bit.value)
        elif bit.kind == "call":
            function = {"index": len(self.calls), "name": bit.value.tool, "arguments": dict(bit.value.arguments)}
            self.calls.append({"id": self.request.host.call_id(self.number, len(self.calls), native=self._late), "function": function})
            if not self._late:
                self.writer.call(self.calls[-1])
        elif bit.kind == "text" and not (self._late and self.calls):
            self.texts.append(bit.value)
            self.writer.say(bit.value)
