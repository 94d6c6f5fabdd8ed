"""The fitness test of a model on a host: every case in every channel, then the real size of its window."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from mmos.calls.channels import Channel, SchemaChannel, ToolsChannel, in_words
from mmos.calls.coerce import coerce
from mmos.calls.reading import Reading, rescued
from mmos.errors import HostError, HostFault, HostTimeout, LacksTools, NoHost, StreamCut, WindowExceeded
from mmos.fitness.card import Card, Marks
from mmos.fitness.cases import CASES, Case
from mmos.fleet.asking import Ask
from mmos.fleet.fleet import Fleet
from mmos.hosts.face import ChatRequest
from mmos.messages import Message, Reply, ToolCall, Usage

_INSTRUCTION = "You can call tools. Call one when it helps with what the user wants. Otherwise answer in plain words."
_OPTIONS = {"temperature": 0, "seed": 1, "num_predict": 256}
"""`num_predict` is set because a model that cannot close its call writes until the window is full."""

_LOADING = 0.2
"""Seconds. A shorter load is none: the model was already in memory."""

_FILLER = "The gardener counted the apples in the basket and wrote the number down. "
_SHORT = 20
_FULL = 0.85
"""The share of the window that the long prompt takes."""

_CUT = 0.9
"""When the host counts less than this share of the sent tokens, it cut the prompt."""

IN_A_ROW = 3
"""After this many cases in a row without an answer the channel is given up, because each may take minutes."""


class Step(NamedTuple):
    """The progress of a test."""

    number: int
    of: int
    what: str
    ok: bool


Tell = Callable[[Step], None]


@dataclass
class Trial:
    """The test of one model on one host. Nothing else should use the host during the test."""

    fleet: Fleet
    model: str
    host: str
    window: int
    explain: str
    """The template that explains how to call tools on the schema channel."""
    cases: Sequence[Case] = CASES
    tell: Tell = lambda _step: None
    _usages: list[Usage] = field(default_factory=list)
    _error: HostError | None = None
    """Why a channel was not tested to its end."""
    _done: int = 0
    _of: int = 0

    async def run(self, channels: Sequence[Literal["tools", "schema"]] = ("tools", "schema"), *, probe: bool = True) -> Card:
        """Test the channels one after the other, and with `probe` the window."""
        self._of = len(channels) * len(self.cases) + (1 if probe else 0)
        marks: dict[str, Marks] = {name: await self._channel(name) for name in channels}
        if self._error is not None and not self._usages:
            raise self._error  # not one answer came, so there is no card to write
        window = await self._window() if probe else None
        installed = await self.fleet.describe(self.model, (self.host,))
        reads, writes = _speed(self._usages)
        return Card(
            self.model, self.host, round(time.time(), 3), installed.digest if installed else "", marks, self.window, window,
            _load_seconds(self._usages), reads, writes,
        )  # fmt: skip

    # ---------------------------------------------------------------- cases

    async def _channel(self, name: Literal["tools", "schema"]) -> Marks:
        """Test all cases in one channel. A case without an answer gets no marks. Several in a row end the channel."""
        count: Counter[str] = Counter()
        silent = 0
        for number, case in enumerate(self.cases):
            note = ""
            try:
                ok, silent = self._judge(case, await self._read(name, case), count), 0
            except HostError as error:
                fault = last_word(error)
                silent += 1
                ok = False
                if isinstance(fault, LacksTools) or (silent == IN_A_ROW and _is_of_the_answer(fault)):
                    self._step(f"{name}: {fault.message}", len(self.cases) - number, ok=False)
                    self._error = error
                    return Marks(why=fault.message)
                if not _is_of_the_answer(fault):
                    raise
                count.update(["failed", "cases" if case.expected else "to_leave"])
                note = f": {fault.message}"
            self._step(f"{name}: {case.name}{note}", 1, ok=ok)
        return Marks(**dict[str, Any](count))

    async def _read(self, name: str, case: Case) -> Reading:
        """The model's reply to a case, read as a run would read it."""
        channel: Channel = SchemaChannel(case.tools, self.explain) if name == "schema" else ToolsChannel(case.tools)
        system = Message("system", f"{_INSTRUCTION}\n\n{channel.prompt}".strip())
        question = Message("user", case.request)
        messages = [system, in_words(question) if name == "schema" else question]
        request = ChatRequest(self.model, messages, self.window, tools=channel.tools, format=channel.format, options=_OPTIONS)
        try:
            return channel.read(await self._ask(request))
        except HostError as error:
            reply = rescued(error, self.model)
            if reply is None:
                raise
            return channel.read(reply)

    async def _ask(self, request: ChatRequest) -> Reply:
        reply = await self.fleet.serve(Ask(request, (self.host,), urgent=False))
        self._usages.append(reply.usage)
        return reply

    def _judge(self, case: Case, reading: Reading, count: Counter[str]) -> bool:
        calls, is_repaired, fitting = _as_executed(case, reading.message.calls)
        if not case.expected:
            no_call = not calls and bool(reading.message.content.strip())
            count.update(to_leave=1, left=no_call)
            return no_call
        right = fitting and case.is_met(calls)
        valid = bool(calls) and fitting and not reading.unclear
        names_right = case.names_are_met(calls)
        count.update(cases=1, valid=valid, named=names_right, right=right, repaired=bool(calls) and bool(is_repaired or reading.repairs))
        return right

    def _step(self, what: str, steps: int, *, ok: bool) -> None:
        self._done += steps
        self.tell(Step(self._done, self._of, what, ok))

    # ---------------------------------------------------------------- the window

    async def _window(self) -> int | None:
        """How many tokens of a long prompt the host really reads. A host that counts fewer than were sent has cut the prompt."""
        try:
            short = (await self._fill(_SHORT)).usage.prompt_tokens
            each = max(1.0, short / _SHORT)
            times = int(self.window * _FULL / each)
            long = (await self._fill(times)).usage.prompt_tokens
        except HostError as error:
            window = error.window if isinstance(error, WindowExceeded) else None
            self._step(f"window: {error.message if window is None else f'{window} of {self.window}'}", 1, ok=False)
            return window
        window = self.window if long >= _CUT * times * each else long
        self._step(f"window: {window} of {self.window}", 1, ok=window >= self.window)
        return window

    async def _fill(self, times: int) -> Reply:
        message = Message("user", _FILLER * times + "Say yes.")
        return await self._ask(ChatRequest(self.model, [message], self.window, options={**_OPTIONS, "num_predict": 1}))


