"""Reads a model's answer about a failure, and checks it against the log: nothing stays that the log does not show."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

Kind = Literal["command", "edit", "config", "ask"]
"""What a suggestion is: a command, a change of a file, a change of a setting, or something that only a person can do."""

MOST_EVIDENCE = 5
MOST_SUGGESTIONS = 5
LONGEST = 600
"""Characters of a sentence of the answer."""

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "cause": {"type": "string"},
        "evidence": {"type": "array", "items": {"type": "integer"}},
        "suggestions": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "kind": {"type": "string", "enum": list(get_args(Kind))},
                    "text": {"type": "string"},
                    "command": {"type": "string"},
                },
                "required": ["kind", "text"],
            },
        },
        "confidence": {"type": "number"},
        "more": {"type": "string"},
    },
    "required": ["cause", "evidence", "suggestions", "confidence", "more"],
}
"""The form of the answer. What a grammar cannot enforce on every host, such as a range of numbers, is checked here."""

_ENDS = r"(?:exit(?:ed|s)?|return(?:ed|s)?|fail(?:ed|s|ure)?|finish(?:ed)?|terminated|died|ended|stopped|completed|crashed|errored)"
_MESSENGER = re.compile(
    rf"(?i)(?:\S{{1,60}} ){{0,6}}?{_ENDS}(?: (?:with|and|as|in|the|a|an|of|non-?zero|exit|return|error|failure|status|code|signal|command|build|job|step|process)){{0,8}}"
    r"[ :=(]{0,3}-?\d{0,4}\)?\.?"
)
"""A sentence that reports a failure and names no cause."""
_MESSENGER_LINE = re.compile(
    r"(?i)exit(?:ed)?(?: with)?(?: an?)?(?: non-?zero)?(?: exit)? (?:code|status)|returned (?:non-?zero|a non-?zero|\d+)|\bError \d+$|"
    r"ELIFECYCLE|Process completed with|non-?zero exit status|subprocess-exited-with-error|command failed"
)
_NAMES = re.compile(
    r"`[^`\n]{2,80}`|[\"“‘'][^\"“”‘’'\n]{2,80}[\"”’'](?!\w)|\b[\w.-]*(?:/[\w.-]+)+|\b\w+(?:[._]\w+)+\b|\b[a-z]+[A-Z]\w+\b|\b\d{2,}\b"
)
"""Words of a cause that name something: quoted ones, paths, identifiers, and numbers."""


@dataclass(frozen=True)
class Suggestion:
    """Something to try."""

    kind: Kind
    text: str
    command: str = ""
    """A command that can be copied. MMOS never runs it."""

    def document(self) -> dict[str, Any]:
        return {"kind": self.kind, "text": self.text, "command": self.command or None}


@dataclass(frozen=True)
class Explanation:
    """What a model says about a failure."""

    cause: str
    evidence: tuple[int, ...]
    """Numbers of lines."""
    suggestions: tuple[Suggestion, ...]
    confidence: float
    more: str
    """What would make it more certain."""


@dataclass(frozen=True)
class Objection:
    """A problem of an answer: the text that tells it to the model, and what stands in its places."""

    text: Literal["no_evidence", "no_such_line", "messenger", "unfounded"]
    places: Mapping[str, str]


def read(data: Any) -> Explanation:
    """Read an answer that fits the schema."""
    suggestions = [_suggestion(each) for each in data["suggestions"] if str(each["text"]).strip() or each.get("command")]
    return Explanation(
        sentence(data["cause"]),
        tuple(dict.fromkeys(data["evidence"])),
        tuple(dict.fromkeys(suggestions))[:MOST_SUGGESTIONS],
        _share(data["confidence"]),
        sentence(data["more"]),
    )


def _suggestion(data: Mapping[str, Any]) -> Suggestion:
    command = str(data.get("command") or "").strip() if data["kind"] == "command" else ""
    if not command.isprintable():  # what one sees would not be what one copies
        command = ""
    return Suggestion(data["kind"], sentence(data["text"]) or command, command[:LONGEST])


def sentence(text: str) -> str:
    """A text of a model in one line, of a bounded length, without signs that steer a terminal."""
    flat = "".join(sign for sign in " ".join(text.split()) if sign.isprintable())
    return flat if len(flat) <= LONGEST else flat[: LONGEST - 1] + "…"


def _share(number: float) -> float:
    """A share between 0 and 1. Some models count to 100."""
    return round(min(1.0, max(0.0, number / 100 if number > 1 else number)), 2)


def is_messenger(cause: str) -> bool:
    """Whether a cause only says that something failed."""
    return _MESSENGER.fullmatch(cause.strip()) is not None


def is_messenger_line(text: str) -> bool:
    """Whether a line of a log only says that something failed."""
    return _MESSENGER_LINE.search(text) is not None


def objections(explanation: Explanation, lines: Mapping[int, str], total: int, has: Callable[[str], bool]) -> list[Objection]:
    """What the log does not support. `lines`: the quoted lines that exist; `has`: whether a text is anywhere in the log."""
    if not explanation.cause:
        return []
    found: list[Objection] = []
    wrong = [number for number in explanation.evidence if not lines.get(number, "").strip()]
    if not explanation.evidence:
        found.append(Objection("no_evidence", {}))
    elif wrong:
        found.append(Objection("no_such_line", {"numbers": ", ".join(map(str, wrong[:10])), "lines": str(total)}))
    if is_messenger(explanation.cause):
        found.append(Objection("messenger", {}))
    if words := unfounded(explanation.cause, has):
        found.append(Objection("unfounded", {"words": ", ".join(words)}))
    return found


def unfounded(cause: str, has: Callable[[str], bool]) -> list[str]:
    """The names in a cause that the log does not have."""
    names = dict.fromkeys(name.strip("`\"“”‘’'.,:;()") for name in _NAMES.findall(cause))
    return [name for name in names if len(name) > 1 and not has(name)]


def supported(explanation: Explanation, lines: Mapping[int, str], has: Callable[[str], bool]) -> Explanation:
    """What remains when everything is dropped that the log does not support."""
    if not explanation.cause:
        return replace(explanation, evidence=(), confidence=0.0)
    kept = [number for number in explanation.evidence if lines.get(number, "").strip()]
    telling = [number for number in kept if not is_messenger_line(lines[number])] or kept
    if not telling or is_messenger(explanation.cause) or unfounded(explanation.cause, has):
        return replace(explanation, cause="", evidence=(), suggestions=(), confidence=0.0)  # what it suggests rests on the cause
    return replace(explanation, evidence=tuple(telling[:MOST_EVIDENCE]))
