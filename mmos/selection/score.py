"""Scores a candidate for a task, in terms that a reader can check: quality, speed, fit and cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import log2

from mmos.selection.candidate import Candidate, Task
from mmos.selection.table import match, wanted

WEIGHTS: Mapping[str, float] = {"quality": 1.0, "speed": 1.0, "fit": 1.0, "cost": 0.5}
ANSWER_TOKENS = 600
"""Tokens of a usual answer."""
USUAL_SIZE = 8.0
"""Billions of parameters of a model whose size nobody knows."""
LARGE = 70.0
WRITING = 400.0
"""Tokens that a model of a billion parameters writes in a second, where nothing was measured. A model of eight writes an eighth of them."""
READING = 20.0
"""How much faster than it writes a model reads."""
HALF_SECONDS = 20.0
"""Seconds that halve the term of speed."""
URGENT = 3.0
"""How many times speed counts in a task that requires it."""
UNKNOWN = 0.5
"""A share that nobody measured."""


@dataclass(frozen=True)
class Terms:
    """What speaks for a candidate. The first four are from 0 to 1; a high cost is bad."""

    quality: float
    speed: float
    fit: float
    cost: float
    match: float
    """The share of the needed capabilities that its model has."""
    seconds: float
    """Until the end of the answer, with waiting and loading."""
    gpu_seconds: float
    """While a GPU works on it."""

    def as_dict(self) -> dict[str, float]:
        return {name: round(value, 3) for name, value in asdict(self).items()}


def obstacle(task: Task, candidate: Candidate) -> str:
    """Why a candidate cannot work on a task. Empty: it can."""
    if candidate.fault:
        return candidate.fault
    room = candidate.window
    if room is not None and task.tokens > room:
        return f"its window of {room:,} tokens cannot hold the task of about {task.tokens:,}"
    if task.has_images and not candidate.usual and "VISION" not in candidate.capabilities:
        return "it cannot see the images"
    if "EMBEDDING" in candidate.capabilities:
        return "it makes vectors and no answers"
    return ""


def terms_of(task: Task, candidate: Candidate) -> Terms:
    size = candidate.parameters or USUAL_SIZE
    writes = candidate.writes or WRITING / size
    reads = candidate.reads or writes * READING
    work = task.tokens / reads + ANSWER_TOKENS / writes
    seconds = (candidate.wait or 0.0) + work
    share = match(candidate.capabilities, wanted(task))
    return Terms(
        quality=_quality(task, candidate, share, size),
        speed=1.0 / (1.0 + seconds / HALF_SECONDS),
        fit=_fit(task, candidate),
        cost=work / (work + HALF_SECONDS),
        match=share,
        seconds=seconds,
        gpu_seconds=work,
    )


def _quality(task: Task, candidate: Candidate, share: float, size: float) -> float:
    """How good it is at such tasks. The harder the task is, the more the size of the model counts."""
    small = 1.0 - min(1.0, log2(1.0 + size) / log2(1.0 + LARGE))
    fitness = UNKNOWN if candidate.calls is None else candidate.calls
    return 0.6 * share + 0.25 * (1.0 - small * task.complexity / 10) + 0.15 * fitness


def _fit(task: Task, candidate: Candidate) -> float:
    """The part of the window that the task and a usual answer leave free."""
    if not candidate.window:
        return UNKNOWN
    return max(0.0, 1.0 - (task.tokens + ANSWER_TOKENS) / candidate.window)


def score_of(task: Task, terms: Terms, weights: Mapping[str, float]) -> float:
    """The weighted sum of the terms, at most 1."""
    weigh = {**WEIGHTS, **weights}
    weigh["speed"] *= URGENT if task.requires_speed else 1.0
    gain = sum(weigh[name] * getattr(terms, name) for name in ("quality", "speed", "fit"))
    whole = sum(weigh[name] for name in ("quality", "speed", "fit"))
    return (gain - weigh["cost"] * terms.cost) / whole if whole else -weigh["cost"] * terms.cost