def last_word(error: HostError) -> HostError:
    """The error of the one host that was asked."""
    return next(iter(error.said.values()), error) if isinstance(error, NoHost) else error


def _is_of_the_answer(fault: HostError) -> bool:
    """Whether the error concerns this answer only, so the host may give the next one."""
    return isinstance(fault, StreamCut | HostTimeout | WindowExceeded) or (isinstance(fault, HostFault) and fault.retry)


def _as_executed(case: Case, calls: Sequence[ToolCall]) -> tuple[tuple[ToolCall, ...], bool, bool]:
    """The calls as a run would execute them, whether that took a repair, and whether all fit their tools."""
    specs = {spec.name: spec for spec in case.tools}
    result, is_repaired, fitting = [], False, True
    for call in calls:
        spec = specs.get(call.name)
        if spec is None:
            result.append(call)
            fitting = False
            continue
        coercion = coerce(call.arguments, spec.parameters)
        is_repaired |= bool(coercion.changes)
        fitting &= not coercion.problems
        result.append(replace(call, arguments=coercion.arguments))
    return tuple(result), is_repaired, fitting


def _load_seconds(usages: Sequence[Usage]) -> float | None:
    longest = max((usage.load_seconds for usage in usages), default=0.0)
    return round(longest, 3) if longest > _LOADING else None


def _speed(usages: Sequence[Usage]) -> tuple[float | None, float | None]:
    """Tokens a second over the whole test, for reading and for writing."""
    return _rate(_read_tokens(usages)), _rate((usage.output_tokens, usage.output_seconds) for usage in usages)


def _read_tokens(usages: Sequence[Usage]) -> Iterator[tuple[int, float]]:
    """The reading speed by the longest prompt. Short prompts come from the host's cache and say nothing about speed."""
    if usages:
        longest = max(usages, key=lambda usage: usage.prompt_tokens - (usage.cached_tokens or 0))
        yield longest.prompt_tokens - (longest.cached_tokens or 0), longest.prompt_seconds


def _rate(pairs: Iterator[tuple[int, float]]) -> float | None:
    rows = list(pairs)
    tokens, seconds = sum(pair[0] for pair in rows), sum(pair[1] for pair in rows)
    return round(tokens / seconds, 1) if seconds > 0 and tokens else None
