"""Finds Python that is slow or that a reader would call wrong. All of it is notes: it works."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from mmos.quality import python_source
from mmos.quality.answer import Block, Reading
from mmos.quality.finding import Finding
from mmos.quality.places import finding_in
from mmos.quality.python_flow import dotted

_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_QUERIES = frozenset(("execute", "fetchone", "fetchall", "query", "find_one", "raw", "get_object_or_404"))
_QUERY_OWNERS = ("cursor", "cur", "db", "conn", "connection", "session", "objects")
_MOST_USED = 4000
"""Names in longer code are not counted."""

Words = tuple[str, str]

_IN_LIST: Words = ("A list is searched again and again in a loop.", "Make a set of it before the loop.")
_TEXT: Words = ("A text grows in a loop, and may be copied each time.", "Collect the parts in a list, and join them.")
_FIRST: Words = ("Each call moves all items of the list.", "Use collections.deque.")
_COMPILE: Words = ("The pattern is compiled in each round.", "Compile it before the loop.")
_QUERY: Words = ("A query is sent in each round of the loop.", "Ask for all rows with one query.")
_CONCAT: Words = ("The list is copied in each round.", "Use append or extend.")
_BARE: Words = ("It also catches KeyboardInterrupt and SystemExit.", "Name the exceptions.")
_DEFAULT: Words = ("All calls share the default value.", "Use None, and make the value in the function.")
_NONE: Words = ("Compare with None by `is`.", "Write `is None`.")
_UNUSED: Words = ("It is imported and not used.", "Leave it out.")


def python_smells(reading: Reading) -> Iterator[Finding]:
    for block in reading.blocks:
        tree = python_source.parsed(block.text).tree if block.language == "python" else None
        if tree is None:
            continue
        seen: set[tuple[int, str]] = set()
        for node, kind, words in (*_slow(tree), *_wrong(tree), *_unused(block, tree)):
            line = getattr(node, "lineno", 1)
            if (line, words[0]) not in seen:
                seen.add((line, words[0]))
                yield finding_in(block, line, kind, "note", words)


def _slow(tree: ast.Module) -> Iterator[tuple[ast.AST, str, Words]]:
    lists = _bound(tree, (ast.List, ast.ListComp), "list")
    texts = _bound(tree, (), "str") | {
        name for name, value in _values(tree) if isinstance(value, ast.Constant) and isinstance(value.value, str)
    }
    for node in _in_loops(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn) and isinstance(node.comparators[0], ast.Name):
            if node.comparators[0].id in lists:
                yield node, "performance", _IN_LIST
        elif (
            isinstance(node, ast.AugAssign)
            and isinstance(node.op, ast.Add)
            and isinstance(node.target, ast.Name)
            and node.target.id in texts
        ):
            yield node, "performance", _TEXT
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp) and isinstance(node.value.op, ast.Add):
            left, target = node.value.left, node.targets[0]
            if isinstance(left, ast.Name) and isinstance(target, ast.Name) and left.id == target.id and left.id in lists | texts:
                yield node, "performance", _CONCAT if left.id in lists else _TEXT
        elif isinstance(node, ast.Call):
            yield from _slow_call(node)


def _slow_call(call: ast.Call) -> Iterator[tuple[ast.AST, str, Words]]:
    name = dotted(call.func)
    owner, _, method = name.rpartition(".")
    first = call.args[0] if call.args else None
    if (
        method in ("insert", "pop")
        and isinstance(first, ast.Constant)
        and first.value == 0
        and len(call.args) == (2 if method == "insert" else 1)
    ):
        yield call, "performance", _FIRST
    elif name == "re.compile" and isinstance(first, ast.Constant):
        yield call, "performance", _COMPILE
    elif (method in _QUERIES and owner.rpartition(".")[2] in _QUERY_OWNERS) or (method in ("get", "filter") and owner.endswith(".objects")):
        yield call, "performance", _QUERY


def _in_loops(tree: ast.Module) -> Iterator[ast.AST]:
    """Each node in the body of a loop, once. A function in a loop is no part of it."""
    stack: list[tuple[ast.AST, bool]] = [(tree, False)]
    while stack:
        node, inside = stack.pop()
        if inside:
            yield node
        is_new = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef)
        for child in ast.iter_child_nodes(node):
            in_body = isinstance(node, _LOOPS) and (child in node.body or (isinstance(node, ast.While) and child is node.test))
            stack.append((child, in_body or (inside and not is_new)))


def _values(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


def _bound(tree: ast.Module, kinds: tuple[type, ...], maker: str) -> set[str]:
    """The names that get a value of a kind, and never one of another."""
    right, other = set[str](), set[str]()
    for name, value in _values(tree):
        is_kind = isinstance(value, kinds) or (isinstance(value, ast.Call) and dotted(value.func) == maker)
        (right if is_kind else other).add(name)
    return right - other


def _wrong(tree: ast.Module) -> Iterator[tuple[ast.AST, str, Words]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None and not any(isinstance(one, ast.Raise) for one in ast.walk(node)):
            yield node, "style", _BARE
        elif isinstance(node, ast.arguments):
            for value in (*node.defaults, *filter(None, node.kw_defaults)):
                if isinstance(value, ast.List | ast.Dict | ast.Set) or (
                    isinstance(value, ast.Call) and dotted(value.func) in ("list", "dict", "set")
                ):
                    yield value, "style", _DEFAULT
        elif (
            isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq) and isinstance(node.comparators[0], ast.Constant)
        ) and node.comparators[0].value is None:
            yield node, "style", _NONE


def _unused(block: Block, tree: ast.Module) -> Iterator[tuple[ast.AST, str, Words]]:
    """Imports of a whole program that nothing uses. A file named __init__ imports for others."""
    defines = any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for node in tree.body)
    if not defines or block.file.endswith("__init__.py") or "__all__" in block.text or len(block.lines) > _MOST_USED:
        return
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    texts = " ".join(node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom) and not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            names = [(alias.asname or alias.name).split(".")[0] for alias in node.names]
            if any(name not in used and name not in texts and name != "*" and not name.startswith("_") for name in names):
                yield node, "style", _UNUSED
