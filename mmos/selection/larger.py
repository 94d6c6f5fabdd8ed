"""Says which model is clearly larger than another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mmos.catalog.known import KnownModel
from mmos.catalog.naming import billions
from mmos.selection.checker import is_named, model_named

LARGER = 1.2
"""So many times as many parameters make a model a larger one."""


def is_larger(model: KnownModel, than: KnownModel) -> bool:
    """Where nobody knows a size, a model of high quality counts as larger than one that is not known to be."""
    sizes = [one.parameters or billions(one.name) for one in (model, than)]
    if sizes[0] and sizes[1]:
        return sizes[0] >= LARGER * sizes[1]
    return "HIGH_QUALITY" in model.capabilities - than.capabilities


def larger_than(name: str, models: Sequence[KnownModel], may: Callable[[KnownModel], bool]) -> KnownModel | None:
    """The largest model that is larger than the one with this name, of those that may be asked. None: there is none."""
    own = model_named(models, name) or KnownModel(name)
    found = [one for one in models if one.is_chat and not is_named(one, name) and is_larger(one, own) and may(one)]
    return max(found, key=lambda one: (one.parameters or billions(one.name) or 0.0, bool(one.loaded), one.name), default=None)
