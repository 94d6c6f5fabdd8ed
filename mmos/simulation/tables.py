"""Makes tables of the results of replays: hosts, models, jobs, and fleets side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mmos.rehearsal.personas import full_name
from mmos.simulation.figures import Figures, HostFigures, ModelFigures
from mmos.simulation.html import Table

HOST = ("HOST", "CALLS", "BUSY s", "LOADING s", "IDLE s", "LOADS", "SWAPS", "WAITING", "MOST", "READ", "REUSED", "WRITTEN")
MODEL = ("MODEL", "CALLS", "WAIT s", "WAIT 95%", "WORK s", "LOADS", "WHERE")
POLICY = ("POLICY", "MEAN s", "95% WITHIN", "JOB s", "LOADS", "SWAPS", "LOADING s", "WAITED s", "FAILED")
JOBS = ("JOBS", "MEAN s", "HALF WITHIN", "95% WITHIN", "LONGEST", "DONE AFTER")


def tables(figures: Figures, *, several: bool = False) -> Iterator[Table]:
    """The tables of one fleet."""
    name = f"{figures.fleet}: " if several else ""
    jobs = figures.job_times
    times = (jobs.mean, jobs.p50, jobs.p95, jobs.longest, figures.makespan)
    yield f"{name}jobs", JOBS, [(str(jobs.jobs), *(f"{value:.1f}" for value in times))]
    yield f"{name}hosts", HOST, [_host(host) for host in figures.hosts]
    yield f"{name}models", MODEL, [_model(model) for model in figures.models]


def comparison(fleets: Sequence[Figures]) -> Table:
    """The figures of the first fleet, and those of the others compared with it."""
    rows = [
        ("job, mean", [figures.job_times.mean for figures in fleets], " s"),
        ("job, 95% within", [figures.job_times.p95 for figures in fleets], " s"),
        ("done after", [figures.makespan for figures in fleets], " s"),
        ("loads", [float(figures.loads) for figures in fleets], ""),
        ("swaps", [float(figures.swaps) for figures in fleets], ""),
        ("calls failed", [float(figures.failed) for figures in fleets], ""),
    ]
    heads = ("", *(figures.fleet.upper() for figures in fleets), *(["CHANGE"] if len(fleets) == 2 else []))
    return "side by side", heads, [(name, *_cells(values, unit)) for name, values, unit in rows]


def policies(results: Sequence[Figures]) -> Table:
    """One line for each policy. With several fleets, one for each policy of each fleet."""
    several = len({one.policy for one in results}) < len(results)
    return "policies", POLICY, [_policy(one.fleet if several else one.policy, one) for one in results]


def _policy(name: str, one: Figures) -> list[str]:
    total = one.total
    times = (total.mean, total.p95, one.job_times.mean)
    seconds = (total.loading_seconds, total.waited_seconds)
    return [
        name,
        *(f"{value:.1f}" for value in times),
        str(one.loads),
        str(one.swaps),
        *(f"{value:.1f}" for value in seconds),
        str(one.failed),
    ]


def _cells(values: Sequence[float], unit: str) -> list[str]:
    cells = [f"{value:.1f}{unit}" if unit else f"{value:.0f}" for value in values]
    if len(values) != 2:
        return cells
    before, after = values
    change = f"{round(100 * (after - before) / before):+d}%" if before else ("" if after == before else "new")
    return [*cells, change]


def _host(host: HostFigures) -> list[str]:
    seconds = (host.busy_seconds, host.loading_seconds, host.idle_seconds)
    counts = (host.tokens_read, host.tokens_reused, host.tokens_written)
    return [
        host.host,
        str(host.calls),
        *(f"{value:.1f}" for value in seconds),
        str(host.loads),
        str(host.swaps),
        f"{host.queue_mean:.2f}",
        str(host.queue_most),
        *(f"{value:,}" for value in counts),
    ]


def _model(model: ModelFigures) -> list[str]:
    where = ", ".join(f"{host} {calls}" for host, calls in model.hosts.items())
    figures = (model.wait_mean, model.wait_p95, model.work_mean)
    return [
        full_name(model.model).removesuffix(":latest"),
        str(model.calls),
        *(f"{value:.1f}" for value in figures),
        str(model.loads),
        where,
    ]
