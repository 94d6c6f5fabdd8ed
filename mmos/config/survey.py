"""Holds what hosts answered about their models, and selects the models that can take a role."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mmos.names import canonical, is_cloud

_CODER = re.compile(r"code|coder|codestral|devstral|starcoder", re.IGNORECASE)
_REASONER = re.compile(r"deepseek-r1|qwq|think|reason|magistral|gpt-oss", re.IGNORECASE)
_NO_CHAT = re.compile(r"embed|\bbge|minilm|rerank|guard|\btts\b|dall-e|moderation|^(nomic-)?bert$|whisper", re.IGNORECASE)
_TOOL_FAMILIES = re.compile(
    r"qwen[23]|llama[-_]?(3\.[123]|4)|mistral|command-r|granite|hermes|functiongemma|gpt-?oss|devstral", re.IGNORECASE
)
_PARAMETERS = re.compile(r"(?:([0-9]+)x)?([0-9]+(?:\.[0-9]+)?)\s*([KMBT])", re.IGNORECASE)
_UNITS = {"K": 1e-6, "M": 1e-3, "B": 1.0, "T": 1e3}
_SMALLEST = 1_000_000
"""Bytes. A smaller model is a stub that forwards to a cloud."""

Scores = Mapping[tuple[str, str], float]
"""Scores from 0 to 1 of `mmos models test`, by host and model."""


@dataclass(frozen=True)
class SurveyedModel:
    """A model as its host reports it."""

    name: str
    size_bytes: int = 0
    parameters: str = ""
    """Like `14.8B`."""
    family: str = ""
    capabilities: frozenset[str] | None = None
    context_length: int | None = None
    remote: bool = False
    digest: str = ""


@dataclass(frozen=True)
class HostSurvey:
    """What one host answered, or why it did not answer."""

    name: str
    url: str
    reachable: bool
    version: str = ""
    models: Sequence[SurveyedModel] = ()
    error: str = ""
    kind: str = "ollama"
    api_key_env: str = ""
    """The variable that holds its key, or that could hold it."""
    needs_key: bool = False
    """Whether it refuses to answer without another key."""


@dataclass(frozen=True)
class Candidate:
    """A model that can chat, and the hosts that have it."""

    name: str
    hosts: tuple[str, ...]
    billions: float
    tools: bool = True
    context_length: int | None = None
    score: float | None = None
    """Its score from 0 to 1 in `mmos models test`; None if it was not tested."""

    @property
    def interpreter(self) -> bool:
        return "functiongemma" in self.name.lower()

    @property
    def coder(self) -> bool:
        return bool(_CODER.search(self.name))

    @property
    def reasoner(self) -> bool:
        return bool(_REASONER.search(self.name))


def candidates(surveys: Sequence[HostSurvey], names: Sequence[str], scores: Scores | None = None) -> list[Candidate]:
    """Models that can take a role, each once, in the order of the hosts. Of several scores the lowest counts."""
    found: dict[str, Candidate] = {}
    for survey, host in zip(surveys, names, strict=True):
        for model in survey.models if survey.reachable else ():
            if _can_chat(model):
                key = canonical(model.name)
                known, score = found.get(key), (scores or {}).get((host, model.name))
                hosts = tuple(dict.fromkeys((*known.hosts, host))) if known else (host,)
                name = known.name if known else model.name
                marks = [one for one in (score, known.score if known else None) if one is not None]
                found[key] = Candidate(name, hosts, billions_of(model), _calls_tools(model), model.context_length, min(marks, default=None))
    return list(found.values())


def _can_chat(model: SurveyedModel) -> bool:
    if model.remote or is_cloud(model.name) or 0 < model.size_bytes < _SMALLEST:
        return False
    if not (re.fullmatch(r"\S{1,200}", model.name) and model.name.isprintable()):
        return False  # a configuration would refuse this name
    if model.capabilities is not None:
        return "completion" in model.capabilities
    return not (_NO_CHAT.search(model.name) or _NO_CHAT.search(model.family))


def _calls_tools(model: SurveyedModel) -> bool:
    if model.capabilities is not None:
        return "tools" in model.capabilities
    return bool(_TOOL_FAMILIES.search(f"{model.name} {model.family}"))


def billions_of(model: SurveyedModel) -> float:
    """Parameters in billions: from the host, from the name, or from the file size at five bits for each."""
    return billions(model.parameters) or billions(model.name.rpartition(":")[2]) or model.size_bytes / 0.62e9


def billions(text: str) -> float:
    """The number in `14.8B` or `8x7B`. 0: there is none."""
    match = _PARAMETERS.search(text)
    return int(match[1] or 1) * float(match[2]) * _UNITS[match[3].upper()] if match else 0.0
