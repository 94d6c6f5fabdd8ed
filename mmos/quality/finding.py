"""Defines what is checked, an answer with its question, and what a check finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning", "note"]
"""error: the answer is wrong or dangerous. warning: it probably is. note: it could be better."""

BY_CHECK = "check"
"""A finding of a check that asks no model."""


@dataclass(frozen=True)
class Subject:
    """An answer to check."""

    question: str
    """What the user asked. Empty: not known."""
    answer: str
    files: Mapping[str, str] = field(default_factory=dict)
    """The texts of the files that came with the question, by name."""
    passages: frozenset[int] = frozenset()
    """The numbers of the passages of the library that it may cite."""


@dataclass(frozen=True)
class Finding:
    """A fault of an answer."""

    kind: str
    """Such as syntax, secret, injection or truncated: docs/quality.md lists them."""
    severity: Severity
    where: str
    """Such as `code block 2, line 14`, or `app.py:14` for a block that names its file. Empty: the whole answer."""
    message: str
    cure: str = ""
    quote: str = ""
    """The words of the answer that are wrong."""
    by: str = BY_CHECK
    """The model that found it, or `check`."""
