"""Finds names from outside in Python that become paths."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from mmos.quality.answer import Reading
from mmos.quality.finding import Finding, Severity
from mmos.quality.places import finding_in
from mmos.quality.python_flow import Scope, dotted, level_of, scopes_of

_FILES = frozenset(("open", "io.open", "codecs.open", "aiofiles.open", "os.remove", "os.unlink", "os.rmdir", "os.listdir", "shutil.rmtree", "shutil.copy", "shutil.move", "send_file", "flask.send_file", "FileResponse", "os.makedirs"))  # fmt: skip
_METHODS = ("read_text", "read_bytes", "write_text", "write_bytes", "open", "unlink")
"""Methods of a path that reach a file."""
_GUARDS = re.compile(
    r"\b(?:realpath|resolve|commonpath|commonprefix|is_relative_to|relative_to|secure_filename|basename|safe_join|normpath|abspath|startswith|isalnum|fullmatch)\b|\.\."
)
_FILE_NAMES = re.compile(
    r"^(?:user_?\w*|file_?name|filename|fname|file|name|path|file_?path|rel_?path|relative_path|template(?:_name)?|page|document|doc|upload\w*|requested\w*|key|image|attachment|report\w*|log_?file|archive\w*|entry\w*|member|target|\w+_(?:name|file|path))$",
    re.IGNORECASE,
)

_WORDS = (
    "A name from outside becomes a path: with `..` it reaches other folders.",
    "Resolve the path, and check that it is inside the folder.",
)


def python_paths(reading: Reading) -> Iterator[Finding]:
    for block in reading.blocks:
        if block.language == "python":
            for scope, nodes in scopes_of(block.text):
                for call in nodes:
                    if isinstance(call, ast.Call) and (severity := _of_call(call, scope)):
                        yield finding_in(block, call.lineno, "path_traversal", severity, _WORDS)


def _of_call(call: ast.Call, scope: Scope) -> Severity | None:
    name = dotted(call.func)
    if name in _FILES:
        first = call.args[0] if call.args else next((word.value for word in call.keywords if word.arg in ("file", "path")), None)
        return _path(first, scope) if first is not None else None
    if name.endswith(".save") and len(call.args) == 1 and _joined(call.args[0], scope):
        return _path(call.args[0], scope)
    if isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
        return _path(call.func.value, scope)
    return None


def _path(value: ast.expr, scope: Scope) -> Severity | None:
    if _GUARDS.search(scope.text):
        return None
    if level_of(value, scope) == "outside":
        return None if _is_argv(value, scope) else "error"
    parts = _joined(value, scope)
    if not parts or level_of(parts[-1], scope) != "parameter":
        return None
    is_name = any(isinstance(node, ast.Name) and _FILE_NAMES.match(node.id) for node in ast.walk(parts[-1]))
    return "warning" if is_name and _is_fixed(parts[0]) else None


def _is_argv(value: ast.expr, scope: Scope) -> bool:
    """Whether it comes from the command line, whose user may read all files anyway."""
    nodes = [value, *(given for node in ast.walk(value) if isinstance(node, ast.Name) for given in scope.values.get(node.id, []))]
    words = {dotted(node) for one in nodes for node in ast.walk(one)}
    words |= {dotted(node) for word in words for given in scope.values.get(word.split(".")[0], []) for node in ast.walk(given)}
    return any(word.endswith(("sys.argv", "parse_args", "argv")) for word in words)


def _joined(value: ast.expr, scope: Scope, depth: int = 6) -> list[ast.expr]:
    """The parts of a path that is put together: by a join, by `/`, or as a text."""
    if not depth:
        return []
    if isinstance(value, ast.Name):
        given = scope.values.get(value.id, [])
        return _joined(given[-1], scope, depth - 1) if len(given) == 1 and not isinstance(given[0], ast.Name) else []
    if isinstance(value, ast.Call) and dotted(value.func) in ("os.path.join", "join", "path.join", "Path", "pathlib.Path"):
        return list(value.args) if len(value.args) > 1 else _joined(value.args[0], scope, depth - 1) if value.args else []
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Div | ast.Add):
        return [*(_joined(value.left, scope, depth - 1) or [value.left]), value.right]
    if isinstance(value, ast.JoinedStr) and len(value.values) > 1:
        return [part.value if isinstance(part, ast.FormattedValue) else part for part in value.values if not _is_suffix(part)]
    return []


def _is_suffix(part: ast.expr) -> bool:
    return isinstance(part, ast.Constant) and isinstance(part.value, str) and (part.value.startswith(".") or part.value == "/")


def _is_fixed(part: ast.expr) -> bool:
    """Whether a path begins with a folder that the program itself names."""
    if isinstance(part, ast.Constant):
        return isinstance(part.value, str) and "/" in part.value
    name = dotted(part).rpartition(".")[2]
    if isinstance(part, ast.Call) and part.args:
        return _is_fixed(part.args[0])
    return bool(name) and (
        name.isupper()
        or bool(re.match(r"(?:base|root|upload|data|static|media|public|storage)s?_?(?:dir|path|folder|root|directory)?$", name))
    )
