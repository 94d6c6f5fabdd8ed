"""Prints the results of the benchmark, and checks them against the limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bench.contestants import BYTES, MMOS, WINDOW

Figures = dict[str, Any]


@dataclass(frozen=True)
class Limit:
    """One limit, and its figure."""

    promise: str
    bound: float
    figure: Callable[[Figures], float | None]
    least: bool = False

    def check(self, figures: Figures) -> Figures:
        found = self.figure(figures)
        kept = found is not None and (found >= self.bound if self.least else found <= self.bound)
        return {"promise": self.promise, "bound": self.bound, "found": found, "kept": kept}


LIMITS = (
    Limit("wall of a model call against httpx by hand, at most", 0.5, lambda found: found["per_call"][MMOS]["wall_ratio"]),
    Limit("CPU of a model call against httpx by hand, at most", 0.5, lambda found: found["per_call"][MMOS]["cpu_ratio"]),
    Limit(
        "calls per second of many sessions against httpx by hand, at least", 2.5, lambda found: found["sessions"][MMOS]["ratio"], least=True
    ),
    Limit("turn 200 against turn 10 beyond the host's own bytes, at most", 1.5, lambda found: found["conversation"][MMOS]["own_ratio"]),
    Limit("first token after its arrival, ms, at most", 5.0, lambda found: found["first_token"][MMOS]["ms"]["median"]),
    Limit("mmos --help, ms, at most", 150.0, lambda found: found["start"]["mmos --help"]["ms"]["median"]),
    Limit("import mmos, ms, at most", 80.0, lambda found: found["start"]["import mmos"]["ms"]["median"]),
    Limit("model calls more than the job needs, at most", 0, lambda found: abs(_too_many(found["model_calls"][MMOS]))),
)


def _too_many(counted: Figures) -> int:
    return int(counted["counted"] - counted["needed"])


def lines(figures: Figures) -> Iterator[str]:
    yield from _per_call(figures)
    yield from _sessions(figures)
    yield from _conversation(figures)
    yield from _first_token(figures)
    yield from _start(figures)
    yield ""
    for limit in figures["limits"]:
        found = "nothing" if limit["found"] is None else f"{limit['found']:g}"
        yield f"{'kept  ' if limit['kept'] else 'MISSED'}  {limit['promise']} {limit['bound']:g}: {found}"


def _row(values: Figures, digits: int = 0) -> str:
    return f"{values['median']:9,.{digits}f} {values['min']:9,.{digits}f} {values['max']:9,.{digits}f}"


def _per_call(figures: Figures) -> Iterator[str]:
    yield f"One job = {figures['calls_of_a_job']} model calls: the arbiter, five consultations side by side, the answer; jobs one by one."
    yield f"{'':18}{'wall us: median, min, max':^30}{'/httpx':>8}{'CPU us: median, min, max':^32}{'/httpx':>7}{'server us':>11}{'of wall':>9}{'bytes':>8}"
    for name, row in figures["per_call"].items():
        server = f"{row['server_cpu_us']['median']:11.0f}{row['server_share_of_wall']:9.0%}{row['request_bytes']:8,}"
        yield f"  {name:14}  {_row(row['wall_us'])}{row['wall_ratio']:8.2f}   {_row(row['cpu_us'])}{row['cpu_ratio']:7.2f}{server}"


def _sessions(figures: Figures) -> Iterator[str]:
    yield f"\n{figures['plan']['sessions']} sessions at once"
    yield f"{'':18}{'calls/s: median, min, max':^30}{'x httpx':>8}{'CPU us: median, min, max':^32}{'/httpx':>7}"
    for name, row in figures["sessions"].items():
        yield f"  {name:14}  {_row(row['calls_per_second'])}{row['ratio']:8.2f}   {_row(row['cpu_us'])}{row['cpu_ratio']:7.2f}"


def _conversation(figures: Figures) -> Iterator[str]:
    turns, count = figures["plan"]["turns"], figures["plan"]["conversations"]
    yield f"\n{count} threads of {turns} turns, CPU ms of a turn (window {WINDOW:,}); own = beyond what the host's own bytes cost"
    yield f"{'':18}{'turn 10':>9}{f'turn {turns}':>10}{'own, 10':>10}{f'own, {turns}':>10}{'worst ratio':>13}{'last thread/first, turn 10':>28}"
    for name, row in figures["conversation"].items():
        ratio = f"{row['own_ratio']:13.2f}" if name != BYTES and row["own_ratio"] is not None else " " * 13
        own = f"{row['own_early_cpu_ms']['median']:10.2f}{row['own_late_cpu_ms']['median']:10.2f}{ratio}{row['drift']:28.2f}"
        yield f"  {name:14}  {row['early_cpu_ms']['median']:9.2f}{row['late_cpu_ms']['median']:10.2f}{own}"


def _first_token(figures: Figures) -> Iterator[str]:
    yield "\nFirst token, ms from the server's write to the caller's callback: median, min, max"
    for name, row in figures["first_token"].items():
        yield f"  {name:14}  {_row(row['ms'], 2)}"


def _start(figures: Figures) -> Iterator[str]:
    yield "\nStart to end of a process, ms: median, min, max, against a bare interpreter"
    for name, row in figures["start"].items():
        yield f"  {name:16}{_row(row['ms'], 1)}{row['ratio']:8.2f}"
    yield "\nModel calls that the server counted (and those that the work needed); other requests"
    for name, row in figures["model_calls"].items():
        yield f"  {name:14}  {row['counted']:9,} ({row['needed']:,}); {row['others']}"
