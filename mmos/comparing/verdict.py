"""Says in plain words what came of a comparison of two sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mmos.comparing.outcome import Pair
from mmos.comparing.pairing import LEAST, needed
from mmos.plurals import counted

LUCK = 0.05
"""A difference that is less likely by chance alone is one."""
FEW = 20
"""With fewer cases only a large difference can be seen."""
MANY = 1_000_000
SMALLEST = 0.005
"""A smaller difference than half a point is no size to look for."""
ROUNDING = 1e-6
"""A smaller part of 1 is 0 but for rounding."""
CLEAR_COST = 0.05
"""A difference in cost that is worth a word."""


@dataclass(frozen=True)
class Verdict:
    """The outcome for two sides."""

    kind: Literal["better", "as_good", "unclear"]
    side: str | None
    """The better side; of `as_good`, the cheaper one, if there is one."""
    head: str
    """The verdict in one line, without a sign at its end."""
    detail: str
    """What it rests on, in sentences."""
    needed: int | None = None
    """About how many cases would show a difference, if none can be seen."""

    @property
    def text(self) -> str:
        return f"{self.head}. {self.detail}"


def verdict_of(pair: Pair) -> Verdict:
    """The verdict: one is better, one is as good, or nothing can be seen."""
    found, cheaper = pair.difference, _cheaper(pair)
    if pair.p < LUCK:
        winner, loser = (pair.a, pair.b) if found.mean > 0 else (pair.b, pair.a)
        small = f"That is less than {_points(pair.within)}, in any case." if pair.is_share and _worst(pair, loser) > -pair.within else ""
        return Verdict(
            "better", winner, f"{winner} is better than {loser}", _sentences(_counts(pair, winner), _size(pair), small, _cost(pair))
        )
    if pair.is_share and cheaper and _worst(pair, cheaper) > -pair.within:
        other = pair.b if cheaper == pair.a else pair.a
        head = f"{cheaper} is as good as {other} within {_points(pair.within)}, and costs {_less(pair)} less (GPU-seconds)"
        return Verdict("as_good", cheaper, head, _size(pair))
    if pair.is_share and min(_worst(pair, pair.a), _worst(pair, pair.b)) > -pair.within:
        return Verdict("as_good", None, f"{pair.a} and {pair.b} are equally good within {_points(pair.within)}", _size(pair))
    return _unclear(pair)


def _unclear(pair: Pair) -> Verdict:
    found = pair.difference
    seen = abs(found.mean) >= SMALLEST or not pair.is_share
    size = abs(found.mean) if seen else pair.within
    count = max(needed(found, size), found.cases + 1) if size else None
    close = "That is close, but not clear enough." if found.low > 0 or found.high < 0 else ""
    few = f"With {found.cases} cases only a large difference can be seen." if found.cases < FEW else ""
    more = ""
    if found.cases < LEAST:
        few = f"Fewer than {LEAST} cases cannot show a difference, however large it is."
    elif count is not None:
        many = "More than a million" if count > MANY else f"About {_rounded(count):,}"
        more = f"{many} cases would be needed to show a difference of {_amount(pair, size)}{' as seen here' if seen else ''}."
    head = f"No difference can be seen between {pair.a} and {pair.b} with {counted(found.cases, 'case')}"
    return Verdict("unclear", None, head, _sentences(_counts(pair, pair.a), _size(pair), close, few, more, _cost(pair)), count)


def _sentences(*parts: str) -> str:
    return " ".join(filter(None, parts))


def _counts(pair: Pair, first: str) -> str:
    """On how many cases which side is better, seen from one of them."""
    found = pair.difference
    better, worse = (found.better, found.worse) if first == pair.a else (found.worse, found.better)
    if not better and not worse:
        return f"They are equal on {'it' if found.cases == 1 else f'all {found.cases:,}'}."
    word, reverse = "better", "worse"
    if pair.judged == found.cases:
        word, reverse = "preferred", "the reverse"
    elif found.exact and pair.is_share and not pair.judged:
        word, reverse = "right where the other is wrong", "the reverse"
    return f"{first}: {word} on {better:,} of {counted(found.cases, 'case')}, {reverse} on {worse:,}."


def _size(pair: Pair) -> str:
    """The difference with its interval, counted for the side that is ahead."""
    found = pair.difference
    sign = -1 if found.mean < 0 else 1
    low, high = sorted((sign * found.low, sign * found.high))
    ahead = pair.a if sign > 0 else pair.b
    lead = f"{ahead} is ahead by {_amount(pair, sign * found.mean)}" if found.mean else "The difference is 0"
    ends = "unknown" if abs(low) == float("inf") else f"{_bare(pair, low)} to {_bare(pair, high)}"
    return f"{lead} (95 % interval {ends}, {_chance(pair.p)})."


def _bare(pair: Pair, value: float) -> str:
    number = f"{100 * value:.1f}" if pair.is_share else f"{value:.3g}"
    if float(number) == 0 and abs(value) > ROUNDING:
        number = f"{100 * value:.2g}"
    return "0" if float(number) == 0 else number.removesuffix(".0").replace("-", "−")


def _amount(pair: Pair, value: float) -> str:
    return _points(value) if pair.is_share else f"{value:.3g}"


def _points(value: float) -> str:
    number = f"{100 * value:.1f}".removesuffix(".0")
    return f"{number} {'point' if number == '1' else 'points'}"


def _chance(p: float) -> str:
    if p < LUCK <= round(p, 3):
        return "p just below 0.05"
    return f"p = {p:.2f}" if p >= 0.1 else f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def _rounded(count: int) -> int:
    """Two digits of a count: more would look exact."""
    digits = max(0, len(str(count)) - 2)
    return round(count, -digits)


def _worst(pair: Pair, side: str) -> float:
    """How much better a side is at least; how much worse at most, with a minus."""
    return pair.difference.low if side == pair.a else -pair.difference.high


def _cheaper(pair: Pair) -> str | None:
    """The side that surely costs less."""
    ratio = pair.cost
    if ratio is None or pair.difference.cases < LEAST or not ratio.is_clear or abs(ratio.value - 1) < CLEAR_COST:
        return None
    return pair.b if ratio.value < 1 else pair.a


def _less(pair: Pair) -> str:
    ratio = pair.cost.value if pair.cost else 1.0
    return f"{100 * (1 - min(ratio, 1 / ratio)):.0f} %"


def _cost(pair: Pair) -> str:
    cheaper = _cheaper(pair)
    return f"{cheaper} costs {_less(pair)} less (GPU-seconds)." if cheaper else ""
