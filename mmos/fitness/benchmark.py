"""The benchmark of a model on a host: how long it loads, how fast it reads and writes, also several calls at once, and how well it calls tools."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, Literal

from mmos.errors import HostError, LacksTools
from mmos.fitness.cases import CASES
from mmos.fitness.figures import SINGLE, AtContext, AtOnce, Figures
from mmos.fitness.trial import Step, Tell, Trial, last_word
from mmos.fleet.fleet import Fleet
from mmos.fleet.residents import running_time, stays
from mmos.fleet.seats import Seat
from mmos.hosts.face import ChatRequest, Loaded, Timeouts
from mmos.messages import Message, Usage
from mmos.names import same_model

_SENTENCE = "In row {number} the gardener counted {apples} apples and wrote the sum down. "
_TASK = "Now write a long story about a lighthouse, in many short sentences."
_OPTIONS = {"temperature": 0, "seed": 1}
_SHORT = 12
"""Sentences of the first prompt. It shows how many tokens a sentence has, and nothing else is measured with it."""
_MARGIN = 1.15
"""The first prompt counts tokens of the template and the task as tokens of sentences, and numbers grow."""
_NEARLY_ALL = 0.9
"""The part of the window that a prompt and its answer take at most: the tokens are estimated."""
_FEW_TOKENS = 8
"""A shorter answer says little about the speed."""
_AT_ONCE = 0.002
"""Seconds. An answer that came in less time came as one piece, so its time says nothing."""
_CUT = 0.7
"""If the host counts less than this share of the wanted tokens, it cut the prompt."""
_WAITED = 0.5
"""Seconds. A call that waits longer for a slot waits for the work of others."""
_AT_ONCE_SENTENCES = 10
_LATER = 1.0
"""Seconds. If a host keeps a model longer than before by that, somebody has asked it meanwhile."""


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    contexts: Sequence[int] = (1024, 4096, 16384)
    """Tokens of the prompts. Those that do not fit into the window are left out."""
    at_once: int = 1
    """The most calls at the same time."""
    repeats: int = 3
    """Calls for each length of the prompt."""
    tokens: int = 64
    """The longest answer."""
    load: bool = True
    """Whether to load the model, and to unload it before if it is in memory."""
    channel: Literal["tools", "schema"] | None = "tools"
    """How tools are offered in the test of tool calls. None: there is no such test."""

    def fitting(self, window: int) -> list[int]:
        return [context for context in self.contexts if context <= window]

    @property
    def stages(self) -> list[int]:
        """1, 2, 4 and so on, and the largest number."""
        powers = [1 << power for power in range(self.at_once.bit_length()) if 1 << power < self.at_once]
        return [*powers, self.at_once]


@dataclass
class Benchmark:
    """Measures one thing after the other. What was measured stays in `figures` when an error ends it."""

    fleet: Fleet
    figures: Figures
    """At first only the model, the host, the time, the digest and the window."""
    plan: Plan
    explain: str
    """The template that explains how to call tools on the schema channel."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options that its roles load the model with."""
    keep_alive: str | float | None = None
    """How long the configuration keeps the model in memory."""
    tell: Tell = lambda _step: None
    clock: Callable[[], float] = running_time
    wall: Callable[[], float] = time.time
    first_number: int = 1
    """Where the counting in prompts begins. With another number no prompt begins like one of an earlier benchmark, which the host may still have in its cache."""
    _done: int = 0

    @property
    def _seat(self) -> Seat:
        return next(seat for seat in self.fleet.seats if seat.name == self.figures.host)

    @property
    def _of(self) -> int:
        trial = len(CASES) if self.plan.channel else 0
        return self.plan.load + len(self.plan.fitting(self.figures.window)) * self.plan.repeats + len(self.plan.stages) + trial

    async def run(self) -> Figures:
        """Measure everything. Raises `HostError` when the host fails."""
        before = await self._others()
        if self.plan.load:
            await self._load()
        each = await self._each()
        for context in self.plan.fitting(self.figures.window):
            await self._at(context, each)
        for context in self.plan.contexts:
            if context not in self.plan.fitting(self.figures.window):
                self._note(f"left out {context} tokens: the window has {self.figures.window}")
        for calls in self.plan.stages:
            await self._together(calls)
        if self.plan.channel:
            await self._tools(self.plan.channel)
        self.compare(before, await self._others())
        self.figures = replace(self.figures, whole=True)
        return self.figures

    # ---------------------------------------------------------------- loading

    async def _load(self) -> None:
        host, model = self._seat.host, self.figures.model
        if any(same_model(loaded.name, model) for loaded in await host.ps()):
            await host.unload(model)
        seconds = await host.preload(
            model, num_ctx=self.figures.window, options=self.options, keep_alive=self.keep_alive, timeouts=self._patience
        )
        self.figures = replace(self.figures, load_seconds=round(seconds * self._seat.time_scale, 3))
        there = next((loaded for loaded in await host.ps() if same_model(loaded.name, model)), None)
        if there is not None and there.context_length and there.context_length < self.figures.window:
            self._note(f"the host gives a window of {there.context_length}, not {self.figures.window}")
            self.figures = replace(self.figures, window=there.context_length)
        self._step(f"load: {self.figures.load_seconds} s")

    # ---------------------------------------------------------------- reading and writing

    async def _each(self) -> float:
        """The tokens of a sentence."""
        _, usage = await self._ask(_SHORT, 1)
        return max(1.0, usage.prompt_tokens / _SHORT / _MARGIN)

    async def _at(self, context: int, each: float) -> None:
        rows = [await self._once(context, each, number) for number in range(self.plan.repeats)]
        firsts = [first for first, _ in rows]
        reads = [rate for _, usage in rows if (rate := _rate(usage.prompt_tokens - (usage.cached_tokens or 0), usage.prompt_seconds))]
        long = [usage for _, usage in rows if usage.output_tokens >= _FEW_TOKENS and usage.output_seconds > _AT_ONCE]
        writes = [rate for usage in long if (rate := _rate(usage.output_tokens, usage.output_seconds))]
        tokens = int(median(usage.prompt_tokens for _, usage in rows))
        if tokens < _CUT * context:
            self._note(f"the host read {tokens} of {context} tokens")
        if not writes:
            self._note(f"the answers to {context} tokens do not show how fast it writes: they are too short, or came as one piece")
        if max(usage.queue_seconds for _, usage in rows) > _WAITED:
            self._note("calls waited for the work of others, so the figures are low")
        found = AtContext(context, tokens, round(median(firsts), 3), _middle(reads), _middle(writes), _spread(reads, writes))
        self.figures = replace(self.figures, contexts=(*self.figures.contexts, found))

    async def _once(self, context: int, each: float, number: int) -> tuple[float, Usage]:
        tokens = min(context, _NEARLY_ALL * self.figures.window) - self.plan.tokens
        first, usage = await self._ask(max(1, int(tokens / each)), self.plan.tokens)
        self._step(f"{context} tokens, call {number + 1}: {first:.2f} s to the first token")
        return first, usage

    async def _ask(self, sentences: int, tokens: int) -> tuple[float, Usage]:
        """The seconds to the first piece of an answer, on the host's clock, and its figures. No two prompts begin alike."""
        begun, first = self.clock(), list[float]()
        start, self.first_number = self.first_number, self.first_number + sentences
        rows = (_SENTENCE.format(number=number, apples=number % 89) for number in range(start, self.first_number))
        request = ChatRequest(
            self.figures.model, [Message("user", "".join(rows) + _TASK)], self.figures.window,
            options={**self.options, **_OPTIONS, "num_predict": tokens}, cold=True, on_progress=lambda: first.append(self.clock()),
        )  # fmt: skip
        reply = await self._seat.host.chat(request, timeouts=self._patience)
        seconds = (first[0] if first else self.clock()) - begun
        return seconds * self._seat.time_scale, reply.usage

    # ---------------------------------------------------------------- several at once

    async def _together(self, calls: int) -> None:
        rates = [rate for _ in range(self.plan.repeats) if (rate := await self._all_of(calls))]
        self._step(f"{calls} at once: {_middle(rates) or 0:.0f} tokens/s", ok=bool(rates))
        if rates:
            self.figures = replace(self.figures, parallel=(*self.figures.parallel, AtOnce(calls, round(median(rates), 2), _spread(rates))))

    async def _all_of(self, calls: int) -> float | None:
        """The tokens a second of so many calls at the same time."""
        begun, failed = self.clock(), None
        try:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(self._ask(_AT_ONCE_SENTENCES, self.plan.tokens)) for _ in range(calls)]
        except* HostError as errors:
            failed = errors.exceptions[0]
        if failed is not None:
            raise failed
        return _rate(sum(task.result()[1].output_tokens for task in asked), (self.clock() - begun) * self._seat.time_scale)

    # ---------------------------------------------------------------- tool calls

    async def _tools(self, channel: Literal["tools", "schema"]) -> None:
        done = self._done

        def tell(step: Step) -> None:
            self._done = done + step.number
            self.tell(Step(self._done, self._of, step.what, step.ok))

        model, host, window = self.figures.model, self.figures.host, self.figures.window
        try:
            card = await Trial(self.fleet, model, host, window, self.explain, tell=tell).run((channel,), probe=False)
        except HostError as error:
            if not isinstance(fault := last_word(error), LacksTools):
                raise
            return self._note(f"no test of tool calls: {fault.message}")
        marks = card.channels[channel]
        if marks.judged:
            self.figures = replace(self.figures, calls=round(marks.score, 3), channel=channel)
        else:
            self._note(f"no test of tool calls: {marks.why}")
        return None

    # ---------------------------------------------------------------- others

    async def _others(self) -> list[Loaded]:
        """The other models in the memory of the host."""
        if not self._seat.host.abilities.tells_loaded:
            return []
        return [loaded for loaded in await self._seat.host.ps() if not same_model(loaded.name, self.figures.model)]

    def compare(self, before: Sequence[Loaded], after: Sequence[Loaded]) -> None:
        """Note what the other models show: that one was used meanwhile, or had to leave."""
        now = self.wall()
        for loaded in before:
            there = next((other for other in after if other.name == loaded.name), None)
            if there is None:
                self._note(f"{loaded.name} has left the memory of the host")
            elif (stays(loaded, now) or 1) < 0 or (stays(there, now) or 0) > (stays(loaded, now) or 0) + _LATER:
                self._note(f"{loaded.name} was at work meanwhile, so the figures are low")

    def _note(self, text: str) -> None:
        if text not in self.figures.notes:
            self.figures = replace(self.figures, notes=(*self.figures.notes, text))

    def _step(self, what: str, *, ok: bool = True) -> None:
        self._done += 1
        self.tell(Step(self._done, self._of, what, ok))

    @property
    def _patience(self) -> Timeouts:
        return self.timeouts.scaled(self._seat.time_scale)


def _rate(tokens: int, seconds: float) -> float | None:
    return round(tokens / seconds, 2) if tokens > 0 and seconds > 0 else None


def _middle(rates: Sequence[float]) -> float | None:
    return round(median(rates), 2) if rates else None


def _spread(*rows: Sequence[float]) -> float:
    """How far the values of a row are apart, as a part of their median; of the worst row."""
    return round(max(((max(row) - min(row)) / median(row) if len(row) > 1 else SINGLE for row in rows if row), default=SINGLE), 3)
