"""Model names as Ollama reads them: `:latest` and the default registry are implied."""

from __future__ import annotations

_IMPLIED = ("registry.ollama.ai/", "library/")


def canonical(name: str) -> str:
    """The name with its tag spelled out and without what is implied."""
    for prefix in _IMPLIED:
        name = name.removeprefix(prefix)
    model = name.rpartition("/")[2]
    return name if ":" in model else f"{name}:latest"


def same_model(one: str, other: str) -> bool:
    """Whether a host would serve the same model under both names; it does not tell capitals apart."""
    return canonical(one).casefold() == canonical(other).casefold()
