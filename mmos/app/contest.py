"""Has sides answer the same cases and a judge compare answers, each thing once, with few swaps of models."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from typing import Any, Protocol

from mmos.app.answer import Answer
from mmos.app.batch import Batch, Runner, Task, at_once
from mmos.app.entrants import Entrant, Function, options_of
from mmos.app.lifecycle import RunOptions, Watch
from mmos.catalog.known import KnownModel
from mmos.comparing.cases import Case
from mmos.comparing.final import visible
from mmos.comparing.scores import Cost
from mmos.comparing.sides import Given
from mmos.errors import MmosError
from mmos.participant.cast import Cast
from mmos.prompting.templates import Templates

BLOCK = 25
"""The cases that a side answers in a row, at least. Then the next side has them."""
MOST_BLOCKS = 4
"""Each block costs a swap of models for each further side, if the hosts cannot hold them together."""
FIRST, SECOND, SAME = "1", "2", "same"
PREFERENCE = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "better": {"enum": [FIRST, SECOND, SAME]}},
    "required": ["reason", "better"],
    "additionalProperties": False,
}
"""What a judge says. The reason comes first, so that it is found before the verdict."""


class Hall(Runner, Protocol):
    """Where a contest takes place: an `App`."""

    templates: Templates

    def cast(self, options: RunOptions) -> Cast: ...
    def check_library(self, options: RunOptions) -> None: ...
    async def models(self) -> tuple[KnownModel, ...]: ...


@dataclass(frozen=True)
class Attempt:
    """One answer of a side to a case."""

    number: int
    """From 1. It is the same in another command with these sides and cases."""
    entrant: Entrant
    case: Case
    sample: int
    seed: int | None = None

    @property
    def key(self) -> str:
        """What makes it the same attempt in another command. What is expected is no part of it."""
        facts = {**self.entrant.options.as_facts(), "seed": self.seed}
        return json.dumps([self.entrant.name, facts, self.case.task, self.case.offer, list(self.case.files), self.sample], sort_keys=True)

    @property
    def options(self) -> RunOptions:
        options = self.entrant.options
        return options if self.seed is None else replace(options, sampling={**(options.sampling or {}), "seed": self.seed + self.sample})


@dataclass(frozen=True)
class Judgement:
    """One look of the judge at two answers to a case."""

    number: int
    judge: str
    a: Attempt
    b: Attempt
    is_swapped: bool
    """Whether the answer of `b` stands first."""

    @property
    def case(self) -> Case:
        return self.a.case

    @property
    def key(self) -> str:
        return json.dumps([self.judge, self.a.key, self.b.key, self.is_swapped])


Item = Attempt | Judgement


@dataclass(frozen=True)
class ItemTask(Task):
    """The task of an item."""

    item: Item | None = None


@dataclass(frozen=True)
class Notebook:
    """What is known of a contest before it begins, and who learns what happens. This one knows nothing."""

    known: Callable[[Item], Given | None] = lambda _: None
    """What an earlier command has of an item."""
    run_of: Callable[[Item], str] = lambda _: ""
    """The run that an earlier command has begun for it. Empty: none."""
    begins: Callable[[Item, str], None] = lambda *_: None
    """Called with an item and its run, before anything of the run is kept."""
    ends: Callable[[Item, Given], None] = lambda *_: None


@dataclass(frozen=True)
class Terms:
    """How a contest is held."""

    samples: int = 1
    concurrency: int | None = None
    judge: str = ""
    """The model or the role that compares answers to cases that expect nothing."""
    seed: int | None = None
    """Of the models. None: each model chooses."""
    again: bool = False
    """Whether runs that ended without an answer go on."""
    tell: Callable[[str], None] = lambda _: None


@dataclass
class Contest:
    """Sides, cases, and what the sides have given so far."""

    app: Hall
    entrants: Sequence[Entrant]
    cases: Sequence[Case]
    terms: Terms = Terms()
    notebook: Notebook = field(default_factory=Notebook)
    given: dict[int, Given] = field(default_factory=dict)
    """By the numbers of the items."""

    def __post_init__(self) -> None:
        samples = range(self.terms.samples)
        self.attempts = [
            Attempt(number, entrant, case, sample, self.terms.seed)
            for number, (entrant, case, sample) in enumerate(((e, c, s) for e in self.entrants for c in self.cases for s in samples), 1)
        ]
        self._at = {(one.entrant.name, one.case.id, one.sample): one for one in self.attempts}
        self.judgements = list(self._judgements()) if self.terms.judge else []

    def _judgements(self) -> Iterable[Judgement]:
        number = len(self.attempts)
        for case in (case for case in self.cases if case.expectation is None):
            for one, other in combinations(self.entrants, 2):
                for sample in range(self.terms.samples):
                    a, b = self._at[one.name, case.id, sample], self._at[other.name, case.id, sample]
                    for is_swapped in (False, True):
                        yield Judgement(number := number + 1, self.terms.judge, a, b, is_swapped)

    @property
    def items(self) -> list[Item]:
        return [*self.attempts, *self.judgements]

    async def hold(self) -> None:
        """Answer all cases, then have the answers judged: the judge is loaded once."""
        await self._work_off(self._in_order(self.attempts))
        await self._work_off([one for one in self.judgements if self._needs_judge(one)])

    def _needs_judge(self, judgement: Judgement) -> bool:
        """Whether two different answers are there."""
        a, b = (self.given.get(one.number) for one in (judgement.a, judgement.b))
        return bool(a and b and a.text is not None and b.text is not None and a.text.strip() != b.text.strip())

    def _in_order(self, attempts: Sequence[Attempt]) -> list[Item]:
        """Few swaps of models, and pairs early: all sides have a block of cases, and the side that ended a block begins the next one."""
        blocks = max(1, min(MOST_BLOCKS, len(self.cases) // BLOCK))
        size = -(-len(self.cases) // blocks)
        place = {case.id: index // size for index, case in enumerate(self.cases)}
        side = {entrant.name: index for index, entrant in enumerate(self.entrants)}

        def order(attempt: Attempt) -> tuple[int, int, int]:
            block, index = place[attempt.case.id], side[attempt.entrant.name]
            return block, -index if block % 2 else index, attempt.number

        return [*sorted(attempts, key=order)]

    # ---------------------------------------------------------------- working

    async def _work_off(self, items: Iterable[Item]) -> None:
        waiting: list[Item] = []
        for item in items:
            if (known := self.notebook.known(item)) is not None:
                self.given[item.number] = known
            else:
                waiting.append(item)
        await _together([*self._calls(waiting), *self._batches([item for item in waiting if _function(item) is None])])

    def _batches(self, items: Sequence[Item]) -> list[Coroutine[Any, Any, None]]:
        """A batch for each group of sides that share hosts, so that no host waits for the models of another."""
        groups = _apart(items)
        shared = self.terms.concurrency
        return [self._batch(group, max(1, shared // len(groups)) if shared else self._slots(hosts)) for hosts, group in groups]

    def _slots(self, hosts: frozenset[str]) -> int:
        seats = self.app.fleet.seats
        return max(1, min(at_once(self.app.fleet), sum(seat.slots for seat in seats if not hosts or seat.name in hosts)))

    async def _batch(self, items: Sequence[Item], concurrency: int) -> None:
        async for task, answer in Batch(self.app, self._tasks(items), concurrency=concurrency, tell=self.terms.tell):
            if task.item is not None:
                self._end(task.item, given_of(answer))

    async def _tasks(self, items: Sequence[Item]) -> AsyncIterator[ItemTask]:
        for item in items:
            watch = Watch(on_begin=partial(self.notebook.begins, item))
            text, files, options = self._asking(item)
            yield ItemTask(text, None, files, options, self.notebook.run_of(item), self.terms.again, watch, item)

    def _asking(self, item: Item) -> tuple[str, Sequence[str], RunOptions]:
        """The task of an item, its files and the options of its run."""
        if isinstance(item, Attempt):
            task, offer = item.case.task, item.case.offer
            return self.app.templates.fill("offer", task=task, tools=offer) if offer else task, item.case.files, item.options
        first, second = (self._text(one) for one in ((item.b, item.a) if item.is_swapped else (item.a, item.b)))
        text = self.app.templates.fill("preference", task=item.case.task, first=first, second=second)
        return text, item.case.files, judging(item.judge)

    def _text(self, attempt: Attempt) -> str:
        return visible(self.given[attempt.number].text or "").strip()

    def _calls(self, items: Sequence[Item]) -> list[Coroutine[Any, Any, None]]:
        """Let functions answer, some at once."""
        room = asyncio.Semaphore(self.terms.concurrency or at_once(self.app.fleet))

        async def call(item: Item, function: Function) -> None:
            async with room:
                self._end(item, await _called(function, item.case))

        return [call(item, function) for item in items if (function := _function(item)) is not None]

    def _end(self, item: Item, given: Given) -> None:
        self.given[item.number] = given
        self.notebook.ends(item, given)


def judging(judge: str) -> RunOptions:
    """The options of a run that judges."""
    return replace(options_of(judge), schema=PREFERENCE, sampling={"temperature": 0.0})


def _function(item: Item) -> Function | None:
    return item.entrant.function if isinstance(item, Attempt) else None


async def _together(work: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Do all of it at once. If one part fails, the others are cancelled."""
    working = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*working)
    finally:
        for one in working:
            one.cancel()
        await asyncio.gather(*working, return_exceptions=True)


