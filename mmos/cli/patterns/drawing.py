"""Draws the flow of a pattern with plain characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mmos.cli.text import cells, fit, flat, pad

if TYPE_CHECKING:
    from mmos.app.flow import Asked, Flow

ARROW = " → "
INPUT, ANSWER = "input", "answer"


def drawn(flow: Flow, width: int) -> list[str]:
    """The way of a task through the pattern, in lines that fit."""
    names, begin = [flat(member.model) for member in flow.steps], begin_of(flow)
    if flow.shape == "sequential":
        return _in_turn([*begin, *names, ANSWER], width)
    after = ARROW.join(filter(None, (end_of(flow), ANSWER)))
    if len(names) < 2:
        return _in_turn([*begin, *names, after], width)
    lines = _fanned(names, ARROW.join(begin))
    middle = (len(names) - 1) // 2
    if cells(whole := f"{lines[middle]}→ {after}") > width:
        lines.append(f"  → {after}")
    else:
        lines[middle] = whole
    return [fit(line, width) for line in lines]


def begin_of(flow: Flow) -> list[str]:
    """The task, and the library if the members read it."""
    if flow.pattern.rag is None:
        return [INPUT]
    return [INPUT, f"library ({flat(flow.collection)})" if flow.collection else "library"]


def end_of(flow: Flow) -> str:
    """What becomes of the answers."""
    if flow.counts:
        return f"vote ({flow.counts})"
    if flow.shape == "specialized":
        return "the one that fits"
    if flow.joiner is None:
        return ""
    how = flow.pattern.aggregate if flow.shape == "ensemble" else "put together"
    return f"{how} ({flat(_name(flow.joiner))})"


def _name(asked: Asked) -> str:
    return asked.model


def _in_turn(names: Sequence[str], width: int) -> list[str]:
    """One after the other, in as many lines as are needed."""
    lines = [names[0]]
    for name in names[1:]:
        if cells(lines[-1]) + cells(ARROW) + cells(name) > width:
            lines.append(f"  → {name}")
        else:
            lines[-1] += ARROW + name
    return [fit(line, width) for line in lines]


def _fanned(names: Sequence[str], begin: str) -> list[str]:
    """Side by side: the task goes to each. The middle line goes on to the end."""
    widest, middle, last = max(map(cells, names)), (len(names) - 1) // 2, len(names) - 1
    lines = []
    for number, name in enumerate(names):
        left, right = ("┌", "┐") if number == 0 else ("└", "┘") if number == last else ("├", "┤")
        if number == middle:
            left, right = ("┬", "┬") if number == 0 else ("┼", "┼")
        head = f"{begin} ─" if number == middle else " " * (cells(begin) + 2)
        lines.append(f"{head}{left}→ {pad(name, widest)} ─{right}")
    return lines
