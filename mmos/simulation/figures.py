"""Computes the results of a replay: figures for hosts, models and jobs, in the hosts' seconds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mmos.names import canonical, same_model
from mmos.rehearsal.host import Host
from mmos.rehearsal.personas import full_name
from mmos.simulation.replay import ReplayResult, ServedCall
from mmos.simulation.residents import BUSY_SECONDS
from mmos.simulation.spans import Span, depth, length, without

WAITING = 0.01
"""Seconds. A shorter wait does not count as one."""


@dataclass(frozen=True)
class HostFigures:
    """The figures of one host."""

    host: str
    calls: int
    busy_seconds: float
    """Seconds in which it read a prompt or wrote an answer."""
    loading_seconds: float
    """Seconds in which it only loaded a model."""
    idle_seconds: float
    loads: int
    swaps: int
    """Loads that pushed a model out of memory: another one, or the same one with another window."""
    queue_mean: float
    """How many calls waited for it, on average over the whole time."""
    queue_most: int
    tokens_read: int
    tokens_reused: int
    tokens_written: int


@dataclass(frozen=True)
class ModelFigures:
    """The figures of one model on all hosts."""

    model: str
    calls: int
    hosts: dict[str, int]
    wait_mean: float
    """Seconds from the call until the host reads its first token, loads included."""
    wait_p95: float
    work_mean: float
    """Seconds from the first token that the host reads to the last one that it writes."""
    loads: int


@dataclass(frozen=True)
class JobFigures:
    """Durations of the jobs, from the first call to the last answer."""

    jobs: int
    mean: float
    p50: float
    p95: float
    longest: float


@dataclass(frozen=True)
class Standing:
    """The figures of all calls together, at some moment of a replay."""

    done: int
    lost: int
    """Calls that failed."""
    mean: float
    """Seconds from a call to the end of its answer."""
    p95: float
    waited_seconds: float
    """Seconds from the call until a host reads its first token, loads included, of all calls together."""
    loads: int
    loading_seconds: float
    """Seconds in which hosts loaded models, of all hosts together."""


@dataclass(frozen=True)
class Figures:
    """The figures of a whole replay."""

    fleet: str
    policy: str
    calls: int
    failed: int
    unfinished: int
    makespan: float
    job_times: JobFigures
    total: Standing
    hosts: tuple[HostFigures, ...]
    models: tuple[ModelFigures, ...]
    errors: tuple[str, ...]

    @property
    def swaps(self) -> int:
        return sum(host.swaps for host in self.hosts)

    @property
    def loads(self) -> int:
        return sum(host.loads for host in self.hosts)

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = _round(asdict(self))
        return document


def figures(result: ReplayResult) -> Figures:
    well = [call for call in result.calls if not call.error]
    errors = sorted({call.error for call in result.calls if call.error})
    span = makespan(result)
    names = {canonical(call.call.model): full_name(call.call.model) for call in well}
    return Figures(
        fleet=result.machines.name,
        policy=result.policy,
        calls=len(well),
        failed=len(result.calls) - len(well),
        unfinished=result.call_count - len(result.calls),
        makespan=span,
        job_times=_jobs(result),
        total=standing(result.calls, [(start, end) for host in result.hosts for _, start, end in loading(result, host.name)]),
        hosts=tuple(_host(result, machine.name, span) for machine in result.machines.machines),
        models=tuple(_model(model, well, result) for model in sorted(names.values())),
        errors=tuple(errors),
    )


def standing(calls: Iterable[ServedCall], loads: Iterable[Span], moment: float = math.inf) -> Standing:
    """The figures of these calls and loads at a moment. Default: at the end."""
    begun = [call for call in calls if call.start <= moment]
    ended = [call for call in begun if call.end <= moment]
    times = [call.end - call.start for call in ended if not call.error]
    loading_times = [(start, min(end, moment)) for start, end in loads if start < moment]
    return Standing(
        done=len(times),
        lost=len(ended) - len(times),
        mean=sum(times) / len(times) if times else 0.0,
        p95=percentile(times, 0.95),
        waited_seconds=sum(max(0.0, min(call.work[0], moment) - call.start) for call in begun),
        loads=sum(end < moment for _, end in loading_times),
        loading_seconds=sum(end - start for start, end in loading_times),
    )


def makespan(result: ReplayResult) -> float:
    """Seconds from the first call to the last answer."""
    ends = [call.end for call in result.calls]
    return max(ends) - min(call.start for call in result.calls) if ends else 0.0


def at_work(calls: Iterable[ServedCall]) -> list[tuple[float, float]]:
    return [one.work for one in calls]


def loading(result: ReplayResult, name: str) -> list[tuple[str, float, float]]:
    """Each load on a host: the model, and the start and the end of the load."""
    host = next(host for host in result.hosts if host.name == name)
    calls = of_host(result, name)
    loads = []
    for stay in result.residents.stays:
        if stay.host == name:
            ends = [one.load[1] for one in calls if same_model(one.call.model, stay.model)]
            end = min((end for end in ends if stay.since - BUSY_SECONDS - WAITING < end <= stay.since), default=stay.since)
            loads.append((stay.model, max(0.0, end - load_seconds(host, stay.model)), end))
    return loads


def load_seconds(host: Host, model: str) -> float:
    """The duration of a load alone. The duration that a call reports also contains its wait for other loads."""
    card = host.installed[canonical(model)]
    return card.speed.load_seconds if host.disk_gbps is None else card.size / (host.disk_gbps * 1e9)


def waiting(calls: Iterable[ServedCall]) -> list[tuple[float, float]]:
    """Seconds from the call until the host reads its first token."""
    return [(one.start, one.work[0]) for one in calls if one.work[0] - one.start > WAITING]


def of_host(result: ReplayResult, name: str) -> list[ServedCall]:
    return [call for call in result.calls if call.host == name and not call.error]


def _host(result: ReplayResult, name: str, span: float) -> HostFigures:
    calls = of_host(result, name)
    host = next(host for host in result.hosts if host.name == name)
    work, waits = at_work(calls), waiting(calls)
    busy = length(work)
    loads = length(without([(start, end) for _, start, end in loading(result, name)], work))
    return HostFigures(
        host=name,
        calls=len(calls),
        busy_seconds=busy,
        loading_seconds=loads,
        idle_seconds=max(0.0, span - busy - loads),
        loads=host.loads,
        swaps=host.swaps,
        queue_mean=sum(end - start for start, end in waits) / span if span else 0.0,
        queue_most=max((height for _, height in depth(waits)), default=0),
        tokens_read=host.tokens_evaluated,
        tokens_reused=host.tokens_reused,
        tokens_written=host.tokens_generated,
    )


def _model(model: str, well: Sequence[ServedCall], result: ReplayResult) -> ModelFigures:
    calls = [one for one in well if same_model(one.call.model, model)]
    waits = [max(0.0, one.work[0] - one.start) for one in calls]
    hosts = sorted({one.host for one in calls})
    return ModelFigures(
        model=model,
        calls=len(calls),
        hosts={host: sum(one.host == host for one in calls) for host in hosts},
        wait_mean=sum(waits) / len(waits),
        wait_p95=percentile(waits, 0.95),
        work_mean=sum(end - start for start, end in at_work(calls)) / len(calls),
        loads=sum(same_model(stay.model, model) for stay in result.residents.stays),
    )


def _jobs(result: ReplayResult) -> JobFigures:
    """The durations of the complete jobs. A job with a failed or unfinished call does not count."""
    jobs: dict[str, list[ServedCall]] = {}
    for call in result.calls:
        jobs.setdefault(call.call.run, []).append(call)
    times = [
        max(one.end for one in job) - min(one.start for one in job)
        for run, job in jobs.items()
        if len(job) == result.job_sizes[run] and not any(one.error for one in job)
    ]
    mean = sum(times) / len(times) if times else 0.0
    return JobFigures(len(times), mean, percentile(times, 0.5), percentile(times, 0.95), max(times, default=0.0))


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    in_order = sorted(values)
    return in_order[max(0, math.ceil(part * len(in_order)) - 1)] if in_order else 0.0


def _round(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _round(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_round(part) for part in value]
    return round(value, 3) if isinstance(value, float) else value
