"""Finds out from a file's text whether the user's function can be a tool, or a class the form of a pattern. It runs no code."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import invalidate_caches
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from mmos.config.wording import perhaps, shown
from mmos.files import content

_DYNAMIC = frozenset({"globals", "locals", "vars", "exec", "setattr", "modules", "__dict__", "__getattr__"})
"""A file with one of these may define names that its text does not show."""
MOST_SOURCE = 4 << 20
_DECORATORS = ("mmos.tool", "mmos.toolbox.tool")


class UnusableError(ValueError):
    """The function cannot be a tool. The message says why."""


@dataclass(frozen=True)
class _Binding:
    """What a name is bound to in a file, as far as the text shows."""

    tool: str | None = None
    """The name of the tool. None: only an import would tell."""
    plain: bool = False
    """Whether it is a function without decorators."""
    origin: str = ""
    """Its full name in the module that it is imported from. Empty: it is not imported."""


def look(module: str, name: str, folder: Path | None, *, by_package: bool = False) -> str | None:
    """The name of the tool that `module:name` makes. None: only an import would tell. `by_package`: its own package offers it as a tool."""
    path = _file(module, folder)
    binding = _look(path, name, folder) if path is not None and name.isidentifier() else _Binding()
    if not by_package:
        _check_owner(module, path, folder, binding, name)
    return binding.tool


def _look(path: Path, name: str, folder: Path | None) -> _Binding:
    try:
        tree = _parse(path)
        _check_imports(tree, path, folder)
        return _binding(_Bindings(tree), path, name)
    except RecursionError:
        raise UnusableError(f"{_title(path)} is nested too deeply to be read") from None


def _binding(bindings: _Bindings, path: Path, name: str) -> _Binding:
    nodes = bindings.of.get(name, [])
    if not nodes and not bindings.dynamic:
        raise UnusableError(f"{_title(path)} has no function '{shown(name)}'{perhaps(name, bindings.functions)}")
    if len(nodes) != 1:
        return _Binding()
    (node,) = nodes
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return _Binding(_tool_name(node, bindings.imports), plain=not node.decorator_list)
    if isinstance(node, ast.Constant | ast.List | ast.Dict | ast.Set | ast.Tuple | ast.JoinedStr):
        raise UnusableError(f"{_title(path)}, line {node.lineno}: '{shown(name)}' is not a function")
    return _Binding(origin=bindings.imports.get(name, "") if isinstance(node, ast.Import | ast.ImportFrom) else "")


def look_at_class(module: str, name: str, folder: Path | None) -> None:
    """Raise `UnusableError` if `module:name` is surely no class of the user."""
    path = _file(module, folder)
    if whose := owner(module, path, folder):
        raise UnusableError(f"'{shown(f'{module}.{name}')}' belongs to {whose}; write your own class")
    if path is None:
        return
    bindings = _Bindings(_parse(path))
    nodes = bindings.of.get(name, [])
    if not nodes and not bindings.dynamic:
        raise UnusableError(f"{_title(path)} has no class '{shown(name)}'{perhaps(name, bindings.of)}")
    last = nodes[-1] if nodes else None
    if isinstance(last, ast.FunctionDef | ast.AsyncFunctionDef | ast.Constant | ast.List | ast.Dict):
        raise UnusableError(f"{_title(path)}, line {last.lineno}: '{shown(name)}' is not a class")


# ---------------------------------------------------------------- whose it is

Owner = Literal["", "Python", "an installed package"]
_INSTALLED = frozenset({"site-packages", "dist-packages"})


def owner(module: str, path: Path | None, folder: Path | None) -> Owner:
    """Who a module belongs to. Empty for the user's own, in the configuration's folder or anywhere outside installed packages."""
    top = module.partition(".")[0]
    if path is not None and folder is not None and path.is_relative_to(folder):
        return "an installed package" if _INSTALLED & set(path.relative_to(folder).parts) else ""
    if top in sys.stdlib_module_names:
        return "Python"
    return "an installed package" if top == "mmos" or (path is not None and _INSTALLED & set(path.parts)) else ""


def not_yours(name: str, whose: Owner) -> UnusableError:
    return UnusableError(
        f"'{shown(name)}' is a function of {whose}, and a configuration cannot make a tool of it; "
        "write your own function that calls it, and name that one"
    )


def _check_owner(module: str, path: Path | None, folder: Path | None, binding: _Binding, name: str) -> None:
    """Refuse functions of Python itself, and functions of packages that are not marked as tools."""
    whose = owner(module, path, folder)
    if whose == "Python" or (whose and binding.plain):
        raise not_yours(f"{module}.{name}", whose)
    if binding.origin and _beside(binding.origin.partition(".")[0], folder) is None and owner(binding.origin, None, folder) == "Python":
        raise not_yours(binding.origin, "Python")


# ---------------------------------------------------------------- the file


def _file(module: str, folder: Path | None) -> Path | None:
    """The file of a module. Its packages are not imported. None: the module is not written in Python."""
    invalidate_caches()  # the file may be new
    head, *rest = module.split(".")
    spec = _top(head, folder)
    for place, part in enumerate(rest, 1):
        if spec is None or spec.submodule_search_locations is None:
            break
        spec = PathFinder.find_spec(part, list(spec.submodule_search_locations))
        if spec is None:
            raise UnusableError(f"there is no module '{part}' in {'.'.join([head, *rest[: place - 1]])}")
    path = Path(spec.origin) if spec is not None and spec.origin else None
    return path if path is not None and path.suffix == ".py" and path.is_file() else None


def _top(name: str, folder: Path | None) -> ModuleSpec | None:
    """The module, in the folder first. A module of the folder may not have the name of a Python module that is already loaded."""
    if _beside(name, folder) is not None and name in sys.stdlib_module_names and name in sys.modules:
        raise UnusableError(f"Python has a module '{name}' of its own; rename yours")
    if not _is_there(name, folder):
        near = perhaps(name, (path.stem for path in folder.glob("*.py"))) if folder is not None else ""
        raise UnusableError(f"there is no module '{shown(name)}' beside the configuration or on the import path{near}")
    module = sys.modules.get(name)
    return _beside(name, folder) or (module.__spec__ if module is not None else find_spec(name))


def _beside(name: str, folder: Path | None) -> ModuleSpec | None:
    return PathFinder.find_spec(name, [str(folder)]) if folder is not None else None


def _is_there(name: str, folder: Path | None) -> bool:
    return name in sys.modules or _beside(name, folder) is not None or find_spec(name) is not None


def _title(path: Path) -> str:
    return f"{path.parent.name}/{path.name}" if path.stem == "__init__" else path.name


def _parse(path: Path) -> ast.Module:
    try:
        source = content(path, MOST_SOURCE + 1)
        if len(source) > MOST_SOURCE:
            raise UnusableError(f"{_title(path)} has more than {MOST_SOURCE >> 20} MiB, too much for a module of functions")
        return ast.parse(source)
    except OSError as error:
        raise UnusableError(f"{_title(path)} cannot be read: {(error.strerror or str(error)).lower()}") from None
    except SyntaxError as error:
        raise UnusableError(f"{_title(path)}, line {error.lineno or 1}, is not valid Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise UnusableError(f"{_title(path)} is not valid Python: {error}") from None


def _check_imports(tree: ast.Module, path: Path, folder: Path | None) -> None:
    """Check that the modules imported at the top level are installed. A file that uses `sys` or `site` is skipped: it may change the import path."""
    modules = [(name.partition(".")[0], node.lineno) for node in tree.body for name in _modules_of(node)]
    if {"sys", "site"} & {name for name, _ in modules}:
        return
    for name, line in modules:
        if not _is_there(name, folder):
            raise UnusableError(f"{_title(path)}, line {line}, imports '{shown(name)}', which is not installed")


def _modules_of(node: ast.stmt) -> Iterable[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) and node.level == 0 else []


# ---------------------------------------------------------------- names in it


class _Bindings:
    """What each name at the top level of a module is bound to."""

    def __init__(self, tree: ast.Module) -> None:
        self.of: dict[str, list[ast.AST]] = {}
        self.imports: dict[str, str] = {}
        """The full name of each imported name."""
        for node in _scope(tree):
            for name, value in _names_of(node):
                self.of.setdefault(name, []).append(value)
            self.imports |= dict(_imports(node))
        words = {getattr(node, "id", getattr(node, "attr", getattr(node, "name", None))) for node in ast.walk(tree)}
        has_global = any(isinstance(node, ast.Global) for node in ast.walk(tree))
        self.dynamic = has_global or "*" in self.of or not _DYNAMIC.isdisjoint(words)

    @property
    def functions(self) -> list[str]:
        return [name for name, nodes in self.of.items() if isinstance(nodes[-1], ast.FunctionDef | ast.AsyncFunctionDef)]


def _scope(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes of one scope, in order. Functions and classes are included, but not their contents."""
    nodes = [node]
    while nodes:
        node = nodes.pop()
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            nodes += reversed(list(ast.iter_child_nodes(node)))
        yield node


