"""Reads what the name of a model says: its family, its size, and what it was made for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

_WORD = re.compile(r"[a-z]+")
_SIZE = re.compile(r"(?:^|[-_:/. ])(?:([0-9]{1,3})x|e)?([0-9]{1,4}(?:\.[0-9]{1,3})?)(b|m)(?![a-z0-9])")
_ACTIVE = re.compile(r"[-_:]a([0-9]{1,3}(?:\.[0-9]{1,3})?)b(?![a-z0-9])")
_BILLIONS = {"b": 1.0, "m": 1e-3}

_FAMILIES = {
    "qwen": ("qwen", "qwq"),
    "llama": ("llama", "vicuna"),
    "mistral": ("mistral", "mixtral", "codestral", "devstral", "magistral", "ministral", "pixtral"),
    "gemma": ("gemma",),
    "deepseek": ("deepseek", "deepcoder"),
    "phi": ("phi",),
    "granite": ("granite",),
    "gpt": ("gpt",),
    "glm": ("glm", "chatglm"),
    "smollm": ("smollm",),
    "starcoder": ("starcoder",),
    "command": ("command",),
    "nemotron": ("nemotron",),
    "falcon": ("falcon",),
    "olmo": ("olmo",),
    "internlm": ("internlm",),
    "yi": ("yi",),
}
"""Which beginnings and ends of words name which family."""
_SHORTEST = 4
"""Letters. A shorter word must be the whole word."""

_CODE = ("devstral", "codestral")
_NO_CODE = ("encoder", "decoder", "codec")
_WORDS = {
    "REASONING": ("qwq", "magistral", "think", "thinking", "reasoner", "reasoning", "openthinker"),
    "VISION": ("llava", "bakllava", "vl", "vision", "moondream", "pixtral"),
    "EMBEDDING": ("embed", "embedding", "embeddings", "bge", "minilm"),
}
_PARTS = {
    "REASONING": ("deepseek-r1", "gpt-oss"),
    "SECURITY_FOCUSED": ("foundation-sec", "whiterabbitneo", "cybersec", "securityllm", "zysec", "deephat"),
}
_ONLY_CALLS = "functiongemma"


@lru_cache(maxsize=1024)
def said(name: str) -> dict[str, str]:
    """The capabilities that the name claims, each with the part of the name that does."""
    whole = _own(name)
    words = _WORD.findall(whole)
    found = {capability: word for capability, known in _WORDS.items() for word in words if word in known}
    found |= {capability: part for capability, parts in _PARTS.items() for part in parts if part in whole}
    code = next(filter(_is_code, words), "")
    return found | ({"CODE_SPECIALIZED": code} if code else {})


def only_calls(name: str) -> bool:
    """Whether the model was made to write tool calls and nothing else."""
    return _ONLY_CALLS in _own(name)


def family(name: str) -> str:
    """The family, if it is a well-known one. What a host reports is the architecture: that of Mistral is llama. Empty: unknown."""
    return next(_families(_WORD.findall(_own(name))), "")


def billions(name: str) -> float | None:
    """The parameters in billions. None: the name does not say."""
    match = _SIZE.search(_own(name))
    return int(match[1] or 1) * float(match[2]) * _BILLIONS[match[3]] if match else None


def active_billions(name: str) -> float | None:
    """The parameters that work on each token, for models such as qwen3:30b-a3b. None: the name does not say."""
    match = _ACTIVE.search(_own(name))
    return float(match[1]) if match else None


def _own(name: str) -> str:
    """The name without the registry and the owner, in small letters."""
    return name.casefold().rpartition("/")[2]


def _is_code(word: str) -> bool:
    return word not in _NO_CODE and (word.startswith("code") or word.endswith("coder") or word in _CODE)


def _families(words: list[str]) -> Iterator[str]:
    """In the order of the words, because a model that was made from another one is named first."""
    for word in words:
        for one, known in _FAMILIES.items():
            if any(word == part or (len(part) >= _SHORTEST and (word.startswith(part) or word.endswith(part))) for part in known):
                yield one
