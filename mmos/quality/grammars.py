"""Parses languages by their tree-sitter grammars, which the extra `quality` brings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from mmos.quality.brackets import CLOSING, is_balanced, unclosed

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

TITLES = {
    "python": "Python",
    "json": "JSON",
    "yaml": "YAML",
    "toml": "TOML",
    "xml": "XML",
    "javascript": "JavaScript",
    "typescript": "TypeScript",
    "tsx": "TSX",
    "java": "Java",
    "csharp": "C#",
    "c": "C",
    "cpp": "C++",
    "go": "Go",
    "rust": "Rust",
    "ruby": "Ruby",
    "php": "PHP",
    "shell": "shell",
    "css": "CSS",
    "sql": "SQL",
}
"""How people write the languages that can be parsed."""

_GRAMMARS = {
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "java": ("tree_sitter_java", "language"),
    "csharp": ("tree_sitter_c_sharp", "language"),
    "c": ("tree_sitter_c", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
    "go": ("tree_sitter_go", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "ruby": ("tree_sitter_ruby", "language"),
    "php": ("tree_sitter_php", "language_php"),
    "shell": ("tree_sitter_bash", "language"),
}
_AROUND: dict[str, tuple[tuple[str, str], ...]] = {
    "java": (("class X {", "}"), ("class X { void f() {", "}}")),
    "csharp": (("class X {", "}"), ("class X { void f() {", "}}")),
    "javascript": (("class X {", "}"), ("x = {", "}"), ("(", ")")),
    "typescript": (("class X {", "}"), ("x = {", "}"), ("interface X {", "}")),
    "tsx": (("class X {", "}"), ("(", ")")),
    "c": (("void f(void) {", "}"),),
    "cpp": (("void f() {", "}"), ("class X {", "};")),
    "go": (("func f() {", "}"), ("type T struct {", "}")),
    "rust": (("fn f() {", "}"), ("impl X {", "}"), ("struct X {", "}")),
    "php": (("<?php ", ""), ("<?php class X {", "}"), ("<?php [", "];")),
}
"""What may be around an excerpt, in the order of trying."""
_ELIDED = re.compile(r"^[ \t]*(?:\.\.\.|…)[ \t]*$|(?<=[({\[,])[ \t]*(?:\.\.\.|…)[ \t]*(?=[)}\]])|<\.\.\.>", re.MULTILINE)
_PLACE_IN_SHELL = re.compile(r"<[A-Za-z@][\w:|.@/ -]{0,60}>|\[[-<\w|. ]+\]$", re.MULTILINE)
_PLACE = re.compile(r"<[A-Za-z][A-Za-z _-]*[ _-][A-Za-z _-]*>|\{\{.*?\}\}")
_OTHER_C = re.compile(
    r"^\s*(?:@(?:interface|protocol|implementation|class)\b|namespace\b|class \w|template\s*<|using )|\bstd::", re.MULTILINE
)
"""Files named *.h may be C++ or Objective-C."""
LONGEST, WIDEST = 60_000, 5_000
"""Longer texts, and those with longer lines, are not parsed: what a grammar does with a wrong one takes too long."""
DEEPEST = 200
"""So many open brackets are no code that people write: a model repeats itself. A grammar would take seconds."""
_EXCERPT, _LONG_EXCERPT = 120, 8_000
"""Lines and characters. Longer texts are no excerpts."""


def is_known(language: str) -> bool:
    """Whether there is a grammar of this language, installed or not."""
    return language in _GRAMMARS


def is_installed(language: str) -> bool:
    return find_spec("tree_sitter") is not None and find_spec(_GRAMMARS[language][0]) is not None


def fault(language: str, text: str) -> tuple[int, str, bool] | None:
    """The line of the first thing that the grammar does not allow, what it is, and whether the text only lacks its end."""
    if (
        language not in _GRAMMARS
        or len(text) > LONGEST
        or not is_installed(language)
        or max(map(len, text.splitlines()), default=0) > WIDEST
    ):
        return None
    open_ones = unclosed(text)
    if open_ones and len(open_ones) > DEEPEST:
        return len(text.splitlines()), f"{len(open_ones):,} brackets are never closed", True
    parser = _parser(language)
    source, first = _best_form(parser, language, text)
    if (
        first is None
        or (_PLACE_IN_SHELL if language == "shell" else _PLACE).search(text)
        or any(_first_fault(parser, f"{before}{source}\n{after}") is None for before, after in _around(language, source))
    ):
        return None
    if language == "c" and (_OTHER_C.search(source) or _first_fault(_parser("cpp"), source) is None):
        return None
    return None if _is_doubtful(language, source, first[0]) else first


def _best_form(parser: Parser, language: str, text: str) -> tuple[str, tuple[int, str, bool] | None]:
    """The text as it parses best, and its first fault: as it is, or without dots that stand for what is left out."""
    source = f"<?php {text}" if language == "php" and "<?" not in text else text
    first = _first_fault(parser, source)
    without = _ELIDED.sub("", source) if first is not None else source
    return (source, first) if without == source else (without, _first_fault(parser, without))


def _around(language: str, source: str) -> Iterator[tuple[str, str]]:
    if source.count("\n") < _EXCERPT and len(source) < _LONG_EXCERPT:
        yield from _AROUND.get(language, ())


@cache
def _parser(language: str) -> Parser:
    from tree_sitter import Language, Parser

    module, function = _GRAMMARS[language]
    return Parser(Language(getattr(import_module(module), function)()))


def _first_fault(parser: Parser, source: str) -> tuple[int, str, bool] | None:
    data = source.encode("utf-8", "replace")
    root = parser.parse(data).root_node
    if not root.has_error:
        return None
    node = _wrong(root)
    if node.is_missing:
        return node.start_point[0] + 1, f"{node.type!r} is missing", _only_lacks_its_end(parser, source)
    words = data[node.start_byte : node.end_byte].decode("utf-8", "replace").split("\n")[0].strip()[:40]
    return node.start_point[0] + 1, f"{words!r} does not fit here", _only_lacks_its_end(parser, source)


def _wrong(root: Node) -> Node:
    """The first node that is an error or missing. Goes down the tree without recursion."""
    node = root
    while True:
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inner is None or (node.is_error and inner.is_error is False and not inner.is_missing):
            return node if inner is None else inner if inner.is_missing else node
        node = inner


def _only_lacks_its_end(parser: Parser, source: str) -> bool:
    """Whether it parses with the brackets closed that are open at its end."""
    open_ones = unclosed(source)
    if not open_ones:
        return False
    closed = source + "".join(CLOSING[sign] for sign in reversed(open_ones))
    return any(not parser.parse(text.encode("utf-8", "replace")).root_node.has_error for text in (closed, f"{closed};"))


def _is_doubtful(language: str, source: str, line: int) -> bool:
    """Whether it may be right all the same: macros of C do not look like C before they are expanded."""
    if language not in ("c", "cpp"):
        return False
    lines = source.splitlines()
    near = "\n".join(lines[max(0, line - 4) : line + 3])
    has_macros = bool(re.search(r"^\s*#\s*(?:if|ifdef|ifndef|else|elif|define)|\b[A-Z][A-Z0-9_]{2,}\b|\b_[_A-Z]\w+", near, re.MULTILINE))
    return has_macros and (is_balanced(source) or "#" in source)
