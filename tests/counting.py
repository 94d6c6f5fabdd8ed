"""Counts the work of a function, so that a test needs no clock."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable


def steps(work: Callable[[], object]) -> int:
    """How many functions are called, those that are written in C, too.

    Garbage that earlier tests have left is not collected meanwhile: its finalizers would count.
    """
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before, collects = sys.getprofile(), gc.isenabled()
    gc.disable()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
        if collects:
            gc.enable()
    return count
