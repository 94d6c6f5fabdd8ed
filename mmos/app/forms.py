"""Loads the forms of patterns that are no part of MMOS: the user's own classes, and those that installed packages offer."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from importlib.metadata import entry_points
from inspect import isclass, iscoroutinefunction
from pathlib import Path
from typing import Any, cast

from mmos.config.load import Config
from mmos.config.patterns_schema import FORMS_GROUP, SHAPES, own_forms
from mmos.errors import Problem, UsageError
from mmos.patterns.work import Form
from mmos.tools.functions import MISSING
from mmos.tools.importing import put_on_path
from mmos.tools.looking import UnusableError, look_at_class


def problems(config: Config) -> Iterator[Problem]:
    """What is wrong with the user's own classes, as far as their files show. Nothing is imported."""
    for name, text in own_forms(config.orchestration.patterns).items():
        module, _, attribute = text.partition(":")
        try:
            look_at_class(module, attribute, config.folder)
        except UnusableError as error:
            yield _problem(config, name, text, error)


def faults(config: Config) -> Iterator[Problem]:
    """What is wrong with the user's own classes when they are imported."""
    for name, text in own_forms(config.orchestration.patterns).items():
        try:
            loaded(text, config.folder)
        except UnusableError as error:
            yield _problem(config, name, text, error)


def form_for(shape: str, folder: Path | None) -> type[Form] | None:
    """The class of a form. None: it is one of MMOS."""
    if shape in SHAPES:
        return None
    try:
        return loaded(shape, folder)
    except UnusableError as error:
        raise UsageError(f"The form {shape} cannot be used: {error}.") from error


def loaded(shape: str, folder: Path | None) -> type[Form]:
    """Import the class of a form. The configuration's folder comes first on the import path."""
    module, _, name = shape.partition(":")
    try:
        if name and folder is not None:
            put_on_path(folder)
        form: Any = getattr(importlib.import_module(module), name) if name else _offered(shape)
    except (*MISSING, ValueError) as error:
        raise UnusableError(f"{type(error).__name__}: {error}") from error
    if not isclass(form) or not iscoroutinefunction(getattr(form, "run", None)):
        raise UnusableError("it must be a class with `async def run(self, work)`")
    return cast("type[Form]", form)


def _offered(name: str) -> Any:
    """The form that an installed package offers under a name."""
    (entry, *_) = entry_points(group=FORMS_GROUP, name=name)
    return entry.load()


def _problem(config: Config, name: str, text: str, error: UnusableError) -> Problem:
    place = ("orchestration", "patterns", name, "pattern")
    return config.document.problem(place, f"'{config.document.display(place, text)}' cannot be used: {error}")
