"""Counts as people write them: 1 host, 2 hosts."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 host`, `1,200 tokens`; `plural` where it is not the noun with an `s`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
