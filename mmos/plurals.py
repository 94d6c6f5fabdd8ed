"""Counts as people write them: 1 host, 2 hosts, the 3rd host."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 host`, `1,200 tokens`; `plural` where it is not the noun with an `s`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def ordinal(number: int) -> str:
    """`1st`, `22nd`, `113th`."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"
