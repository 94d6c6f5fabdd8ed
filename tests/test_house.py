"""The laws of the house that no linter knows: size, first sentences, broad excepts, and what may be imported when."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "mmos").rglob("*.py"))
OURS = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "scripts").glob("*.py"))]
LONGEST_MODULE = 400
LONGEST_BODY = 40
MOST_ARGUMENTS = 6
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
"""The environment of a process that is not measured: a measured one imports more."""
HEAVY = {"aiohttp", "httpx", "jsonschema", "lancedb", "ollama", "pydantic", "rich", "structlog", "tenacity", "yaml"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> list[ast.AST]:
    return [*ast.walk(tree(path))]


def functions(path: Path) -> Iterator[Function]:
    return (node for node in nodes(path) if isinstance(node, Function))


def imports(path: Path) -> set[str]:
    names = {alias.name for node in nodes(path) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in nodes(path) if isinstance(node, ast.ImportFrom)}


def body_lines(function: Function) -> int:
    """The lines of a function's body, its docstring left out."""
    body = function.body[1:] if ast.get_docstring(function) and len(function.body) > 1 else function.body
    return (body[-1].end_lineno or body[-1].lineno) - body[0].lineno + 1


def broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(name is None or (isinstance(name, ast.Name) and name.id in ("Exception", "BaseException")) for name in caught)


def test_a_module_opens_with_one_sentence() -> None:
    openings = {name_of(path): (ast.get_docstring(tree(path)) or "").partition("\n\n")[0] for path in OURS}
    assert not {name: opening for name, opening in openings.items() if not opening.endswith((".", ":")) or len(opening) > 200}


def test_a_module_is_not_two_modules() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in OURS}
    assert not {name: length for name, length in lengths.items() if length > LONGEST_MODULE}


def test_a_function_fits_a_screen() -> None:
    lengths = {f"{name_of(path)}: {function.name}": body_lines(function) for path in OURS for function in functions(path)}
    assert not {name: length for name, length in lengths.items() if length > LONGEST_BODY}


def test_most_functions_are_short() -> None:
    lengths = sorted(body_lines(function) for path in MODULES for function in functions(path))
    assert lengths[len(lengths) * 9 // 10] <= 25
    assert lengths[len(lengths) // 2] < 20


def test_six_arguments_at_most_go_by_place() -> None:
    counts = {
        f"{name_of(path)}: {function.name}": len([arg for arg in function.args.args if arg.arg not in ("self", "cls")])
        for path in MODULES
        for function in functions(path)
    }
    assert not {name: count for name, count in counts.items() if count > MOST_ARGUMENTS}


def test_only_the_executor_catches_everything() -> None:
    found = [name_of(path) for path in MODULES for node in nodes(path) if isinstance(node, ast.ExceptHandler) and broad(node)]
    assert found == ["mmos/executor.py"]


def test_nothing_is_patched() -> None:
    assert not {
        name_of(path): names for path in OURS if (names := {name for name in imports(path) if name.startswith(("unittest", "mock"))})
    }


def test_the_rehearsal_may_import_no_room_but_the_words() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (forbidden,) = [set(contract["forbidden_modules"]) for contract in contracts if contract["id"] == "rehearsal"]
    rooms = {
        f"mmos.{path.relative_to(ROOT / 'mmos').parts[0].removesuffix('.py')}"
        for path in MODULES
        if path.parent != ROOT / "mmos" or path.stem[0] != "_"
    }
    assert rooms - forbidden == {"mmos.checking", "mmos.errors", "mmos.messages", "mmos.rehearsal"}


def test_every_module_is_typed_for_its_users() -> None:
    assert (ROOT / "mmos" / "py.typed").is_file()


# ---------------------------------------------------------------- what is imported when


def loaded_by(*arguments: str) -> set[str]:
    """The top-level packages that a new interpreter imports."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=PLAIN, timeout=60)
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if line.startswith("import time:")}


def test_importing_mmos_loads_nothing_heavy() -> None:
    loaded = loaded_by("-c", "import mmos")
    assert "mmos" in loaded
    assert not loaded & (HEAVY | {"asyncio", "click", "orjson", "sqlite3"})


def test_help_loads_nothing_heavy() -> None:
    loaded = loaded_by("-m", "mmos", "--help")
    assert "click" in loaded
    assert not loaded & (HEAVY | {"asyncio", "sqlite3"})


@pytest.mark.parametrize("command", ["run", "runs", "threads", "config"])
def test_help_of_a_command_loads_nothing_heavy(command: str) -> None:
    loaded = loaded_by("-m", "mmos", command, "--help")
    assert "click" in loaded
    assert not loaded & HEAVY


def test_importing_every_module_does_nothing(tmp_path: Path) -> None:
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in MODULES if path.name != "__main__.py"]
    program = f"import importlib, threading\nfor name in {names!r}: importlib.import_module(name)\nassert threading.active_count() == 1"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, cwd=tmp_path, env=PLAIN, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not list(tmp_path.iterdir())
