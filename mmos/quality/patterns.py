"""Finds dangerous code in languages other than Python by the rules of patterns.toml, and follows what users give from name to name."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mmos.quality.answer import Block, Reading
from mmos.quality.finding import Finding, Severity

FILE = Path(__file__).with_name("patterns.toml")
WIDEST = 800
"""Of longer statements only the beginning is looked at."""
MOST_LINES = 5000
TOGETHER = 40
"""How many statements are searched at once."""
_ALIKE = {"typescript": "javascript", "tsx": "javascript", "cpp": "c", "console": "shell", "kotlin": "java", "scala": "java"}
"""Languages that also have the rules of another."""
_PUT = r"(?:\$\{[^}\n]{1,80}\}|#\{[^}\n]{1,80}\}|[\"'`]\s*(?:\+|\.(?=\s*\$)|\|\|)\s*(?:[a-z_$(][\w.$>\[(-]*|[A-Z]\w*[.(]\w*)|(?<=[\"'])\s*%\s*\w+|%[sv][^\n]{0,200}?[\"'`]\s*,\s*\w|\{\w*\}[^\"\n]{0,200}\"\s*,\s*\w|\{[a-z]\w*(?:\.\w+)*\})"
_NOTHING = r"(?!)"
_ASSIGN = {
    "php": r"(?P<name>\$\w+)\s*\.?=\s*(?P<value>[^;=].*)",
    "shell": r"(?P<name>\b\w+)=(?P<value>\S.*)",
    "": r"(?:\b(?:const|let|var|final|auto|val|String|string|char\s*\*?)\s+)?(?:\{\s*)?(?P<name>[A-Za-z_]\w*)(?:\s*,\s*\w+)*(?:\s*\})?(?:\s*:\s*[\w<>\[\]]+)?\s*(?::=|=(?![=>]))\s*(?P<value>.+)",
}
_JOINS = re.compile(r"(?:[+.(,&|=]|\|\||&&|\\)\s*$")
_CONTINUES = re.compile(r"\s*(?:[+.]|\|\||&&|\?)")
_CLEANED = re.compile(
    r"\b(?:parseInt|Number|parseFloat|Integer\.parseInt|Integer\.valueOf|Long\.parseLong|strconv\.\w+|intval|int\.Parse|\w*(?<![uU]n)[eE]scape\w*|\w*(?<![uU]n)[sS]aniti[sz]e\w*|basename|filepath\.Base|Path\.GetFileName|htmlspecialchars|UUID\.fromString|to_i|\(int\)|validate\w*|\w*[vV]alidator\w*|encodeURIComponent|DOMPurify)\b"
)


@dataclass(frozen=True)
class Rule:
    kind: str
    severity: Severity
    languages: tuple[str, ...]
    message: str
    cure: str
    pattern: str
    unless: re.Pattern[str] | None = None
    file_unless: re.Pattern[str] | None = None
    block_needs: re.Pattern[str] | None = None


@dataclass(frozen=True)
class Table:
    rules: tuple[Rule, ...]
    sources: Mapping[str, str]
    parameters: Mapping[str, str]


@cache
def _table() -> Table:
    read: dict[str, Any] = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return Table(tuple(_rule(row) for row in read["rule"]), read["sources"], read["parameters"])


def _rule(row: Mapping[str, Any]) -> Rule:
    extra = {name: re.compile(row[name].replace("<<PUT>>", _PUT)) for name in ("unless", "file_unless", "block_needs") if name in row}
    return Rule(
        row["kind"], row["severity"], tuple(row["languages"]), row["message"], row["cure"], row["pattern"].replace("<<PUT>>", _PUT), **extra
    )


@cache
def _rules_of(language: str) -> tuple[Rule, ...]:
    alike = _ALIKE.get(language, language)
    return tuple(rule for rule in _table().rules if language in rule.languages or alike in rule.languages)


def patterns(reading: Reading) -> Iterator[Finding]:
    for block in reading.blocks:
        if block.language == "python" or not (rules := _rules_of(block.language)):
            continue
        tainted = _tainted(block)
        statements = list(_statements(block))
        for rule in rules:
            if (rule.file_unless is None or not rule.file_unless.search(block.text)) and (
                rule.block_needs is None or rule.block_needs.search(block.text)
            ):
                yield from _found(block, rule, statements, re.compile(rule.pattern.replace("<<TAINTED>>", tainted), re.MULTILINE))


def _found(block: Block, rule: Rule, statements: list[tuple[int, str]], pattern: re.Pattern[str]) -> Iterator[Finding]:
    for start in range(0, len(statements), TOGETHER):
        some = statements[start : start + TOGETHER]
        if not pattern.search("\n".join(statement for _, statement in some)):
            continue  # one search is much cheaper than forty
        for line, statement in some:
            if pattern.search(statement) and not (rule.unless and rule.unless.search(statement)):
                yield Finding(rule.kind, rule.severity, block.at(line), rule.message, rule.cure, statement.strip()[:120])


def _statements(block: Block) -> Iterator[tuple[int, str]]:
    """Each statement with the line where it begins: lines that go on are joined."""
    begun, parts = 0, ""
    lines = block.lines[:MOST_LINES]
    for number, line in enumerate(lines, 1):
        text = line[:WIDEST]
        if _is_comment(text, block.language):
            continue
        parts = f"{parts} {text.strip()}" if parts else text
        begun = begun or number
        following = lines[number] if number < len(lines) else ""
        if len(parts) < WIDEST and ((_JOINS.search(text) and text.strip()) or _CONTINUES.match(following[:20])):
            continue
        yield begun, parts[:WIDEST]
        begun, parts = 0, ""
    if parts:
        yield begun, parts[:WIDEST]


def _is_comment(line: str, language: str) -> bool:
    start = line.lstrip()
    return (
        start.startswith(("//", "*", "/*"))
        or (start.startswith("#") and language in ("shell", "yaml", "dockerfile", "ruby", "console"))
        or (start.startswith("--") and language == "sql")
    )


def _tainted(block: Block) -> str:
    """A pattern for all that users give: the sources of the language, and the names that get something of them."""
    language = _ALIKE.get(block.language, block.language)
    source = _table().sources.get(language, _NOTHING)
    names = _given(block, language)
    if not names and not re.search(source, block.text[: WIDEST * MOST_LINES]):
        return f"(?:{source})"
    assign = re.compile(_ASSIGN.get(language, _ASSIGN[""]))
    for _ in range(2):
        pattern = _pattern(source, names)
        for line in block.lines[:MOST_LINES]:
            found = assign.search(line[:WIDEST]) if "=" in line else None
            if found and re.search(pattern, found["value"]) and not _CLEANED.search(found["value"]):
                names.add(found["name"])
    return _pattern(source, names)


def _pattern(source: str, names: set[str]) -> str:
    words = "|".join(re.escape(name) for name in sorted(names)[:50])
    return f"(?:{source}|(?<![\\w.$])(?:{words})\\b)" if words else f"(?:{source})"


def _given(block: Block, language: str) -> set[str]:
    parameters = _table().parameters.get(block.language) or _table().parameters.get(language)
    return {found["name"] for line in block.lines[:MOST_LINES] for found in re.finditer(parameters, line[:WIDEST])} if parameters else set()
