"""Checks the answers to questions: which ones fit, and what MMOS takes when nobody answers in time."""

from __future__ import annotations

import getpass
import math
import os
import re
import socket
from datetime import datetime
from pathlib import Path

from mmos.errors import WrongAnswer
from mmos.event import LAST_DAY
from mmos.events import QuestionAnswered, QuestionAsked, Warned
from mmos.files import read
from mmos.messages import clean

YES, NO, ALWAYS = "yes", "no", "always"
_WORD = re.compile(r"[\w'’]+")
_CONDITIONS = frozenset(
    {
        "but", "if", "only", "not", "no", "never", "unless", "except", "without", "instead", "when", "after", "before", "once", "until",
        "don't", "don’t", "dont", "however", "wait",
    }
)  # fmt: skip
"""Words with which a yes is perhaps none."""
_YES, _NO = frozenset({"y", "yes", "true"}), frozenset({"n", "no", "false"})


def answer_to(question: QuestionAsked, text: str, who: str = "") -> QuestionAnswered:
    """The answer that a user gives with this text. Raises `WrongAnswer` if it does not fit the question."""
    text = clean(text).strip() or question.default or ""
    if not text:
        raise WrongAnswer("The answer is empty.", next_step=f"Give {what_fits(question)}.")
    if question.form == "file":
        file = read(Path(text).expanduser())
        if file.image:
            raise WrongAnswer(f"{file.name} is an image, and the question needs a text.", next_step="Give a text file.")
        return QuestionAnswered(question.question, file.name, who=who, file=file)
    fitting = fit(question.form, text, question.options)
    if fitting is None or (question.form == "choice" and _names_no_option(text, question.options)):
        raise WrongAnswer(f"{text[:80]!r} does not answer the question.", next_step=f"Give {what_fits(question)}.")
    return QuestionAnswered(question.question, fitting, who=who)


def fit(form: str, text: str, options: tuple[str, ...] = ()) -> str | None:
    """The text as an answer of this form. None if it is no such answer."""
    if form == "number":
        return text if is_number(text) else None
    text = _option(text, options)
    if form != "confirm":
        return text
    word = text.lower().rstrip(".!")
    return YES if word in _YES else NO if word in _NO else None


def verdict(text: str) -> str:
    """What the answer to a request for approval says: yes, always or no. Empty: it refuses the call with a reason.

    `Yes, please` is yes. A yes with a condition, such as `Yes, but not today`, is no approval of this call.
    """
    word = text.strip().lower().rstrip(".!")
    if word == ALWAYS:
        return ALWAYS
    first, *rest = _WORD.findall(word) or [""]
    if first in ("n", NO):
        return NO
    return YES if first in ("y", YES) and _CONDITIONS.isdisjoint(rest) else ""


def is_bare_no(text: str) -> bool:
    """Whether an answer refuses a call and gives no reason."""
    return text.strip().lower().rstrip(".!") in ("n", NO)


def is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _option(text: str, options: tuple[str, ...]) -> str:
    """The option that a text names, by its words or by its number. If it names none: the text."""
    for option in options:
        if text.lower() == option.strip().lower():
            return option
    return options[int(text) - 1] if text.isdecimal() and 0 < int(text) <= len(options) else text


def _names_no_option(text: str, options: tuple[str, ...]) -> bool:
    """Whether a text is the number of an option that is not there. Where options are numbers, a number is an answer of one's own."""
    return text.isdecimal() and not 0 < int(text) <= len(options) and bool(options) and not any(map(is_number, options))


def what_fits(question: QuestionAsked) -> str:
    """What an answer may be, as the object of a sentence."""
    match question.form:
        case "number":
            return "a number, such as 3 or 0.5"
        case "confirm":
            return "yes or no"
        case "file":
            return "the path of a text file"
        case "choice":
            return f"one of {', '.join(question.options)}, its number (1 to {len(question.options)}), or an answer of your own"
    return "a text"


# ---------------------------------------------------------------- deadlines


def is_overdue(question: QuestionAsked, now: float) -> bool:
    return question.deadline is not None and now >= question.deadline


def at_deadline(question: QuestionAsked) -> tuple[QuestionAnswered, Warned]:
    """What MMOS records when the deadline has passed and nobody has answered."""
    taken = QuestionAnswered(question.question, question.default or "", "deadline")
    return taken, Warned(f"{question.role} asked: {question.text} {without_answer(question)}")


def without_answer(question: QuestionAsked) -> str:
    """A sentence that says by when nobody has answered, and what MMOS takes instead."""
    taken = "It has no default, so the model decides." if question.default is None else f"MMOS takes the default: {question.default}"
    return f"Nobody answered by {at_time(question.deadline or 0.0)}. {taken}"


def at_time(seconds: float) -> str:
    """A time in the time zone of this machine."""
    return f"{datetime.fromtimestamp(min(seconds, LAST_DAY)).astimezone():%Y-%m-%d %H:%M:%S}"


def this_user() -> str:
    """The user of this process, as USER@HOST."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):  # in a container, the user may have no name
        name = str(os.getuid()) if hasattr(os, "getuid") else "user"
    return clean(f"{name}@{socket.gethostname()}")
