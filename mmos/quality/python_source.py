"""Parses Python as answers show it: whole files, sessions of the interpreter, cells of notebooks, and excerpts."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from textwrap import dedent

from mmos.quality.brackets import CLOSING, unclosed

LONGEST = 120_000
"""Longer code is not parsed: it would take seconds."""
_WIDE = 1000
DEEPEST = 90
"""How many brackets may be open. Python itself refuses more than 200, and deep trees cost its parser the stack."""

_PROMPT = re.compile(r"^\s*(?:>>>|\.\.\.)(?: |$)|^In \[\d+\]: ")
_MAGIC = re.compile(r"^(\s*)(?:[%!]{1,2}[A-Za-z][\w-]*\b(?!\s*=).*|\?\w[\w.]*|\w[\w.]*\?{1,2})$")
_ELIDED = re.compile(r"^(\s*)(?:\.\.\.|…|\[\.\.\.\]|<\.\.\.>|# \.\.\.)(?:\s.*|\w.*)?$")
_IN_SIGNATURE = re.compile(r"\b(def \w+\()([^()]*?)(?:,\s*)?(?:\.\.\.|…)(?:,\s*)?([^()]*\))")
_ENTRIES = re.compile(r"^\s*(?:[\"'][\w .-]+[\"']\s*:|#|[\]}\)],?\s*$|[\"'{\[])")
_CONTINUES = re.compile(r"(?:elif\b.*|else\s*|except\b.*|finally\s*):")
_NEWER = re.compile(
    r"^\s*(?:type\s+\w+.*=|(?:async\s+)?def\s+\w+\[|class\s+\w+\[|except\s+[\w.]+(?:\s*,\s*(?:\w+\.)*[A-Z]\w*)+\s*:|.*\b[tT][rR]?[\"'])"
)
_NESTED = re.compile(r"\b[rR]?[fF][rR]?(\"|')(?:(?!\1).)*\{[^{}]*(?:\1[^{}]*\1|\\)[^{}]*\}|f\"\"\"|f'''")
"""An f-string that has the same quotes, or a backslash, in its expression: right since Python 3.12."""
_PYTHON_2 = re.compile(r"^\s*(?:print\s+[\"'\w]|except\s+[\w.]+\s*,\s*\w+\s*:|exec\s+[\"'\w]|raise\s+\w+\s*,)")


@dataclass(frozen=True)
class Fault:
    """Why a text is no Python."""

    line: int
    message: str
    quote: str
    at_end: bool = False
    """Whether the text only lacks its end."""


@dataclass(frozen=True)
class Parsed:
    """What came of a text: a tree, a fault, or neither where nobody can say."""

    tree: ast.Module | None = None
    fault: Fault | None = None


@lru_cache(maxsize=32)
def parsed(text: str) -> Parsed:
    """What comes of a text. Several checks ask for the same."""
    if len(text) > LONGEST or "\0" in text:
        return Parsed()
    source = dedent(text.replace("\ufeff", "").replace("\u00a0", " "))
    if depth_of(source) > DEEPEST:
        return Parsed()
    first = _tried(source)
    if isinstance(first, SyntaxError) and _PROMPT.match(source.lstrip()[:20]):
        source = _unprompted(source)
        first = _tried(source)
    if isinstance(first, SyntaxError):
        return _excerpt(source, first)
    return Parsed(tree=first)


def depth_of(text: str) -> int:
    """The most brackets, or signs before a value, that are open at once, strings not told apart: never too low."""
    depth = deepest = 0
    for run in re.findall(r"[(\[{]+|[)\]}]+", text):
        depth = depth + len(run) if run[0] in "([{" else max(0, depth - len(run))
        deepest = max(deepest, depth)
    chains = max((len(run) for run in re.findall(r"(?:[-+~]|\bnot |\blambda: ?|\bawait )+", text)), default=0)
    return max(deepest, chains // 2, _indents(text))


def _indents(text: str) -> int:
    return max((len(space) for space in re.findall(r"^[ \t]+", text, re.MULTILINE)), default=0) // 8


def _tried(source: str) -> ast.Module | SyntaxError | None:
    """The tree, or why there is none. None: the parser itself gave up."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError):
        return None


def _unprompted(text: str) -> str:
    """The code of a session of the interpreter, without what it printed. Lines keep their numbers."""
    lines = text.splitlines()
    return "\n".join(_PROMPT.sub("", line, count=1) if _PROMPT.match(line) else "" for line in lines)


