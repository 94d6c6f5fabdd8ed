"""Says which names are packages that many people use, and which are modules of the project at hand."""

from __future__ import annotations

from mmos.quality.tables import names, words

_OWN = ("my_", "your_", "test_", "tests_", "example_")
_MADE = ("_test", "_tests", "_pb2", "_pb2_grpc")


def is_package(root: str) -> bool:
    """Whether code imports a well-known package by this name."""
    return root in words("imports") or root.lower() in names("pypi", "packages")


def is_local(root: str) -> bool:
    """Whether projects have a module of their own with this name, or examples have."""
    name = root.lower()
    return name in words("local") or name.startswith(_OWN) or name.endswith(_MADE)


def is_npm(name: str) -> bool:
    """Whether it is a well-known package of npm: the scope alone counts where there is one."""
    return name.split("/")[0] in names("npm", "packages")
