"""Finds names in Python that do not exist: modules, attributes of the standard library, names of the given files."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from mmos.quality import python_source
from mmos.quality.answer import Block, Reading
from mmos.quality.finding import Finding, Severity
from mmos.quality.packages import is_local, is_package, sounds_published
from mmos.quality.python_flow import dotted
from mmos.quality.tables import ANY, names, table

_FORGIVING = ("ImportError", "ModuleNotFoundError", "Exception", "AttributeError", "BaseException")
_TYPES = (
    "pathlib.Path",
    "collections.Counter",
    "collections.deque",
    "collections.OrderedDict",
    "collections.defaultdict",
    "datetime.timedelta",
    "decimal.Decimal",
)
"""What a call of these gives has their methods."""
_LITERALS: Mapping[type, str] = {
    ast.List: "list",
    ast.ListComp: "list",
    ast.Dict: "dict",
    ast.DictComp: "dict",
    ast.Set: "set",
    ast.JoinedStr: "str",
}


@dataclass(frozen=True)
class Known:
    """What is bound in the code of a block."""

    modules: dict[str, str] = field(default_factory=dict)
    """The module, or the class of a module, that a name stands for."""
    bound: Counter[str] = field(default_factory=Counter)
    """How often each name is bound by something else than an import."""
    forgiven: set[ast.AST] = field(default_factory=set)
    """The nodes that may fail: their errors are caught, or they are asked for first."""


def python_names(reading: Reading) -> Iterator[Finding]:
    given = _given(reading)
    for block in reading.blocks:
        tree = python_source.parsed(block.text).tree if block.language == "python" else None
        if tree is not None:
            known = _known(tree)
            yield from _imports(block, tree, known, (reading, given))
            yield from _attributes(block, tree, known, given)
            yield from _methods(block, tree, known)


def _given(reading: Reading) -> dict[str, frozenset[str]]:
    """The modules of the files that are given or shown, with the names that they define. Empty: any name."""
    texts = {name: text for name, text in reading.subject.files.items() if name.endswith((".py", ".pyi"))}
    modules = {_module(name): _defined(text) for name, text in texts.items()}
    modules |= {_module(block.file): frozenset() for block in reading.blocks if block.file.endswith(".py")}
    folders = {part: frozenset[str]() for name in (*texts, *modules) for part in name.replace("/", ".").split(".")[:-1]}
    return {**folders, **modules}


def _module(name: str) -> str:
    return name.replace("\\", "/").removeprefix("./").removesuffix("i").removesuffix(".py").removesuffix("/__init__").rpartition("/")[2]


def _defined(text: str) -> frozenset[str]:
    tree = python_source.parsed(text).tree
    if tree is None:
        return frozenset()
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    found |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    imported = [alias for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    if "__getattr__" in found or any(alias.name == "*" for alias in imported):
        return frozenset()
    return frozenset(found | {(alias.asname or alias.name).split(".")[0] for alias in imported})


def _known(tree: ast.Module) -> Known:
    known = Known()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known.modules.update(
                {alias.asname or alias.name.split(".")[0]: alias.name if alias.asname else alias.name.split(".")[0] for alias in node.names}
            )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            known.modules.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            known.bound[node.id] += 1
        elif isinstance(node, ast.arg):
            known.bound[node.arg] += 2
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            known.bound[node.name] += 2
        elif isinstance(node, ast.Try) and any(_forgives(handler) for handler in node.handlers):
            known.forgiven.update(inside for part in node.body for inside in ast.walk(part))
            known.forgiven.update(inside for handler in node.handlers for inside in ast.walk(handler))
        elif isinstance(node, ast.If) and _asks_first(node.test):
            known.forgiven.update(ast.walk(node))
    return known


def _forgives(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    return any(isinstance(node, ast.Name) and node.id in _FORGIVING for node in ast.walk(handler.type))


def _asks_first(test: ast.expr) -> bool:
    """Whether a condition asks for the Python, the system or the name itself."""
    words = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)} | {
        node.attr for node in ast.walk(test) if isinstance(node, ast.Attribute)
    }
    return bool(words & {"hasattr", "version_info", "TYPE_CHECKING", "platform", "PY2", "PY3", "six", "name", "hexversion"})


def _imports(block: Block, tree: ast.Module, known: Known, around: tuple[Reading, Mapping[str, frozenset[str]]]) -> Iterator[Finding]:
    reading, given = around
    for node in ast.walk(tree):
        if node in known.forgiven:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module_found(block, node.lineno, alias.name, reading, given)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found = list(_module_found(block, node.lineno, node.module, reading, given))
            yield from found
            if not found:
                yield from _names_found(block, node, given)


def _module_found(block: Block, line: int, module: str, reading: Reading, given: Mapping[str, frozenset[str]]) -> Iterator[Finding]:
    root = module.split(".")[0]
    if root in given or root.startswith("_"):
        return
    if root in table("python"):
        if module not in table("python") and ANY not in names("python", root) and not _is_private(module):
            yield _missing(block, line, module, f"The standard library has no module {module}.", "error", _near(module, table("python")))
        return
    if is_package(root) or is_local(root) or root.lower() in reading.question.lower() or _is_own(block, module):
        return
    near = get_close_matches(root, [name for name in table("python") if "." not in name], 1, 0.84)
    message = f"{root} is no module of the standard library, no file that is given, and no package that is widely used."
    yield _missing(block, line, module, message, "warning" if near or sounds_published(root) else "note", near[0] if near else "")


def _is_own(block: Block, module: str) -> bool:
    """Whether it is of the project that the file belongs to: it lies deep in a package, or the file imports it more than once."""
    root = re.escape(module.split(".")[0])
    times = len(re.findall(rf"^[ \t]*(?:from|import)[ \t]+{root}\b", block.text, re.MULTILINE))
    return module.count(".") > 1 or times > 1 or bool(re.search(r"^[ \t]*from[ \t]+\.", block.text, re.MULTILINE))


def _is_private(name: str) -> bool:
    return any(part.startswith("_") for part in name.split("."))


def _near(name: str, known: Mapping[str, str] | frozenset[str]) -> str:
    found = get_close_matches(name, known, 1, 0.75)
    return found[0] if found else ""


def _missing(block: Block, line: int, name: str, message: str, severity: Severity, near: str = "") -> Finding:
    cure = f"Perhaps {near} is meant." if near else "Use one that exists, or say where it comes from."
    return Finding("unknown_name", severity, block.at(line), message, cure, name)


def _names_found(block: Block, node: ast.ImportFrom, given: Mapping[str, frozenset[str]]) -> Iterator[Finding]:
    """The names that a module of the standard library or a given file does not have."""
    module = node.module or ""
    last = module.rpartition(".")[2]
    defined = given.get(last, frozenset()) if last in given else names("python", module)
    whose = f"{last}.py, which is given," if last in given else module
    if not defined or ANY in defined or ANY in names("python", module.split(".")[0]):
        return
    for alias in node.names:
        if alias.name not in defined and alias.name != ANY and not alias.name.startswith("_") and f"{module}.{alias.name}" not in given:
            yield _missing(block, node.lineno, alias.name, f"{whose} has no {alias.name}.", "error", _near(alias.name, defined))


def _attributes(block: Block, tree: ast.Module, known: Known, given: Mapping[str, frozenset[str]]) -> Iterator[Finding]:
    asked = {
        node.args[1].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
    }
    seen: set[ast.AST] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or node in seen or not isinstance(node.ctx, ast.Load):
            continue
        path, inner = _path(node)
        seen.update(inner)
        root = path[0] if path else ""
        if node in known.forgiven or root not in known.modules or known.bound[root]:
            continue
        parts = [*known.modules[root].split("."), *path[1:]]
        if (wrong := _first_missing(parts, given)) and wrong[1] not in asked:
            owner, name, defined = wrong
            yield _missing(block, node.lineno, f"{owner}.{name}", f"{owner} has no {name}.", "error", _near(name, defined))


def _path(node: ast.Attribute) -> tuple[list[str], list[ast.AST]]:
    """The names of a chain such as os.path.join, and its inner nodes. Empty: it begins with something else than a name."""
    names_, inner = [node.attr], []
    part: ast.expr = node.value
    while isinstance(part, ast.Attribute):
        names_.append(part.attr)
        inner.append(part)
        part = part.value
    if not isinstance(part, ast.Name):
        return [], list(inner)
    return [part.id, *reversed(names_)][: len(names_) + 1], list(inner)


def _first_missing(parts: list[str], given: Mapping[str, frozenset[str]]) -> tuple[str, str, frozenset[str]] | None:
    """The module or class, the name that it does not have, and the names that it has."""
    root = parts[0]
    if root == "builtins":
        return None
    if root in given:
        defined = given[root]
        return (
            (root, parts[1], defined) if len(parts) > 1 and defined and parts[1] not in defined and not parts[1].startswith("_") else None
        )
    owner = root
    for name in parts[1:]:
        defined = names("python", owner)
        if not defined or ANY in defined or name.startswith(("_", "pypy_")):
            return None
        if name not in defined:
            return owner, name, defined
        owner = f"{owner}.{name}"
    return None


def _methods(block: Block, tree: ast.Module, known: Known) -> Iterator[Finding]:
    """Methods that texts, lists, dictionaries and usual types of the standard library do not have."""
    kinds = _kinds(tree, known)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node in known.forgiven:
            continue
        value, name = node.func.value, node.func.attr
        kind = kinds.get(value.id, "") if isinstance(value, ast.Name) else _kind(value, known)
        defined = names("python", kind) if kind else frozenset[str]()
        if defined and name not in defined:
            title = kind.removeprefix("builtins.")
            yield _missing(block, node.lineno, f".{name}", f"A {title} has no method {name}.", "error", _near(name, defined))


def _kinds(tree: ast.Module, known: Known) -> dict[str, str]:
    """The names that are bound once, to a value of a type whose methods are known."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(target := node.targets[0], ast.Name):
            kind = _kind(node.value, known)
            if kind and known.bound[target.id] == 1 and target.id not in known.modules:
                found[target.id] = kind
    return found


def _kind(value: ast.expr, known: Known) -> str:
    """The type of a value, as the table names it: `builtins.list`, `pathlib.Path`. Empty: it is not known."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str | bytes):
        return f"builtins.{type(value.value).__name__}"
    if isinstance(value, ast.Call):
        name = dotted(value.func) if isinstance(value.func, ast.Name | ast.Attribute) else ""
        root, _, rest = name.partition(".")
        if name in ("list", "dict", "set", "str") and not known.bound[name]:
            return f"builtins.{name}"
        full = f"{known.modules.get(root, '')}.{rest}".strip(".")
        return full if full in _TYPES and not known.bound[root] else ""
    literal = _LITERALS.get(type(value))
    return f"builtins.{literal}" if literal else ""
