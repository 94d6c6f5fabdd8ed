"""Makes tables of the results of replays: hosts, models, jobs, and fleets side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mmos.rehearsal.personas import full_name
from mmos.simulation.figures import Figures, HostFigures, ModelFigures
from mmos.simulation.html import Table

HOST = ("HOST", "CALLS", "BUSY s", "LOADING s", "IDLE s", "LOADS", "SWAPS", "WAITING", "MOST", "READ", "REUSED", "WRITTEN")
MODEL = ("MODEL", "CALLS", "WAIT s", "WAIT 95%", "WORK s", "LOADS", "WHERE")
JOBS = ("JOBS", "MEAN s", "HALF WITHIN", "95% WITHIN", "LONGEST", "DONE AFTER")


def tables(told: Figures, *, several: bool = False) -> Iterator[Table]:
    """The tables of one fleet."""
    name = f"{told.fleet}: " if several else ""
    jobs = told.job_times
    times = (jobs.mean, jobs.p50, jobs.p95, jobs.longest, told.makespan)
    yield f"{name}jobs", JOBS, [(str(jobs.jobs), *(f"{value:.1f}" for value in times))]
    yield f"{name}hosts", HOST, [_host(host) for host in told.hosts]
    yield f"{name}models", MODEL, [_model(model) for model in told.models]


def compared(fleets: Sequence[Figures]) -> Table:
    """The figures of the first fleet, and those of the others compared with it."""
    rows = [
        ("job, mean", [told.job_times.mean for told in fleets], " s"),
        ("job, 95% within", [told.job_times.p95 for told in fleets], " s"),
        ("done after", [told.makespan for told in fleets], " s"),
        ("loads", [float(told.loads) for told in fleets], ""),
        ("swaps", [float(told.swaps) for told in fleets], ""),
        ("calls failed", [float(told.failed) for told in fleets], ""),
    ]
    heads = ("", *(told.fleet.upper() for told in fleets), *(["CHANGE"] if len(fleets) == 2 else []))
    return "side by side", heads, [(name, *_cells(values, unit)) for name, values, unit in rows]


def _cells(values: Sequence[float], unit: str) -> list[str]:
    shown = [f"{value:.1f}{unit}" if unit else f"{value:.0f}" for value in values]
    if len(values) != 2:
        return shown
    before, after = values
    change = f"{round(100 * (after - before) / before):+d}%" if before else ("" if after == before else "new")
    return [*shown, change]


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
