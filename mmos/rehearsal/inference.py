"""One answer of a model, from the door to the last byte: load, slot, prompt, and the pieces of the turn in the model's own time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import orjson

from mmos.rehearsal.answers import Metrics, Shape, Streamed, StruckError, Whole, suffer
from mmos.rehearsal.decoding import Ask, RefusalError, check_format, check_options
from mmos.rehearsal.engine import OutOfScriptError, respond
from mmos.rehearsal.personas import Model
from mmos.rehearsal.pieces import Call, Cut, Fail, Finish, Loop, Piece, Say, Think
from mmos.rehearsal.prompt import Offered, Prompt
from mmos.rehearsal.residency import Runner, Slot
from mmos.rehearsal.tokens import count, split
from mmos.rehearsal.visit import Visit
from mmos.rehearsal.windows import Fitted, fit, render

BREATH = 64
"""After so many pieces others get their turn, and a client that left is noticed."""
MOST_REPEATS = 30
"""After so many more of the same token the server breaks the answer off, without `done`."""


@dataclass(frozen=True)
class Request(Visit):
    """A visit to a model, and what it asks."""

    ask: Ask = field(default_factory=Ask)
    chat: bool = True


def check(request: Request, model: Model) -> None:
    """What is refused before anything is loaded."""
    ask = request.ask
    if not model.can("completion"):
        raise RefusalError(400, f'"{ask.model}" does not support {"chat" if request.chat else "generate"}')
    if ask.tools and not model.can("tools"):
        raise RefusalError(400, f"registry.ollama.ai/library/{model.full_name} does not support tools")
    if ask.think and not model.can("thinking"):
        raise RefusalError(400, f'"{ask.model}" does not support thinking')
    check_options(ask.options)


async def infer(request: Request, model: Model) -> None:
    """Answer a chat or a generation."""
    host, ask = request.host, request.ask
    shape = Shape(ask.model, host.clock, chat=request.chat)
    if not ask.messages and ask.keep_alive == 0:
        host.residency.unload(model)
        return request.exchange.reply(200, shape.line("", {}, {"done": True, "done_reason": "unload"})[:-1])
    check(request, model)
    window = request.seen.num_ctx = host.window(model, ask.options)
    answer = Streamed(request.exchange, shape, request.fault) if ask.stream else Whole(request.exchange, shape, request.fault)
    number = host.take_turn(model) if ask.messages else 0
    given = False
    try:
        async with host.residency.hold(model, window, ask.keep_alive) as (runner, load):
            if not ask.messages:
                return request.exchange.reply(200, shape.line("", {}, {"done": True, "done_reason": "load"})[:-1])
            given = await _Generation(request, runner, answer, load, number).run()
    finally:
        if ask.messages and not given:
            host.return_turn(model, number)
    return None


@dataclass
class _Generation:
    """The part that happens in a runner."""

    request: Request
    runner: Runner
    answer: Streamed | Whole
    load: float
    turn: int
    said: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    used: int = 0

    async def run(self) -> bool:
        """Whether the turn was given as the model meant it. Refusals from here on come from the engine: the model is loaded by then."""
        number = self.request.host.next_request()
        try:
            form = check_format(self.request.ask.format)
            fitted = fit(self.request.ask, self.runner.window)
            pieces = respond(self.runner.model, self._prompt(fitted, form, number))
        except RefusalError as refusal:
            self.answer.refuse(refusal.status, refusal.text)
            return False
        except OutOfScriptError as error:
            self.answer.refuse(500, str(error))
            return False
        waited_from = self.request.host.clock.now()
        async with self.runner.slot(fitted.parts) as slot:
            queued = self.request.host.clock.now() - waited_from
            try:
                await self._generate(pieces, fitted, slot, number, queued)
            except StruckError as struck:
                await suffer(struck.fault, self.answer, self.request.exchange)
                return False
        return True

    def _prompt(self, fitted: Fitted, form: Any, number: int) -> Prompt:
        ask = self.request.ask
        functions = [tool.get("function") or {} for tool in ask.tools]
        offered = [Offered(str(f.get("name", "")), str(f.get("description", "")), f.get("parameters") or {}) for f in functions]
        seed = zlib.crc32(f"{self.request.host.seed}/{number}".encode())
        return Prompt(ask.model, fitted.messages, offered, form, self.turn, seed)

    async def _generate(self, pieces: Sequence[Piece], fitted: Fitted, slot: Slot, number: int, queued: float) -> None:
        host, model = self.request.host, self.runner.model
        slower = self.request.fault.factor if self.request.fault is not None and self.request.fault.kind == "slow" else 1.0
        reused = min(slot.reusable(fitted.parts), fitted.tokens - 1)
        reading = (fitted.tokens - reused) / model.speed.prefill * slower
        host.tokens_reused += reused
        host.tokens_evaluated += fitted.tokens - reused
        began = host.clock.now()
        await host.clock.sleep(reading)
        slot.hold(fitted.parts, fitted.tokens)
        pace = slower / model.speed.decode
        reason = await self._write(pieces, self._limit(fitted), number, (began + reading, pace))
        host.tokens_generated += self.used
        said = render({"role": "assistant", "content": "".join(self.said), "tool_calls": self.calls})
        slot.hold([*fitted.parts, said], fitted.tokens + count(said))
        if reason:
            total = queued + self.load + reading + self.used * pace
            metrics = Metrics(total, self.load, fitted.tokens, reading, self.used, self.used * pace).to_json()
            self.answer.finish(reason, metrics if self.request.chat else {"context": self._context(fitted), **metrics})

    def _context(self, fitted: Fitted) -> list[int]:
        return [zlib.crc32(token.encode()) % 32000 for token in split("".join([*fitted.parts, *self.said]))]

    def _limit(self, fitted: Fitted) -> int:
        """How many tokens the answer may have."""
        ask, window = self.request.ask, self.runner.window
        wished = ask.options.get("num_predict")
        most = 10 * window
        limit = most if wished is None or wished < 0 else min(int(wished), most)
        return limit if ask.shift else min(limit, window - fitted.tokens)

    async def _write(self, pieces: Sequence[Piece], limit: int, number: int, timing: tuple[float, float]) -> str:
        """Let the answer come to be; gives the reason of its end, or nothing where it broke off."""
        clock = self.request.host.clock
        thinks = self.runner.model.can("thinking") and self.request.ask.think is not False
        repeats = _Repeats()
        for kind, value, cost in _unroll(pieces, self.request.ask.options.get("stop") or (), thinks):
            if self.used + cost > limit:
                self.used = limit
                return "length"
            if kind == "finish":
                return str(value)
            if kind in ("fail", "cut") or (kind == "text" and repeats.too_many(value)):
                self._break_off(kind, value)
                return ""
            self.used += cost
            if not clock.rushes:
                self.answer.flush()
                await clock.until(timing[0] + self.used * timing[1])
            self._put(kind, value, number)
            if self.used % BREATH == 0:
                self.answer.flush()
                await self.request.exchange.drain()
        return "stop"

    def _break_off(self, kind: str, value: Any) -> None:
        """The answer ends without an end."""
        if kind == "fail":
            self.answer.fail(value)
        elif kind == "cut":
            self.answer.flush()
            self.request.exchange.cut()
        else:
            self.answer.stop()

    def _put(self, kind: str, value: Any, number: int) -> None:
        if kind == "think":
            self.answer.think(value)
        elif kind == "call":
            function = {"index": len(self.calls), "name": value.tool, "arguments": dict(value.arguments)}
            self.calls.append({"id": self.request.host.call_id(number, len(self.calls)), "function": function})
            self.answer.call(self.calls[-1])
        else:
            self.said.append(value)
            self.answer.say(value)


class _Repeats:
    """Counts the same token in a row."""

    def __init__(self) -> None:
        self._last = ""
        self._times = 0

    def too_many(self, token: str) -> bool:
        token = token.strip()
        self._times = self._times + 1 if token == self._last else 0
        self._last = token
        return self._times > MOST_REPEATS


def _unroll(pieces: Sequence[Piece], stops: Sequence[str], thinks: bool) -> Iterator[tuple[str, Any, int]]:
    """The pieces of a turn token by token: what kind it is, what it holds, and how many tokens it counts."""
    for piece in pieces:
        if isinstance(piece, Say | Loop):
            for text in repeat(piece.text) if isinstance(piece, Loop) and piece.text else (piece.text,):
                said = _before(text, stops)
                yield from (("text", token, 1) for token in split(said))
                if said != text:
                    return
        elif isinstance(piece, Think) and thinks:
            yield from (("think", token, 1) for token in split(piece.text))
        elif isinstance(piece, Call):
            yield "call", piece, 8 + count(orjson.dumps(piece.arguments).decode())
        elif isinstance(piece, Finish):
            yield "finish", piece.reason, 0
        elif isinstance(piece, Fail):
            yield "fail", piece.text, 0
        elif isinstance(piece, Cut):
            yield "cut", "", 0


def _before(text: str, stops: Sequence[str]) -> str:
    """The text up to the first stop sequence in it."""
    for stop in stops:
        if stop:
            text = text.partition(stop)[0]
    return text
