"""Remembers which parameters a server refused, and leaves them out from then on."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from mmos.errors import BadRequest

STRICT, LOOSE, OBJECT, FREE = "strict", "loose", "object", "free"
"""Ways to hold an answer to a schema, each asking less of the server; the reader of the answer checks it in any case."""

MOST_LESSONS = 12

_LESS = {STRICT: LOOSE, LOOSE: OBJECT, OBJECT: FREE}
_SCHEMA = re.compile(r"response_format|json_schema|json_object|\bschema\b|grammar", re.IGNORECASE)
_UNSUPPORTED = re.compile(
    r"support|unknown|unrecogni[sz]ed|unexpected|not permitted|extra |not allowed|does not (exist|accept)|no such"
    r"|not (a )?valid (field|param|argument|option)|invalid (field|param|argument|option)|not available|not implemented|not enabled",
    re.IGNORECASE,
)


@dataclass
class Habit:
    """How one model on one server is asked."""

    refused: set[str] = field(default_factory=set)
    limit: str = "max_tokens"
    format: str = STRICT

    def learn(self, fault: BadRequest, sent: Collection[str], *, constrained: bool) -> str:
        """What the next attempt does without; empty where that would not help."""
        named = _named(fault, sent)
        if named == "max_tokens" and "max_completion_tokens" in fault.verbatim:
            self.limit = "max_completion_tokens"
            return named
        # A value that is wrong is the user's to mend: only what the server does not know is left out.
        if named and (named == "stream_options" or _UNSUPPORTED.search(fault.verbatim)):
            self.refused.add(named)
            return named
        if constrained and self.format in _LESS and _SCHEMA.search(f"{fault.parameter} {fault.verbatim}"):
            self.format = _LESS[self.format]
            return "response_format"
        return ""


def _named(fault: BadRequest, sent: Collection[str]) -> str:
    """Which of the things that were sent the refusal names."""
    words = {re.split(r"[.\[]", fault.parameter)[0], *re.findall(r"\w+", fault.verbatim)}
    return max((name for name in sent if name in words), key=len, default="")
