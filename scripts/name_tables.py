"""Writes the tables of names that exist: `python scripts/name_tables.py python|go|java|javascript|pypi|npm [FILE…]`.

python needs mypy, whose copy of typeshed knows every version and system; go the folder `api` of a Go; java what `jimage list` prints; javascript
what `node -p` makes of scripts/name_tables.js; pypi and npm a list of packages, one name a line, the most downloaded first.
"""

from __future__ import annotations

import ast
import gzip
import importlib
import json
import re
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from mmos.quality.tables import FOLDER

CLASSES = {
    "builtins": ("str", "list", "dict", "set", "tuple", "bytes", "int", "float", "bytearray", "frozenset"),
    "collections": ("Counter", "OrderedDict", "defaultdict", "deque", "ChainMap"),
    "datetime": ("datetime", "date", "time", "timedelta", "timezone"),
    "pathlib": ("Path", "PurePath"),
    "decimal": ("Decimal",),
    "uuid": ("UUID",),
    "fractions": ("Fraction",),
}
"""The classes whose attributes are in the table."""
OPAQUE = ("test", "idlelib", "lib2to3", "turtledemo", "distutils", "encodings", "ensurepip", "this", "antigravity", "__main__")
"""Packages in which every name may exist."""
MOST = {"pypi": 15_000, "npm": 12_000}

Tree = dict[str, set[str]]


def python() -> dict[str, str]:
    """The names of each module and of some classes, as one text each. `*`: any name."""
    import mypy

    names: Tree = defaultdict(set)
    for path in sorted((Path(mypy.__file__).parent / "typeshed" / "stdlib").rglob("*.pyi")):
        parts = path.relative_to(Path(mypy.__file__).parent / "typeshed" / "stdlib").with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        names[module] |= set(_declared(ast.parse(path.read_text(encoding="utf-8")).body))
        for class_name, inside in _classes(module, path):
            names[f"{module}.{class_name}"] |= inside
    for module in [*sys.stdlib_module_names, *names]:
        _add_running(module, names)
    for module in list(names):
        package, _, name = module.rpartition(".")
        if package:
            names[package].add(name)
    names.update({name: {"*"} for name in OPAQUE})
    return {module: " ".join(sorted(inside)) for module, inside in sorted(names.items())}


def _declared(body: Iterable[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name.split(".")[0] for alias in node.names if alias.name != "*")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name))
        elif isinstance(node, ast.If):
            yield from _declared([*node.body, *node.orelse])


def _classes(module: str, path: Path) -> Iterator[tuple[str, set[str]]]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name in CLASSES.get(module, ()):
            yield node.name, set(_declared(node.body))


def _add_running(module: str, names: Tree) -> None:
    """The names that a module has in this Python."""
    if module.split(".")[0] in OPAQUE or module.endswith("__main__"):
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = importlib.import_module(module)
    except (ImportError, AttributeError):
        names[module] |= set()
        return
    names[module] |= set(dir(loaded))
    for name in CLASSES.get(module, ()):
        names[f"{module}.{name}"] |= set(dir(getattr(loaded, name)))


def go(api: Path) -> dict[str, str]:
    names: Tree = defaultdict(set)
    for path in api.glob("go1*.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if found := re.match(r"pkg ([\w/.-]+)(?: \([^)]*\))?, (?:const|func|type|var) (\w+)", line):
                names[found[1]].add(found[2])
    source = api.parent / "src"
    for folder in (path.relative_to(source) for path in source.rglob("*") if path.is_dir() and any(path.glob("*.go"))):
        if not {"internal", "testdata", "vendor", "cmd"} & set(folder.parts):
            names.setdefault(folder.as_posix(), {"*"})
    names["syscall"] = names["runtime"] = {"*"}  # each system has others
    return {package: " ".join(sorted(inside)) for package, inside in sorted(names.items())}


def java(listing: Path) -> dict[str, str]:
    names: Tree = defaultdict(set)
    for path in re.findall(r"^\s+(javax?/[\w/]+)\.class$", listing.read_text(encoding="utf-8"), re.MULTILINE):
        package, _, name = path.rpartition("/")
        names[package.replace("/", ".")].add(name)
    return {package: " ".join(sorted(inside)) for package, inside in sorted(names.items())}


def javascript(document: Path) -> dict[str, str]:
    return {name: " ".join(sorted(inside)) for name, inside in sorted(json.loads(document.read_text(encoding="utf-8")).items())}


def packages(listing: Path, kind: str) -> dict[str, str]:
    """Names of packages as code imports them."""
    lines = [line.strip().lower() for line in listing.read_text(encoding="utf-8").splitlines() if line.strip()][: MOST[kind]]
    if kind == "npm":
        return {"packages": " ".join(sorted({"/".join(line.split("/")[:1]) if line.startswith("@") else line for line in lines}))}
    return {"packages": " ".join(sorted({name for line in lines for name in _imported(line)}))}


def _imported(name: str) -> Iterator[str]:
    """How code may import a package of this name."""
    plain = re.sub(r"[-.]+", "_", name)
    if plain.startswith("types_") or plain.endswith("_stubs"):
        return
    yield plain
    yield re.sub(r"^(?:python|py)_|_(?:python|py)$", "", plain)
    yield plain.replace("_", "")
    if "_" in plain:
        yield plain.split("_")[0]


def write(kind: str, table: dict[str, str]) -> None:
    data = json.dumps(table, separators=(",", ":"), sort_keys=True).encode()
    (FOLDER / f"{kind}.json.gz").write_bytes(gzip.compress(data, 9, mtime=0))
    print(f"{kind}: {len(table):,} entries, {len(gzip.compress(data, 9)):,} bytes")


def main(kind: str, *files: str) -> None:
    paths = [Path(file) for file in files]
    if kind in MOST:
        write(kind, packages(paths[0], kind))
    elif kind == "python":
        write(kind, python())
    else:
        write(kind, {"go": go, "java": java, "javascript": javascript}[kind](paths[0]))


if __name__ == "__main__":
    main(*sys.argv[1:])