def _names_of(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name, node
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=value):
            yield from [(name, value)] if value is not None else []
        case ast.Assign(targets=targets):
            yield from ((part.id, node) for target in targets for part in ast.walk(target) if isinstance(part, ast.Name))
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from ((alias.asname or alias.name.partition(".")[0], node) for alias in names)
        case ast.For() | ast.AsyncFor() | ast.With() | ast.AsyncWith() | ast.NamedExpr() | ast.Match():
            yield from ((part.id, node) for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))


def _imports(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        yield from ((alias.asname or alias.name, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


# ---------------------------------------------------------------- the function


def _tool_name(function: ast.FunctionDef | ast.AsyncFunctionDef, imports: Mapping[str, str]) -> str | None:
    """The function's own name, or the name from `@mmos.tool(name=…)`. None: another decorator may change it."""
    name: str | None = function.name
    for decorator in function.decorator_list:
        target = decorator.func if isinstance(decorator, ast.Call) else decorator
        root, dot, rest = ast.unparse(target).partition(".")
        if imports.get(root, root) + dot + rest not in _DECORATORS:
            return None
        for word in decorator.keywords if isinstance(decorator, ast.Call) else []:
            if word.arg in ("name", None):
                name = word.value.value if isinstance(word.value, ast.Constant) and isinstance(word.value.value, str) else None
    parameters = function.args
    odd = [one for one in (*parameters.posonlyargs, parameters.vararg, parameters.kwarg) if one is not None and not _is_context(one)]
    if odd:
        raise UnusableError(f"{function.name}: parameter '{odd[0].arg}' cannot be given by name, so no model can give it")
    return name


def _is_context(parameter: ast.arg) -> bool:
    return parameter.annotation is not None and "Context" in ast.unparse(parameter.annotation)
