"""Finds values in Python that are put into the text of an SQL statement or of a command."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from mmos.quality.answer import Block, Reading
from mmos.quality.finding import Finding, Severity
from mmos.quality.places import finding_in
from mmos.quality.python_flow import Scope, dotted, level_of, pieces, scopes_of, texts_of

_SQL = re.compile(
    r"\b(?:SELECT\b[\s\S]{1,300}?\bFROM|INSERT\s+(?:OR\s+\w+\s+)?INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|DROP\s+(?:TABLE|DATABASE|USER)|ALTER\s+TABLE|"
    r"TRUNCATE\s+TABLE|CREATE\s+(?:TABLE|USER|DATABASE)|REPLACE\s+INTO|MERGE\s+INTO)\b|^\s*(?:WHERE|AND|OR|ORDER BY)\s",
    re.IGNORECASE,
)
_SQL_NAMES = re.compile(r"^(?:\w*_)?(?:sql|query|stmt|statement|q|select|insert|update|delete|cmd|command|where)(?:_\w*)?$", re.IGNORECASE)
_RUNS_SQL = frozenset(("execute", "executemany", "executescript", "raw", "query", "read_sql", "read_sql_query", "text", "fetch", "fetchrow", "fetchval", "fetchall", "fetch_all", "fetch_one", "run", "sql", "exec_driver_sql", "scalar", "RawSQL", "extra", "execute_sql", "mogrify"))  # fmt: skip
_VALUE = re.compile(
    r"(?:=|<|>|\bLIKE\b|\bIN\s*\(|\bVALUES\s*\(|,|\bLIMIT\b|\bOFFSET\b|\bBETWEEN\b|\bAND\b)\s*[(%]*$|['\"%]$", re.IGNORECASE
)
_PLACEHOLDERS = re.compile(
    r"place_?holder|marks?$|^(?:ph|params?_?sql|binds?|sep|order|direction|limit|offset|n|i|count|col_defs|columns?|cols|fields?|fieldnames|keys|names|schema|where|clause|conditions?|table|table_name|tbl|db|quoted|qn|prefix|suffix)\w*$",
    re.IGNORECASE,
)
_SEARCHES = frozenset(("xpath", "search_s", "search_ext_s", "search_ext", "search_st", "find", "find_one", "aggregate"))
"""Queries in XPath, LDAP, and the JavaScript of MongoDB."""
_SHELLS = frozenset(("os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "commands.getoutput", "commands.getstatusoutput", "asyncio.create_subprocess_shell", "popen2.popen2"))  # fmt: skip
_PROCESSES = frozenset(f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output", "Popen"))
_SEVERITIES: tuple[Severity | None, ...] = (None, "warning", "error")


def python_injection(reading: Reading) -> Iterator[Finding]:
    for block in reading.blocks:
        if block.language == "python":
            for scope, nodes in scopes_of(block.text):
                for node in nodes:
                    if isinstance(node, ast.Call):
                        yield from _of_call(block, node, scope)
                    elif isinstance(node, ast.Assign):
                        yield from _of_assignment(block, node, scope)


def _of_call(block: Block, call: ast.Call, scope: Scope) -> Iterator[Finding]:
    name = dotted(call.func)
    last = name.rpartition(".")[2]
    first = (
        call.args[0]
        if call.args
        else next((word.value for word in call.keywords if word.arg in ("sql", "query", "args", "cmd", "file", "url")), None)
    )
    if first is None:
        return
    if last in _RUNS_SQL and (severity := _sql(first, scope)):
        yield finding_in(block, call.lineno, "injection", severity, _SQL_WORDS)
    if last in _SEARCHES and _mixes(call, scope):
        yield finding_in(block, call.lineno, "injection", "error", _SEARCH_WORDS)
    if severity := _command(name, call, first, scope):
        yield finding_in(block, call.lineno, "injection", severity, _COMMAND_WORDS)


def _mixes(call: ast.Call, scope: Scope) -> bool:
    """Whether one of its arguments is an expression of a query language with a value in it."""
    return any(
        level_of(one, scope) != "clean" and ("[" in before or "(" in before or "$" in before or "this." in before)
        for part in call.args
        for argument in (part.values if isinstance(part, ast.Dict) else [part])
        for before, one in pieces(argument, scope)
    )


_SEARCH_WORDS = (
    "A value is put into the text of a query: whoever gives the value can change the query.",
    "Pass it as a parameter, or escape it.",
)
_SQL_WORDS = (
    "A value is put into the text of an SQL statement: whoever gives the value can change the statement.",
    "Pass it as a parameter of the statement.",
)
_COMMAND_WORDS = (
    "A value is put into a command that a shell reads: whoever gives the value can run other commands.",
    "Give the arguments as a list, without a shell.",
)


def _of_assignment(block: Block, node: ast.Assign, scope: Scope) -> Iterator[Finding]:
    """SQL that is put together here and may be run elsewhere."""
    target = node.targets[0]
    is_named = isinstance(target, ast.Name) and _SQL_NAMES.match(target.id) is not None and not isinstance(node.value, ast.Name)
    if is_named and (severity := _sql(node.value, scope)):
        yield finding_in(block, node.lineno, "injection", severity, _SQL_WORDS)


def _sql(value: ast.expr, scope: Scope) -> Severity | None:
    if isinstance(value, ast.Name) and _given_checked(value, scope):
        return None
    worst = 0
    for before, inserted in pieces(value, scope):
        if _SQL.search(before) is None and _SQL.search(texts_of(value, scope)) is None:
            continue
        worst = max(worst, _weight(before, inserted, scope))
    return _SEVERITIES[worst]


def _given_checked(value: ast.Name, scope: Scope) -> bool:
    return scope.levels.get(value.id) == "parameter" and value.id not in scope.values


def _weight(before: str, inserted: ast.expr, scope: Scope) -> int:
    """How dangerous a value in a statement is: 2 where a value is expected, or if a user gave it; 1 if a caller names a table; else 0."""
    name = dotted(inserted).rpartition(".")[2]
    level = level_of(inserted, scope)
    if level == "outside":
        return 2
    if (
        isinstance(inserted, ast.Constant)
        or name.isupper()
        or (isinstance(inserted, ast.Call) and name in ("join", "len", "int", "quote", "repr"))
    ):
        return 0
    if level == "clean" and isinstance(inserted, ast.Name) and inserted.id in scope.values:
        return 0
    if _PLACEHOLDERS.search(name) and not re.search(r"=\s*['\"%]*$", before):
        names_a_table = re.search(r"\b(?:FROM|TABLE|INTO|BY|UPDATE)\s*$", before, re.IGNORECASE)
        return 1 if level == "parameter" and names_a_table and not scope.checks("allowed", "valid", "quote") else 0
    if _VALUE.search(before.rstrip(" ")):
        return 2
    return 1 if level == "parameter" and not scope.checks("allowed", "valid", "quote") else 0


def _command(name: str, call: ast.Call, first: ast.expr, scope: Scope) -> Severity | None:
    if name in _PROCESSES or name.rpartition(".")[2] in ("create_subprocess_exec", "Popen"):
        if isinstance(first, ast.List) and len(first.elts) > 2 and _is_shell(first):
            first = first.elts[2]
        elif not any(word.arg == "shell" and isinstance(word.value, ast.Constant) and word.value.value is True for word in call.keywords):
            return None
    elif name not in _SHELLS:
        return None
    inserted = [
        one for _, one in pieces(first, scope) if not isinstance(one, ast.Constant) and not dotted(one).rpartition(".")[2].isupper()
    ]
    levels = {level_of(one, scope) for one in inserted}
    if "parameter" in levels or "outside" in levels or level_of(first, scope) == "outside":
        return "error"
    if any(_is_unknown(one, scope) for one in inserted):
        return "warning"
    return "warning" if level_of(first, scope) == "parameter" and not isinstance(first, ast.List) else None


def _is_unknown(value: ast.expr, scope: Scope) -> bool:
    """Whether a name gets its value elsewhere."""
    return isinstance(value, ast.Name) and value.id not in scope.values


def _is_shell(command: ast.List) -> bool:
    words = [part.value for part in command.elts[:2] if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return (
        len(words) == 2
        and bool(re.search(r"(?:^|/)(?:ba|z|da)?sh$|cmd(?:\.exe)?$|powershell", words[0]))
        and words[1].lower() in ("-c", "/c", "-command")
    )
