"""Spells the names of models in one way, so that all spellings of one model are equal."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=1024)  # several times for each call to a model
def canonical(name: str) -> str:
    """The one spelling of a model's name, for comparisons only. A host gets the name that the user wrote, because its names are its own."""
    for implied in ("registry.ollama.ai/", "library/"):
        name = name.removeprefix(implied)
    model = name.rpartition("/")[2]
    return (name if ":" in model else f"{name}:latest").casefold()


def same_model(one: str, other: str) -> bool:
    """Whether an Ollama would serve the same model under both names."""
    return canonical(one) == canonical(other)
