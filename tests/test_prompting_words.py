"""Words that models read are in `prompts/`, and not in the code, as far as the code shows where a text goes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "mmos"
TO_MODELS = {
    "Message": 1,
    "Spec": 1,
    "Participant": 2,
    "ToolError": 0,
    "ToolDenied": 0,
    "ToolFailed": 0,
    "ToolTimeout": 0,
    "UnknownTool": 0,
    "InvalidArguments": 0,
    "UserAnswer": 0,
}
"""What makes a text that a model reads, and which argument is the text."""
ELSEWHERE = {
    "doctor": "questions that try a host out",
    "calls/channels.py": "sets results apart: a part of the defences",
    "views/forking.py": "sets results apart: a part of the defences",
    "context.py": "tells the author of a tool of a wrong use",
    "toolbox.py": "tells the author of a tool what its function does not take or give",
}
"""Where texts stay in the code, and why. docs/prompts.md says so, too."""
WORDLESS = ("conversing/guards.py", "conversing/health.py", "participant/summarising.py")
"""Modules that make texts for models step by step, so that no single call shows where a text goes. They have no words at all, but for people."""
TO_PEOPLE = ("warn", "NoAnswer")


def words_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            place = TO_MODELS.get(name, 99)
            if len(node.args) > place and _is_prose(node.args[place]):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)[:100]}"


def _is_prose(node: ast.expr) -> bool:
    """Whether an expression is a text of more than one word, written here."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return any(isinstance(part, ast.Constant) and isinstance(part.value, str) and " " in part.value.strip() for part in parts)


def any_words(code: str) -> list[str]:
    """The texts of a module with several words or a capital. Docstrings, regular expressions and texts for people do not count."""
    tree = ast.parse(code)
    apart: list[ast.AST] = [node for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    calls = [(node, ast.unparse(node.func)) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    apart += [node for node, called in calls if called.startswith("re.") or called.rpartition(".")[2] in TO_PEOPLE]
    left_out = {id(part) for node in apart for part in ast.walk(node)}
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in left_out]
    return [text for text in texts if isinstance(text, str) and re.search(r"\w\W* \W*\w|\b[A-Z][a-z]|[a-z]{3} ", text)]


def test_no_words_for_models_are_in_the_code() -> None:
    places = [path for path in ROOT.rglob("*.py") if not any(str(path.relative_to(ROOT)).startswith(one) for one in ELSEWHERE)]
    assert [found for path in places for found in words_in(path)] == []


def test_the_exceptions_are_needed() -> None:
    for one in ELSEWHERE:
        paths = [ROOT / one] if one.endswith(".py") else [*(ROOT / one).rglob("*.py")]
        assert any(True for path in paths for _ in words_in(path)), one


@pytest.mark.parametrize("module", WORDLESS)
def test_a_module_without_words_has_none(module: str) -> None:
    assert any_words((ROOT / module).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "line",
    [
        'yield who, f"{one} and {other} agree"',
        'reason = "Nobody is here."',
        'names = {"user": "Asked"}',
        'record(Found(f"Called: {call}"))',
        'return f"the {name}"',
    ],
)
def test_words_are_seen_wherever_they_are_in_a_module(line: str) -> None:
    assert any_words(f'def told():\n    """Two words."""\n    {line}')
