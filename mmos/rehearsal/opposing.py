"""Turns a statement into its opposite: another verdict, a number plus one, "is" to "is not"."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from mmos.rehearsal.personas import Contradict, Whose
from mmos.rehearsal.prompt import Prompt, text_of

VERDICT = re.compile(r"\A\W*(yes|no)\b", re.IGNORECASE)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?![\w.]*\w)")
PAIRS = (
    ("yes", "no"), ("true", "false"), ("always", "never"), ("right", "wrong"), ("correct", "incorrect"), ("valid", "invalid"), ("safe", "unsafe"),
    ("possible", "impossible"), ("can", "cannot"), ("is", "is not"), ("are", "are not"), ("must", "must not"), ("does", "does not"),
)  # fmt: skip
OPPOSITES: Mapping[str, str] = {word: other for pair in PAIRS for word, other in (pair, pair[::-1])}
WORD = re.compile(rf"\b({'|'.join(sorted(OPPOSITES, key=len, reverse=True))})\b", re.IGNORECASE)
CLAIM = re.compile(r"\b(?:says?|said|claims?):\s*(.+)\Z", re.DOTALL)


def opposite(text: str) -> str:
    """The opposite of a verdict, or of the last number, or of the first word that has one. The opposite of the opposite is the verdict again."""
    if VERDICT.match(text):
        return WORD.sub(_opposite_word, text, count=1)
    if numbers := list(NUMBER.finditer(text)):
        last = numbers[-1]
        return f"{text[: last.start()]}{Decimal(last.group()) + 1}{text[last.end() :]}"
    return WORD.sub(_opposite_word, text, count=1) if WORD.search(text) else f"It is not so: {text}"


def _opposite_word(found: re.Match[str]) -> str:
    other = OPPOSITES[found.group().lower()]
    return other.capitalize() if found.group()[0].isupper() else other


def contradiction(step: Contradict, prompt: Prompt) -> str | None:
    """The text of the step. None: there is nothing to contradict."""
    if step.text is not None:
        return opposite(step.text) if prompt.number % 2 else step.text
    text = WORDS[step.of](prompt) if step.of else next(filter(None, (find(prompt) for find in WORDS.values())), "")
    return opposite(text) if text else None


def _own(prompt: Prompt) -> str:
    return next((text_of(message) for message in reversed(prompt.messages) if message.get("role") == "assistant" and text_of(message)), "")


def _result(prompt: Prompt) -> str:
    return prompt.results[-1].words if prompt.results else ""


def _message(prompt: Prompt) -> str:
    """The statement that the message quotes, or the whole task."""
    claim = CLAIM.search(prompt.user_text)
    return claim.group(1).strip() if claim else prompt.task


WORDS: Mapping[Whose, Callable[[Prompt], str]] = {"itself": _own, "result": _result, "message": _message}
