"""Chooses who judges an answer, and which larger model may answer again (pure functions)."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mmos.catalog.known import KnownModel
from mmos.names import same_model
from mmos.selection.checker import checker_of, is_named, model_named
from mmos.selection.larger import larger_than

OF_AUTHOR = 0.95
"""What is left of the trust in a judge that wrote the answer itself: it does not see its own mistakes."""
OF_FAMILY = 0.97
"""The same for another model of the author's family, which makes like mistakes."""
LEAST_PARAMETERS = 1.0
"""In billions. A smaller model judges only when there is no other: it follows no list of points."""


def named(models: Sequence[KnownModel], name: str) -> KnownModel:
    """The model with this name or key, also when no host has it now."""
    return model_named(models, name) or KnownModel(name)


def first_judge(models: Sequence[KnownModel], author: str, kind: str, barred: Collection[str]) -> KnownModel | None:
    """The best judge. Models that have shown that they cannot judge are left out."""
    return checker_of(able([one for one in models if one.name not in barred]), author, kind)


def second_judge(models: Sequence[KnownModel], author: str, kind: str, first: KnownModel, barred: Collection[str]) -> KnownModel | None:
    """Another judge than the first one, of a third family if there is one. The author is none."""
    rest = [one for one in models if one.name not in barred and not same_model(one.name, first.name) and not is_named(one, author)]
    there = able(rest)
    for known in ({first.family, named(models, author).family}, {first.family}, set()):
        if (found := checker_of([one for one in there if one.family not in known - {""}], author, kind)) is not None:
            return found
    return None


def able(models: Sequence[KnownModel]) -> Sequence[KnownModel]:
    """The models that may judge, and are large enough for it. If none is, all that may."""
    there = [one for one in models if _may(one)]
    return [one for one in there if one.parameters is None or one.parameters >= LEAST_PARAMETERS] or there


def kinship(models: Sequence[KnownModel], judge: str, author: str) -> tuple[float, str]:
    """What is left of the trust in a judge because it is near to the author, and why."""
    if same_model(judge, author):
        return OF_AUTHOR, f"{judge} judges its own answer"
    families = {named(models, judge).family, named(models, author).family}
    if len(families) == 1 and "" not in families:
        return OF_FAMILY, f"{judge} is of the family of {author}"
    return 1.0, ""


def larger(models: Sequence[KnownModel], author: str, judges: Collection[str] = ()) -> KnownModel | None:
    """The largest model that is clearly larger than the author. One of the judges only if there is no other."""
    return larger_than(author, models, lambda one: _may(one) and one.name not in judges) or larger_than(author, models, _may)


def _may(model: KnownModel) -> bool:
    """Whether a host has it that keeps the prompts. What MMOS asks by itself leaves the house only if the configuration says so."""
    return bool(model.hosts) and not model.remote
