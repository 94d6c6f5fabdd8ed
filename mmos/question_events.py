"""Defines the events about questions to the user. `mmos.events` has them, too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mmos.event import Event
from mmos.messages import File

Form = Literal["text", "choice", "confirm", "number", "file"]
"""What the answer to a question has to be."""


@dataclass(frozen=True)
class QuestionAsked(Event):
    kind = "question_asked"
    question: str
    lane: str
    role: str
    call: str
    text: str
    form: Form = "text"
    options: tuple[str, ...] = ()
    default: str | None = None
    deadline: float | None = None
    """When MMOS takes the default, in seconds since 1970."""
    digest: str = ""
    """Of a request for approval: the digest of its basis."""
    basis: Mapping[str, Any] = field(default_factory=dict)
    """Of a request for approval: the tool, the arguments, the role and the rules that the answer holds for."""
    imported: bool = False
    """Whether it came with an import. A request for approval then counts no more."""

    def __post_init__(self) -> None:
        if self.form == "file":  # only the user names a file; the journal of a stranger may name one here
            object.__setattr__(self, "default", None)


@dataclass(frozen=True)
class QuestionAnswered(Event):
    kind = "question_answered"
    question: str
    text: str
    """The answer; of a file, its name."""
    by: Literal["user", "default", "deadline"] = "user"
    """Who gave it. `deadline`: nobody did in time, so the text is the default. It is empty if there is none."""
    who: str = ""
    """The user who gave it, as USER@HOST."""
    file: File | None = None
    """The file that the answer names."""
    imported: bool = False
    """Whether it came with an import. If the run still needs the answer, MMOS asks again."""
