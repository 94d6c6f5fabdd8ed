"""Reads an answer that ranks several choices: the best first, numbered, one in a line, with `>` between them, or as a list in JSON."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from mmos.voting.ballot import Ballot, Kind, ballot
from mmos.voting.structures import parsed

RANKED: Collection[Kind] = ("choice", "label", "text")
"""Kinds of which an answer can rank several."""
_ITEM = re.compile(r"^\s*(?:\d{1,3}[.)]|[-*•])\s+(\S.*)$")
_SHORT = 60
"""Characters of a choice in a line of its own, if nothing marks it as one."""
_LONGEST = 200
"""Characters of a choice in a ranking. What is longer is a sentence with a `>` in it."""


def ranking(kind: Kind, answer: Any, question: str = "") -> Ballot:
    """The choices of an answer, one in a line. An answer that ranks nothing is a vote for one choice."""
    votes = [one.vote for item in items_of(answer) if (one := ballot(kind, item, question)).vote is not None]
    if len(votes) > 1:
        return Ballot("\n".join(dict.fromkeys(votes)))
    return ballot(kind, answer if isinstance(answer, str) else None, question)


def items_of(answer: Any) -> Sequence[str]:
    """The choices as the answer writes them. Empty: it ranks nothing."""
    value = parsed(answer) if isinstance(answer, str) and answer.lstrip().startswith("[") else answer
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [item for item in value if isinstance(item, str)]
    if not isinstance(value, str):
        return []
    lines = [line.strip() for line in value.splitlines() if line.strip()]
    parts = [part.strip() for part in lines[-1].split(">")] if lines else []
    if len(parts) > 1 and all(0 < len(part) <= _LONGEST for part in parts):
        return parts
    items = [match[1] for line in lines if (match := _ITEM.match(line))]
    if len(items) > 1 and len(items) >= len(lines) - 1:  # above a list may stand what it is
        return items
    return lines if len(lines) > 1 and all(len(line) <= _SHORT for line in lines) else []
