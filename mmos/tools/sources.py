"""Finds the files of a folder that Python would run to import a module. It reads their text and runs nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from importlib import invalidate_caches
from importlib.machinery import PathFinder
from pathlib import Path

from mmos.files import content
from mmos.tools.looking import MOST_SOURCE, UnusableError

MOST_FILES = 2_000
MOST_BYTES = 16 << 20
"""Most bytes of all files together."""


def source_files(modules: Iterable[str], folder: Path) -> dict[Path, bytes]:
    """Every file of the folder that these modules consist of or import, with its content."""
    invalidate_caches()
    files: dict[Path, bytes] = {}
    names = list(dict.fromkeys(modules))
    known, size = set(names), 0
    while names:
        for package, path in _files(names.pop(), folder):
            if path in files:
                continue
            files[path] = _content(path)
            size += len(files[path])
            if len(files) > MOST_FILES or size > MOST_BYTES:
                most = f"{MOST_FILES:,} files or {MOST_BYTES >> 20} MiB"
                raise UnusableError(f"its functions import more than {most} of this folder, and mmos looks at no more")
            fresh = [name for name in _imports(files[path], package) if name not in known]
            known.update(fresh)
            names += fresh
    return files


def _content(path: Path) -> bytes:
    try:
        source = content(path, MOST_SOURCE + 1)
    except OSError as error:
        raise UnusableError(f"{path.name} cannot be read: {(error.strerror or str(error)).lower()}") from None
    if len(source) > MOST_SOURCE:
        raise UnusableError(f"{path.name} has more than {MOST_SOURCE >> 20} MiB")
    return source


def _files(module: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """The files that Python runs for a module of the folder, with the package of each. Those of the packages around it come first."""
    places = [str(folder)]
    package: list[str] = []
    for part in module.split("."):
        spec = PathFinder.find_spec(part, places)
        if spec is None:
            return
        inside = spec.submodule_search_locations
        around = [*package, part] if inside is not None else package
        if spec.origin is not None and Path(spec.origin).is_file():
            yield ".".join(around), Path(spec.origin)
        if inside is None:
            return
        places, package = list(inside), around


def _imports(source: bytes, package: str) -> Iterator[str]:
    """The full names of everything that a file imports, anywhere in it."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # Python cannot run this file either; its content still counts
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            yield from (f"{base}.{alias.name}".strip(".") for alias in node.names)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    around = package.split(".")
    return ".".join([*around[: len(around) - node.level + 1], *filter(None, [node.module])])
