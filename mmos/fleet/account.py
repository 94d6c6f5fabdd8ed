"""Keeps where a call spent its time, so that an error can say it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby

from mmos.fleet.residents import running_time
from mmos.plurals import counted

SHORTEST = 0.05
"""A shorter step is named only if it is the last one, or failed."""
MOST = 6
"""Steps that an error names: the newest ones."""


@dataclass
class Step:
    """A part of the way of a call: on a host, or before it had one."""

    since: float
    where: str
    host: str = ""
    code: str = ""
    """How it failed on the host."""


@dataclass
class Account:
    """The way of one call through the queue and the hosts."""

    clock: Callable[[], float] = running_time
    _steps: list[Step] = field(default_factory=list)

    def waits(self, behind: int = 0) -> None:
        """It is in the queue, behind so many calls."""
        self._steps.append(Step(self.clock(), f"in the queue behind {counted(behind, 'call')}" if behind else "in the queue"))

    def pauses(self) -> None:
        self._steps.append(Step(self.clock(), "in a pause before the next attempt"))

    def is_on(self, host: str, since: float) -> None:
        self._steps.append(Step(since, "", host))

    def failed(self, code: str) -> None:
        self._steps[-1].code = code

    def spent(self) -> str:
        """`12.0 s in the queue behind 3 calls, then 8.0 s on gpu1`. Empty: nothing has happened."""
        ends = [*(step.since for step in self._steps[1:]), self.clock()]
        steps = [
            f"{until - step.since:.1f} s {_where(step)}"
            for step, until in zip(self._steps, ends, strict=False)
            if step.code or step is self._steps[-1] or until - step.since >= SHORTEST
        ]
        return ("…, then " if len(steps) > MOST else "") + ", then ".join(steps[-MOST:])

    @property
    def hosts(self) -> set[str]:
        """Where it was."""
        return {step.host for step in self._steps if step.host}

    def tried(self) -> str:
        """`gpu1 3 times, then gpu2`. Empty: it was on one host once, or on none."""
        hosts = [(host, len(list(steps))) for host, steps in groupby(step.host for step in self._steps if step.host)]
        if sum(times for _, times in hosts) < 2:
            return ""
        return ", then ".join(host if times == 1 else f"{host} {counted(times, 'time')}" for host, times in hosts[-MOST:])


def _where(step: Step) -> str:
    if not step.host:
        return step.where
    return f"on {step.host} ({step.code})" if step.code else f"on {step.host}"
