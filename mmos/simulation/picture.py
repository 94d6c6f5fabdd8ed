"""Draws replays: for each host the models in memory, loads, work and waiting calls over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmos.names import same_model
from mmos.plurals import counted
from mmos.simulation.figures import Figures, at_work, figures, loading, of_host, waiting
from mmos.simulation.replay import Replayed, Served
from mmos.simulation.residents import Stay
from mmos.simulation.shapes import Area, Box, Line, Picture, Text
from mmos.simulation.spans import Span, depth, joined

WIDTH, LEFT, RIGHT = 1200, 200, 30
ROW, BAR, QUEUE = 24, 16, 34
HELD, LOADS, WORKS, WAITS, SWAP, QUIET = "#cfe3f7", "#f0a83c", "#2f74c0", "#c8b6e2", "#c0392b", "#57606a"
LEGEND = ((HELD, "in memory"), (LOADS, "loading"), (WORKS, "answering"), (SWAP, "had to leave"), (WAITS, "calls waiting"))
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


def picture(replays: Sequence[Replayed]) -> Picture:
    """All replays below each other, with the same time scale."""
    ends = [served.done for replayed in replays for served in replayed.calls]
    scale = Scale(max([*ends, 1.0]))
    made = Picture(WIDTH)
    y = _legend(made)
    for replayed in replays:
        y = _fleet(made, y, replayed, scale)
    made.height = int(y + 12)
    return made


def _legend(made: Picture) -> float:
    x = float(LEFT)
    for colour, name in LEGEND:
        made.draw(Box(x, 16, 14, 12, colour), Text(x + 20, 26, name, fill=QUIET))
        x += 42 + 7.2 * len(name)
    return 40


def _fleet(made: Picture, y: float, replayed: Replayed, scale: Scale) -> float:
    told = figures(replayed)
    made.draw(Text(16, y + 22, replayed.machines.name, 16, bold=True), Text(LEFT, y + 22, _headline(told), 13, QUIET))
    y += 36
    top = y
    for host in told.hosts:
        y = _host(made, y, replayed, host.host, scale)
    _time(made, top, y, scale)
    return y + 34


def _headline(told: Figures) -> str:
    jobs = told.job_times
    times = f"{counted(jobs.jobs, 'job')}: {jobs.mean:.1f} s on average, 95% within {jobs.p95:.1f} s"
    failed = f" · {counted(told.failed, 'call')} failed" if told.failed else ""
    return f"{times} · done after {told.makespan:.1f} s · {counted(told.loads, 'load')}, {counted(told.swaps, 'swap')}{failed}"


def _host(made: Picture, y: float, replayed: Replayed, name: str, scale: Scale) -> float:
    served = of_host(replayed, name)
    stays = [stay for stay in replayed.residents.stays if stay.host == name]
    traits = next(host for host in replayed.hosts if host.name == name)
    memory = f"{traits.vram_gb:g} GB" if traits.vram_gb else "no limit"
    made.draw(
        Line(16, y, WIDTH - RIGHT, y, "#8c959f"), Text(16, y + 17, name, 13, bold=True), Text(LEFT - 10, y + 17, memory, 11, QUIET, "end")
    )
    y += ROW
    loads = loading(replayed, name)
    for model in sorted({stay.model for stay in stays}):
        mine = [one for one in served if same_model(one.call.model, model)]
        _model(made, y, [stay for stay in stays if stay.model == model], mine, scale)
        _bars(made, y, [(start, end) for loaded, start, end in loads if loaded == model], scale, (LOADS, "loading"))
        y += ROW
    if not stays:
        made.draw(Text(LEFT, y - 6, "nothing to do", 12, QUIET))
    return _queue(made, y, waiting(served), scale) if stays else y


def _model(made: Picture, y: float, stays: Sequence[Stay], served: Sequence[Served], scale: Scale) -> None:
    model = stays[0].model
    made.draw(Text(LEFT - 10, y + 13, _short(model), 12, anchor="end"))
    _bars(made, y, [(stay.since, stay.until) for stay in stays], scale, (HELD, "in memory"))
    _bars(made, y + 3, at_work(served), scale, (WORKS, "answering"), BAR - 6)
    left = [stay for stay in stays if stay.evicted]
    width = min(2.5, scale.room / (10 * len(left) or 1))  # narrower when there are many, so that the bar behind them shows
    for stay in left:
        made.draw(Box(scale.x(stay.until) - width / 2, y - 1, width, BAR + 2, SWAP, f"{model} had to leave at {stay.until:.1f} s"))


def _bars(made: Picture, y: float, spans: Sequence[Span], scale: Scale, kind: tuple[str, str], height: float = BAR) -> None:
    colour, name = kind
    for start, end in joined(spans, scale.hair):
        x = scale.x(start)
        made.draw(Box(x, y, max(1.0, scale.x(end) - x), height, colour, f"{name} {start:.1f} to {end:.1f} s"))


def _queue(made: Picture, y: float, waits: Sequence[Span], scale: Scale) -> float:
    """The number of waiting calls over time, as an area."""
    steps = depth(waits)
    most = max((height for _, height in steps), default=0)
    made.draw(Text(LEFT - 10, y + 18, f"waiting, at most {most}", 11, QUIET, "end"))
    if not most:
        return y + ROW
    base, tall = y + QUEUE - 6, QUEUE - 10
    points, before = [(scale.x(steps[0][0]), base)], 0
    for moment, height in steps:
        x = scale.x(moment)
        points += [(x, base - tall * before / most), (x, base - tall * height / most)]
        before = height
    made.draw(Area([*points, (points[-1][0], base)], WAITS, f"at most {counted(most, 'call')} waited"))
    return y + QUEUE


def _time(made: Picture, top: float, bottom: float, scale: Scale) -> None:
    """The time axis below, with lines behind everything."""
    grid: list[Line] = []
    moment = 0.0
    while moment <= scale.seconds:
        x = scale.x(moment)
        grid.append(Line(x, top, x, bottom + 4))
        made.draw(Text(x, bottom + 18, clock(moment), 11, QUIET, "middle"))
        moment += scale.step
    made.shapes[:0] = grid


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
