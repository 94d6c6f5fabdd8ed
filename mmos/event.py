"""Defines what every event of a journal is, and why a run ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from mmos.checking import sound

LAST_DAY = 253_000_000_000.0
"""Seconds since 1970. Python has no date for a later time."""

Status = Literal["answered", "partial", "waiting", "failed", "cancelled"]


@dataclass(frozen=True)
class Reason:
    """Why a run ended without a full answer: a code from the documented list, a sentence, and the next step."""

    code: str
    message: str
    next: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Reason:
        return sound(cls(data["code"], data["message"], data.get("next", "")))


class Event:
    """A fact in the journal. `kind` is its name there and never changes; `version` counts changes of its meaning."""

    kind: ClassVar[str]
    version: ClassVar[int] = 1