def _excerpt(source: str, error: SyntaxError) -> Parsed:
    """The tree of a text that is no whole program but a clear excerpt of one, or the fault."""
    for change in _CHANGES:
        changed = change(source)
        if changed is not None and isinstance(tree := _tried(changed), ast.Module):
            return Parsed(tree=tree)
    lines = source.splitlines()
    line = min(max(error.lineno or 1, 1), max(1, len(lines)))
    quote = lines[line - 1] if lines else ""
    if _is_newer(lines, line):
        return Parsed()
    return Parsed(fault=Fault(line, _message(error, quote), quote.strip()[:120], _is_cut(source, error)))


def is_doubtful(text: str) -> bool:
    """Whether a text that only looks like Python may be something else, such as pseudo-code or a template."""
    return len(text.splitlines()) < 3 or "{%" in text or "{{" in text


def _is_newer(lines: list[str], line: int) -> bool:
    around = [text[:_WIDE] for text in lines[max(0, line - 2) : line + 1]]
    return any(_NEWER.match(text) or _NESTED.search(text) for text in around)


def _message(error: SyntaxError, quote: str) -> str:
    if _PYTHON_2.match(quote):
        return "This is Python 2, which Python 3 does not read"
    return str(error.msg).split(" (<unknown>")[0]


def _is_cut(source: str, error: SyntaxError) -> bool:
    """Whether the parser came to the end of the text and wanted more."""
    last = len(source.rstrip().splitlines())
    message = str(error.msg)
    if "was never closed" in message or "unterminated triple-quoted" in message or "unexpected EOF" in message:
        return _only_lacks_its_end(source)
    return (error.lineno or 0) >= last and (
        "expected an indented block" in message or "unterminated string" in message or "expected '" in message
    )


def _only_lacks_its_end(source: str) -> bool:
    """Whether it parses with the brackets and texts closed that are open at its end."""
    closers = "".join(CLOSING[sign] for sign in reversed(unclosed(source) or []))
    return any(isinstance(_tried(source.rstrip() + end), ast.Module) for end in (closers, f": pass{closers}", '"""', "'''") if end)


def _magics(source: str) -> str | None:
    lines = [_MAGIC.sub(r"\1pass", line) for line in source.splitlines()]
    return _changed(source, lines)


def _elisions(source: str) -> str | None:
    lines = [_ELIDED.sub(r"\1...", line) for line in source.splitlines()]
    return _changed(source, [_IN_SIGNATURE.sub(r"\1\2)", line) if "..." in line or "…" in line else line for line in lines])


def _changed(source: str, lines: list[str]) -> str | None:
    text = "\n".join(lines)
    return text if text.rstrip("\n") != source.rstrip("\n") else None


def _both(source: str) -> str | None:
    return _elisions(_magics(source) or source)


def _signatures(source: str) -> str | None:
    """Code that shows only the first lines of functions, classes or blocks, each with nothing inside."""
    lines = [line for line in source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines or not all(re.match(r"\s*(?:(?:async )?def \w+\(.*\)(?: ?-> ?.+)?:?|class \w+.*:|@\w.*)$", line) for line in lines):
        return None
    return "\n".join(
        f"{line.rstrip().rstrip(':')}: ..." if not line.lstrip().startswith("@") else line for line in source.splitlines() if line.strip()
    )


def _beginnings(source: str) -> str | None:
    """Code that goes on with the branch of a statement whose beginning is elsewhere."""
    first = next((line.strip() for line in source.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
    if not _CONTINUES.match(first):
        return None
    return f"{'try' if first.startswith(('except', 'finally')) else 'if x'}: pass\n{source}"


def _entries(source: str) -> str | None:
    """Code that shows entries of a list or of a dictionary, without its brackets."""
    lines = [line for line in source.splitlines() if line.strip()]
    if not lines or not _ENTRIES.match(lines[0]) or not lines[0].rstrip().endswith((",", "{", "[")):
        return None
    return f"{{{source}\n}}"


def _indented(source: str) -> str | None:
    """Code whose first line was pasted without its indentation."""
    lines = source.splitlines()
    rest = [line for line in lines[1:] if line.strip()]
    if not rest or lines[0][:1].isspace() or lines[0].rstrip().endswith((":", ",", "(", "[", "{")):
        return None
    least = min(len(line) - len(line.lstrip()) for line in rest)
    return "\n".join([lines[0], *(line[least:] for line in lines[1:])]) if least >= 4 else None


_CHANGES: tuple[Callable[[str], str | None], ...] = (_magics, _elisions, _both, _signatures, _beginnings, _entries, _indented)
