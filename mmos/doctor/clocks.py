"""Checks the clock of each host against ours, by the `Date` header of its answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime

from mmos.doctor.facts import Facts
from mmos.doctor.findings import Finding, warning

MOST_SECONDS = 30.0
"""A clock may differ by so much and trouble nobody."""


async def skew(url: str, patience: float, wall: Callable[[], float] = time.time) -> float | None:
    """Seconds that the clock behind an address is ahead of ours; None where it does not tell. No key is sent: any answer has the date."""
    import aiohttp
    from aiohttp.http_exceptions import HttpProcessingError

    try:
        async with asyncio.timeout(patience), aiohttp.ClientSession(trust_env=False) as session:
            asked = wall()
            async with session.get(url, allow_redirects=False) as response:
                told = parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (TimeoutError, aiohttp.ClientError, HttpProcessingError, KeyError, ValueError, OverflowError):
        return None
    return told + 0.5 - (asked + wall()) / 2  # it tells whole seconds


def clocks(facts: Facts) -> Iterator[Finding]:
    for host, seconds in facts.skews.items():
        if abs(seconds) > MOST_SECONDS:
            where = "ahead of" if seconds > 0 else "behind"
            yield warning(
                "clock_skew", host,
                f"Its clock is {abs(seconds):.0f} s {where} this machine's, or this machine's is wrong. The times that models stay loaded are wrong by the same amount.",
                "On the machine whose clock is wrong: sudo timedatectl set-ntp true",
            )  # fmt: skip
