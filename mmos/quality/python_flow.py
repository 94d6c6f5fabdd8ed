"""Follows values through Python code: what a name was given, what of it comes from outside, and how texts are put together."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from mmos.quality import python_source

Function = ast.FunctionDef | ast.AsyncFunctionDef
Level = Literal["clean", "parameter", "outside"]
"""How far a value is known: nothing of it comes from outside, a caller gave it, or a user did."""

_REQUEST = re.compile(
    r"(?:^|\.)(?:request|req)\.(?:args|form|values|json|data|files|cookies|headers|GET|POST|body|query_params|path_params|query|params|get_json|get_data|FILES|match_info|COOKIES|"
    r"META|rel_url|QUERY_STRING|query_string|url|path|full_path)\b|^sys\.argv\b|^self\.(?:rfile|get_argument|get_query_argument)\b|(?:^|\.)QUERY_STRING\b"
)
_FROM_USERS = frozenset(("input", "raw_input", "recv", "recvfrom", "receive_text", "receive_json", "receive_bytes", "get_argument", "get_query_argument", "get_body_argument", "FieldStorage", "parse_qs", "parse_qsl", "parse_args", "namelist", "getnames"))  # fmt: skip
_CLEANED = frozenset(("int", "float", "bool", "len", "quote", "escape", "secure_filename", "basename", "UUID", "uuid4", "isinstance", "hash", "ord", "round", "abs", "min", "max", "sum", "sha256", "hexdigest", "safe_join", "literal_eval", "escape_string", "quote_plus", "urlencode", "Identifier", "Literal", "bindparam", "quote_ident", "quote_name", "sqlescape", "clean", "sanitize", "escape_filter_chars", "join_quoted", "mogrify", "adapt", "conditional_escape", "format_html", "enumerate", "range", "id", "type", "repr_sql", "safe_load", "abspath_checked", "validate", "sanitize_filename", "slugify"))  # fmt: skip
"""What these give is no longer dangerous."""
_CLEANS = re.compile(
    r"(?:^|_)(?:escape|escaped|quote|quoted|sanitize|sanitized|validate|validated|safe|clean|encode_identifier)(?:_|$)", re.IGNORECASE
)
_ROUTES = frozenset(("route", "get", "post", "put", "delete", "patch", "websocket", "api_view", "view_config"))  # fmt: skip
DEPTH = 3
"""From name to name, so far."""
MOST = 20
"""More values of one name are not kept."""
_PLACE = re.compile(r"%(?:\(\w+\))?[-#0 +]*\d*(?:\.\d+)?[srdifx]|\{[^{}]*\}")


@dataclass
class Scope:
    """A function, or the module, and what its names were given."""

    node: Function | ast.Module
    values: dict[str, list[ast.expr]] = field(default_factory=dict)
    levels: dict[str, Level] = field(default_factory=dict)
    text: str = ""
    """The names that are used in it, to look for checks."""

    @property
    def name(self) -> str:
        return "" if isinstance(self.node, ast.Module) else self.node.name

    def checks(self, *words: str) -> bool:
        """Whether one of its names speaks of a check."""
        return any(word in self.text.lower() for word in words)


@lru_cache(maxsize=16)
def scopes_of(code: str) -> tuple[tuple[Scope, tuple[ast.AST, ...]], ...]:
    """Each scope with the nodes that stand in it."""
    tree = python_source.parsed(code).tree
    if tree is None:
        return ()
    found = []
    for owner, nodes in _owned(tree):
        scope = Scope(owner)
        _begin(scope)
        for _ in range(2):  # a loop may use what a later line gives
            for node in nodes:
                _bind(node, scope)
        scope.text = " ".join({word for node in nodes for word in _words(node)})
        found.append((scope, tuple(nodes)))
    return tuple(found)


def _owned(tree: ast.Module) -> list[tuple[Function | ast.Module, list[ast.AST]]]:
    """The nodes of the tree by the function that they stand in, in the order of the text. Takes no stack."""
    groups: dict[Function | ast.Module, list[ast.AST]] = {tree: []}
    stack: list[tuple[ast.AST, Function | ast.Module]] = [(tree, tree)]
    while stack:
        node, owner = stack.pop()
        groups[owner].append(node)
        if isinstance(node, Function):
            owner = node
            groups[owner] = []
        stack += [(child, owner) for child in reversed(list(ast.iter_child_nodes(node)))]
    return list(groups.items())


def _words(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Constant) and node.value in ("..", "../", "/"):
        yield str(node.value)


def _begin(scope: Scope) -> None:
    if isinstance(scope.node, ast.Module):
        return
    given = scope.node.args
    arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    is_route = any(dotted(call_of(one)).rpartition(".")[2] in _ROUTES for one in scope.node.decorator_list)
    is_view = bool(arguments) and arguments[0].arg == "request"
    for argument in arguments:
        if argument.arg not in ("self", "cls", "request", "req"):
            scope.levels[argument.arg] = "outside" if (is_route or is_view) and not _is_number(argument) else "parameter"


def _is_number(argument: ast.arg) -> bool:
    return isinstance(argument.annotation, ast.Name) and argument.annotation.id in (
        "int",
        "float",
        "bool",
        "UUID",
        "date",
        "datetime",
        "Session",
    )


def call_of(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _bind(node: ast.AST, scope: Scope) -> None:
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.NamedExpr) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        pairs: list[tuple[ast.expr, ast.expr]] = [(target, node.value) for target in targets]
    elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
        pairs = [(node.target, node.iter)]
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        pairs = [(node.optional_vars, node.context_expr)]
    else:
        return
    for target, value in pairs:
        level = level_of(value, scope)
        for name in (part.id for part in ast.walk(target) if isinstance(part, ast.Name)):
            values = scope.values.setdefault(name, [])
            if len(values) < MOST and value not in values:
                values.append(value)
            if level != "clean":
                scope.levels[name] = "outside" if "outside" in (level, scope.levels.get(name)) else "parameter"
            elif len(values) == 1 and name not in scope.levels:
                scope.levels[name] = "clean"


def level_of(value: ast.AST, scope: Scope) -> Level:
    """The most that is in an expression, without what is made clean."""
    worst: Level = "clean"
    stack: list[ast.AST] = [value]
    while stack:
        node = stack.pop()
        level = _own_level(node, scope)
        if level == "outside":
            return level
        if level == "parameter":
            worst = level
        if not _is_cleaned(node):
            stack += ast.iter_child_nodes(node)
    return worst


def _own_level(node: ast.AST, scope: Scope) -> Level:
    if isinstance(node, ast.Name):
        return scope.levels.get(node.id, "clean")
    if isinstance(node, ast.Attribute) and (
        _REQUEST.search(name := dotted(node)) or (name == "self.path" and scope.name.startswith("do_"))
    ):
        return "outside"
    if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in _FROM_USERS:
        return "outside"
    return "clean"


def _is_cleaned(node: ast.AST) -> bool:
    if isinstance(node, ast.Compare | ast.Lambda):
        return True
    if not isinstance(node, ast.Call):
        return False
    name = dotted(node.func).rpartition(".")[2]
    return name in _CLEANED or bool(_CLEANS.search(name))


def dotted(node: ast.AST) -> str:
    """The names of a chain: `os.path.join`. Calls and indexes in it are left out; empty if it begins with something else."""
    names: list[str] = []
    while True:
        if isinstance(node, ast.Attribute):
            names.append(node.attr)
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Name):
            return ".".join(reversed([*names, node.id]))
        else:
            return ".".join(reversed([*names, ""])) if names else ""


def pieces(value: ast.expr, scope: Scope, depth: int = DEPTH) -> list[tuple[str, ast.expr]]:
    """What is put into a text: each inserted expression, with the text before it. Empty: nothing is."""
    if isinstance(value, ast.Name) and depth:
        given = scope.values.get(value.id, [])[: 8 if depth == DEPTH else 2]
        return [piece for one in given for piece in pieces(one, scope, depth - 1)]
    if isinstance(value, ast.JoinedStr):
        return _of_f_string(value)
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        return _of_sum(value, scope, depth)
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mod) and _is_text(value.left):
        inserted = value.right.elts if isinstance(value.right, ast.Tuple) else [value.right]
        return _of_template(_constant(value.left), inserted)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        if value.func.attr == "format" and _is_text(value.func.value):
            return _of_template(_constant(value.func.value), [*value.args, *(word.value for word in value.keywords)])
        if value.func.attr in ("strip", "encode", "lower", "upper", "dedent", "replace", "format") and depth:
            return pieces(value.func.value, scope, depth - 1)
    if isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] in ("text", "dedent", "str") and value.args and depth:
        return pieces(value.args[0], scope, depth - 1)
    return []


def _is_text(node: ast.expr) -> bool:
    return (isinstance(node, ast.Constant) and isinstance(node.value, str)) or isinstance(node, ast.JoinedStr)


def _constant(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _of_f_string(value: ast.JoinedStr) -> list[tuple[str, ast.expr]]:
    before, found = "", []
    for part in value.values:
        if isinstance(part, ast.FormattedValue):
            found.append((before, part.value))
            before += "\0"
        else:
            before += _constant(part)
    return found


def _of_sum(value: ast.BinOp, scope: Scope, depth: int) -> list[tuple[str, ast.expr]]:
    parts: list[ast.expr] = []
    node: ast.expr = value
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts.append(node.right)
        node = node.left
    parts.append(node)
    before, found = "", []
    for part in reversed(parts):
        if isinstance(part, ast.JoinedStr):
            found += [(before + text, inner) for text, inner in _of_f_string(part)]
        elif not _is_text(part):
            inner_pieces = pieces(part, scope, depth - 1) if depth else []
            found += inner_pieces or [(before, part)]
        before += _constant(part) or "\0"
    return found if any(_is_text(part) for part in parts) or any(before for before, _ in found) else []


def _of_template(template: str, inserted: list[ast.expr]) -> list[tuple[str, ast.expr]]:
    places = list(_PLACE.finditer(template))
    befores = [template[: place.start()] for place in places] or [template]
    return [(befores[min(index, len(befores) - 1)], expression) for index, expression in enumerate(inserted)]


def texts_of(value: ast.expr, scope: Scope) -> str:
    """The constant text in an expression, and in what its name was given."""
    nodes = [value, *(scope.values.get(value.id, [])[:6] if isinstance(value, ast.Name) else [])]
    return " ".join(
        part.value for node in nodes for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )
