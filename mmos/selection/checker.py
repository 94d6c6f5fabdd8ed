"""Chooses the model that checks an answer: a security-minded one for code, of another family than the one that wrote the answer."""

from __future__ import annotations

from collections.abc import Sequence

from mmos.catalog.known import KnownModel
from mmos.names import canonical, same_model

CODE = frozenset({"code", "code_generation", "bug_fixing", "refactoring", "code_analysis", "security_review"})
"""Kinds of tasks whose answers a security-minded model checks."""


def checker_of(models: Sequence[KnownModel], author: str, kind: str) -> KnownModel | None:
    """The best of these models to check an answer of the model `author` to a task of this kind. None: there is no model that can.

    It is the author itself only when there is no other.
    """
    wrote = model_named(models, author)
    family = wrote.family if wrote else ""
    able = [one for one in models if one.is_chat]
    return max(able, key=lambda one: _rank(one, author, family, kind.lower()), default=None)


def _rank(model: KnownModel, author: str, family: str, kind: str) -> tuple[float | str, ...]:
    """How well a model fits, the most important first. The name decides between equals, so that the order of the list does not."""
    able = model.capabilities
    return (
        not is_named(model, author),
        bool(model.hosts),
        kind in CODE and "SECURITY_FOCUSED" in able,
        not family or model.family != family,
        "HIGH_QUALITY" in able,
        kind in CODE and "CODE_SPECIALIZED" in able,
        "REASONING" in able,
        model.parameters or 0.0,
        model.name,
    )


def is_named(model: KnownModel, name: str) -> bool:
    """Whether a name means this model: its own, under any spelling, or one of its keys."""
    return name in model.keys or (bool(canonical(name)) and same_model(model.name, name))


def model_named(models: Sequence[KnownModel], name: str) -> KnownModel | None:
    """The model that a name or a key means."""
    found = [model for model in models if is_named(model, name)]
    return next((model for model in found if same_model(model.name, name)), found[0] if found else None)
