"""Draws replays: for each host the models in memory, loads, work and waiting calls over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmos.names import same_model
from mmos.plurals import counted
from mmos.simulation.figures import Figures, at_work, figures, loading, of_host, waiting
from mmos.simulation.replay import ReplayResult, ServedCall
from mmos.simulation.residents import Stay
from mmos.simulation.shapes import Area, Box, Line, Picture, Text
from mmos.simulation.spans import Span, depth, joined

WIDTH, LEFT, RIGHT = 1200, 200, 30
ROW, BAR, QUEUE = 24, 16, 34
IN_MEMORY, LOADS, WORKS, WAITS, SWAP, QUIET = "#cfe3f7", "#f0a83c", "#2f74c0", "#c8b6e2", "#c0392b", "#57606a"
LEGEND = ((IN_MEMORY, "in memory"), (LOADS, "loading"), (WORKS, "answering"), (SWAP, "had to leave"), (WAITS, "calls waiting"))
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)
TICKS = 10


@dataclass(frozen=True)
class Scale:
    """Converts seconds to positions in the picture."""

    seconds: float

    @property
    def room(self) -> float:
        return WIDTH - LEFT - RIGHT

    def x(self, moment: float) -> float:
        return LEFT + self.room * min(max(moment, 0.0), self.seconds) / self.seconds

    @property
    def hair(self) -> float:
        """Seconds that are too short to see in the picture."""
        return self.seconds / self.room / 2

    @property
    def step(self) -> float:
        return next((step for step in STEPS if self.seconds / step <= TICKS), STEPS[-1] * max(1, self.seconds // (TICKS * STEPS[-1])))


def picture(replays: Sequence[ReplayResult]) -> Picture:
    """All replays below each other, with the same time scale."""
    ends = [call.end for result in replays for call in result.calls]
    scale = Scale(max([*ends, 1.0]))
    drawing = Picture(WIDTH)
    y = _legend(drawing)
    for result in replays:
        y = _fleet(drawing, y, result, scale)
    drawing.height = int(y + 12)
    return drawing


def _legend(drawing: Picture) -> float:
    x = float(LEFT)
    for colour, name in LEGEND:
        drawing.draw(Box(x, 16, 14, 12, colour), Text(x + 20, 26, name, fill=QUIET))
        x += 42 + 7.2 * len(name)
    return 40


def _fleet(drawing: Picture, y: float, result: ReplayResult, scale: Scale) -> float:
    totals = figures(result)
    drawing.draw(Text(16, y + 22, result.machines.name, 16, bold=True), Text(LEFT, y + 22, _headline(totals), 13, QUIET))
    y += 36
    top = y
    for host in totals.hosts:
        y = _host(drawing, y, result, host.host, scale)
    _time(drawing, top, y, scale)
    return y + 34


def _headline(totals: Figures) -> str:
    jobs = totals.job_times
    times = f"{counted(jobs.jobs, 'job')}: {jobs.mean:.1f} s on average, 95% within {jobs.p95:.1f} s"
    failed = f" · {counted(totals.failed, 'call')} failed" if totals.failed else ""
    return f"{times} · done after {totals.makespan:.1f} s · {counted(totals.loads, 'load')}, {counted(totals.swaps, 'swap')}{failed}"


def _host(drawing: Picture, y: float, result: ReplayResult, name: str, scale: Scale) -> float:
    calls = of_host(result, name)
    stays = [stay for stay in result.residents.stays if stay.host == name]
    traits = next(host for host in result.hosts if host.name == name)
    memory = f"{traits.vram_gb:g} GB" if traits.vram_gb else "no limit"
    drawing.draw(
        Line(16, y, WIDTH - RIGHT, y, "#8c959f"), Text(16, y + 17, name, 13, bold=True), Text(LEFT - 10, y + 17, memory, 11, QUIET, "end")
    )
    y += ROW
    loads = loading(result, name)
    for model in sorted({stay.model for stay in stays}):
        mine = [one for one in calls if same_model(one.call.model, model)]
        _model(drawing, y, [stay for stay in stays if stay.model == model], mine, scale)
        _bars(drawing, y, [(start, end) for loaded_model, start, end in loads if loaded_model == model], scale, (LOADS, "loading"))
        y += ROW
    if not stays:
        drawing.draw(Text(LEFT, y - 6, "nothing to do", 12, QUIET))
    return _queue(drawing, y, waiting(calls), scale) if stays else y


def _model(drawing: Picture, y: float, stays: Sequence[Stay], calls: Sequence[ServedCall], scale: Scale) -> None:
    model = stays[0].model
    drawing.draw(Text(LEFT - 10, y + 13, _short(model), 12, anchor="end"))
    _bars(drawing, y, [(stay.since, stay.until) for stay in stays], scale, (IN_MEMORY, "in memory"))
    _bars(drawing, y + 3, at_work(calls), scale, (WORKS, "answering"), BAR - 6)
    evictions = [stay for stay in stays if stay.evicted]
    width = min(2.5, scale.room / (10 * len(evictions) or 1))  # narrower when there are many, so that the bar behind them shows
    for stay in evictions:
        drawing.draw(Box(scale.x(stay.until) - width / 2, y - 1, width, BAR + 2, SWAP, f"{model} had to leave at {stay.until:.1f} s"))


def _bars(drawing: Picture, y: float, spans: Sequence[Span], scale: Scale, kind: tuple[str, str], height: float = BAR) -> None:
    colour, name = kind
    for start, end in joined(spans, scale.hair):
        x = scale.x(start)
        drawing.draw(Box(x, y, max(1.0, scale.x(end) - x), height, colour, f"{name} {start:.1f} to {end:.1f} s"))


def _queue(drawing: Picture, y: float, waits: Sequence[Span], scale: Scale) -> float:
    """The number of waiting calls over time, as an area."""
    steps = depth(waits)
    most = max((height for _, height in steps), default=0)
    drawing.draw(Text(LEFT - 10, y + 18, f"waiting, at most {most}", 11, QUIET, "end"))
    if not most:
        return y + ROW
    base, tall = y + QUEUE - 6, QUEUE - 10
    points, before = [(scale.x(steps[0][0]), base)], 0
    for moment, height in steps:
        x = scale.x(moment)
        points += [(x, base - tall * before / most), (x, base - tall * height / most)]
        before = height
    drawing.draw(Area([*points, (points[-1][0], base)], WAITS, f"at most {counted(most, 'call')} waited"))
    return y + QUEUE


def _time(drawing: Picture, top: float, bottom: float, scale: Scale) -> None:
    """The time axis below, with lines behind everything."""
    grid: list[Line] = []
    moment = 0.0
    while moment <= scale.seconds:
        x = scale.x(moment)
        grid.append(Line(x, top, x, bottom + 4))
        drawing.draw(Text(x, bottom + 18, clock(moment), 11, QUIET, "middle"))
        moment += scale.step
    drawing.shapes[:0] = grid


def clock(seconds: float) -> str:
    """`45 s`, `2:30`, `1:05:00`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _short(name: str) -> str:
    name = name.removesuffix(":latest")
    return name if len(name) <= 26 else name[:25] + "…"