def _apart(items: Sequence[Item]) -> list[tuple[frozenset[str], list[Item]]]:
    """The items in groups whose hosts have nothing in common. No hosts means all of them."""
    groups: list[frozenset[str]] = []
    for hosts in {_hosts(item) for item in items}:
        joined = [group for group in groups if not hosts or not group or hosts & group]
        every = [hosts, *joined]
        groups = [group for group in groups if group not in joined]
        groups.append(frozenset[str]().union(*every) if all(every) else frozenset())
    return [(group, [item for item in items if not group or _hosts(item) & group]) for group in groups]


def _hosts(item: Item) -> frozenset[str]:
    return item.entrant.hosts if isinstance(item, Attempt) else frozenset()


async def _called(function: Function, case: Case) -> Given:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    try:
        given = await function(case)
    except MmosError as error:
        return Given(None, Cost(seconds=loop.time() - begun), error.message)
    if isinstance(given, Given):
        return given
    return Given(given, Cost(seconds=loop.time() - begun), "" if given is not None else "It gave no answer.")


def given_of(answer: Answer) -> Given:
    """What a run gave: only a whole answer counts."""
    view = answer.view
    busy = sum(use.busy_seconds for use in view.roles.values())
    cost = Cost(
        busy if busy or not view.requests else None, max(0.0, view.ended - view.started), view.prompt_tokens, view.output_tokens,
        view.requests, view.loads, view.load_seconds,
    )  # fmt: skip
    if answer.status == "answered":
        return Given(answer.text or "", cost, run=answer.run)
    return Given(None, cost, f"{answer.status}: {answer.reason.message}" if answer.reason else answer.status, answer.run)
