"""Finds the mistakes that models made in earlier runs, as kinds without any of their words, and says them in a system text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from mmos.events import CallFinished, Entry, ModelAsked, Prompted
from mmos.names import canonical
from mmos.prompting.templates import Templates

MOST = 3
"""Mistakes that the prompt of a model names."""
MOST_FOUND = 40
"""Events that count."""

ARGUMENTS = "arguments"
_CODES = {"tool_unknown": "tool", "tool_arguments": ARGUMENTS}
_REPLIES = {
    "unread_call": "call", "unparsed_call": "call", "silent_call": "call", "deep_call": "call",
    "not_json": "json", "cut_off_json": "json", "other_json": "json",
    "empty_reply": "empty", "empty_answer": "empty", "cut_off_reply": "empty", "repeated_text": "repetition",
}  # fmt: skip
"""The texts that send a reply back, and the mistake that each is about."""

KINDS = {CallFinished.kind: tuple(_CODES), Prompted.kind: ("",)}
"""The events that tell of mistakes. The data of one that does has one of these words."""


class Mistakes:
    """Knows mistakes from events by the texts of today."""

    def __init__(self, templates: Templates) -> None:
        self._beginnings = {templates.text(name).partition("{{")[0].strip(): kind for name, kind in _REPLIES.items()}

    def kind_of(self, entry: Entry) -> str:
        """The mistake that an event tells of, with the tool if it is about its arguments. Empty: it tells of none."""
        match entry.event:
            case CallFinished(ok=False, code=code, tool=tool) if code in _CODES:
                kind = _CODES[code]
                return f"{kind} {tool}" if kind == ARGUMENTS else kind
            case Prompted(shape=True, message=message) if "\n- " in message.content:
                return "shape"
            case Prompted(shape=False, message=message):
                found = (kind for text, kind in self._beginnings.items() if text and message.content.startswith(text))
                return next(found, "")
        return ""

    def by_model(self, entries: Iterable[Entry], asked: Iterable[Entry]) -> dict[str, tuple[str, ...]]:
        """The most frequent mistakes of each model. `asked`: the requests of the runs, which say whose lane was whose."""
        models = {(entry.run, entry.event.lane): entry.event.model for entry in asked if isinstance(entry.event, ModelAsked)}
        counts: dict[str, Counter[str]] = {}
        for entry in entries:
            model = models.get((entry.run, getattr(entry.event, "lane", "")))
            if model and (kind := self.kind_of(entry)):
                counts.setdefault(canonical(model), Counter())[kind] += 1
        return {
            model: tuple(kind for kind, _ in sorted(found.items(), key=lambda one: (-one[1], one[0]))[:MOST])
            for model, found in counts.items()
        }


def told(mistakes: Sequence[str], templates: Templates) -> str:
    """The part of a system text that names mistakes. Empty: there are none."""
    lines = "\n".join(filter(None, (_line(mistake, templates) for mistake in mistakes[:MOST])))
    return templates.fill("mistakes", mistakes=lines) if lines else ""


def known(mistakes: Mapping[str, Sequence[str]], model: str, tools: Iterable[str]) -> tuple[str, ...]:
    """Those of a model that may stand in a prompt. A journal may come from a stranger, so only names of today's tools count."""
    names, own = {*tools}, canonical(model)
    made = [one for name, found in mistakes.items() if canonical(name) == own for one in found]
    return tuple(one for one in made if not (tool := one.partition(" ")[2]) or tool in names)


def _line(mistake: str, templates: Templates) -> str:
    kind, _, tool = mistake.partition(" ")
    match kind:
        case "tool":
            return templates.fill("mistake_tool")
        case "arguments":
            return templates.fill("mistake_arguments", tool=tool) if tool else ""
        case "call":
            return templates.fill("mistake_call")
        case "json":
            return templates.fill("mistake_json")
        case "shape":
            return templates.fill("mistake_shape")
        case "empty":
            return templates.fill("mistake_empty")
        case "repetition":
            return templates.fill("mistake_repetition")
    return ""
