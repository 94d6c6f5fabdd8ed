"""Spells the names of models in one way, so that all spellings of one model are equal."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache


@lru_cache(maxsize=1024)  # several times for each call to a model
def canonical(name: str) -> str:
    """The one spelling of a model's name. It is for comparisons only: a host gets the name that the user wrote.

    As Ollama reads names: capitals do not count, its registry, `library` and `latest` are implied, and `:local` is no part of the name.
    """
    name = name.casefold()
    while name.endswith(":local"):
        name = name.removesuffix(":local")
    *place, model = name.split("/")
    if len(place) == 2 and place[0] == "registry.ollama.ai":
        del place[0]
    if place == ["library"]:
        del place[0]
    return "/".join([*place, model if ":" in model else f"{model}:latest"])


def is_cloud(name: str) -> bool:
    """Whether a name means a model that an Ollama does not run itself: it sends the prompts to a cloud."""
    return name.casefold().endswith((":cloud", "-cloud"))


def same_model(one: str, other: str) -> bool:
    """Whether an Ollama would serve the same model under both names."""
    return canonical(one) == canonical(other)


READY_TOOLS = ("files", "shell", "web")
"""The words with which a configuration names the tools that MMOS has ready."""
PATTERN = "pattern:"
"""What stands before the name of a pattern where it stands for a model."""


def pattern_named(model: str) -> str:
    """The pattern that stands for a model, as in `pattern:code_review`. Empty: it is a model."""
    return model.removeprefix(PATTERN) if model.startswith(PATTERN) else ""


def pattern_called(name: str, known: Collection[str]) -> str:
    """The pattern that is called by the name that it has in a file of another tool, such as `refine pro`, which is `refine-pro` here."""
    key = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")
    return key if name not in known and key in known and f"{key}-2" not in known else name  # with two such names, it is not clear
