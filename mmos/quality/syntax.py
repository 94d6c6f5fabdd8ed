"""Finds code that does not parse: Python, JSON, YAML and TOML by their parsers, other languages by their grammars."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator

from mmos.quality import grammars, python_source, yaml_keys
from mmos.quality.answer import Block, Reading
from mmos.quality.brackets import unclosed
from mmos.quality.finding import Finding, Severity

LONGEST, WIDEST = 400_000, 20_000
_ELIDED = re.compile(r"^\s*(?:(?:#|//)?\s*\.\.\.|…)|\.\.\.\s*[,}\]]?\s*$|[\[{,:]\s*(?:\.\.\.|…)", re.MULTILINE)
_TEMPLATE = re.compile(r"\{\{|\{%|\$\{|<[A-Za-z][\w -]*>|<%")
_TEMPLATE_OF_XML = re.compile(r"\{\{|\{%|\$\{|<%")
_COMMENT = re.compile(r"^\s*(?://|/\*|#)", re.MULTILINE)
_LINE_OF_YAML = re.compile(r"line (\d+)")

Fault = tuple[int, str, bool]
"""The line, counted from 1, what is wrong, and whether the text only lacks its end."""


def syntax(reading: Reading) -> Iterator[Finding]:
    for block in reading.blocks:
        if block.text.strip() and len(block.text) <= LONGEST:
            yield from _of_block(block, block is reading.blocks[-1])


def _of_block(block: Block, is_last: bool) -> Iterator[Finding]:
    fault = _fault(block)
    if fault is None:
        return
    line, message, is_cut = fault
    severity: Severity = "error"
    if block.guessed and block.language not in ("python", "json") and not is_cut:
        severity = "warning"
    quote = block.lines[line - 1].strip()[:120] if 0 < line <= len(block.lines) else ""
    name = grammars.TITLES.get(block.language, block.language)
    if is_cut and is_last:
        yield Finding(
            "truncated", severity, block.at(line), f"The {name} code ends in the middle: {message}.", "Give the code whole.", quote
        )
    else:
        yield Finding("syntax", severity, block.at(line), f"This is no {name} that parses: {message}.", "Correct the code.", quote)


def _fault(block: Block) -> Fault | None:
    if block.language == "python":
        return _python(block)
    if parser := _PARSERS.get(block.language):
        return None if _is_shown_in_part(block) or _is_extreme(block) else parser(block.text)
    return grammars.fault(block.language, block.text)


def _python(block: Block) -> Fault | None:
    fault = python_source.parsed(block.text).fault
    if fault is None or (block.guessed and python_source.is_doubtful(block.text)):
        return None
    return fault.line, fault.message, fault.at_end


def _is_extreme(block: Block) -> bool:
    """Whether a parser may take minutes: nothing that people write has such lines or such depth."""
    return block.language in ("yaml", "toml") and (
        max(map(len, block.lines)) > WIDEST or python_source.depth_of(block.text) > python_source.DEEPEST
    )


def _is_shown_in_part(block: Block) -> bool:
    template = _TEMPLATE_OF_XML if block.language == "xml" else _TEMPLATE
    return bool(template.search(block.text) or _ELIDED.search(block.text))


def _json(text: str) -> Fault | None:
    if _COMMENT.search(text) or _are_lines(text) or _are_values(text):
        return None
    fault = _not_json(text)
    if fault is None or (re.match(r'\s*"[^"\n]*"\s*:', text) and _not_json(f"{{{text.rstrip().rstrip(',')}}}") is None):
        return None
    return fault


def _not_json(text: str) -> Fault | None:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        is_cut = error.pos >= len(text.rstrip()) or (error.msg.startswith("Unterminated string") and "\n" not in text[error.pos :].rstrip())
        return error.lineno, error.msg, is_cut
    except (RecursionError, ValueError):
        return None
    return None


def _are_lines(text: str) -> bool:
    """Whether it is a value in each line, or several values one after the other."""
    lines = [line for line in text.splitlines() if line.strip()]
    return len(lines) > 1 and all(line.lstrip()[0] in '{["' and _not_json(line) is None for line in lines[:50])


def _are_values(text: str) -> bool:
    """Whether several whole values follow each other."""
    decoder, place, count = json.JSONDecoder(), 0, 0
    text = text.strip()
    try:
        while place < len(text) and count < 50:
            _, end = decoder.raw_decode(text, place)
            place = end + len(text[end:]) - len(text[end:].lstrip())
            count += 1
    except (RecursionError, ValueError):
        return False
    return count > 1 and place >= len(text)


def _yaml(text: str) -> Fault | None:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml_keys.twice(yaml.parse(text, Loader=loader), text.splitlines())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        return line, " ".join(filter(None, (error.context, error.problem))), _at_end(text, line) and "end of stream" in str(error)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None


def _at_end(text: str, line: int) -> bool:
    return line >= len(text.rstrip().splitlines())


def _toml(text: str) -> Fault | None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        found = _LINE_OF_YAML.search(message)
        line = int(found[1]) if found else len(text.rstrip().splitlines())
        is_cut = message.endswith("(at end of document)") and not message.startswith("Cannot")
        return line, message.split(" (at ")[0], is_cut
    except (RecursionError, ValueError):
        return None
    return None


def _xml(text: str) -> Fault | None:
    from xml.parsers import expat

    parser = expat.ParserCreate()
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        message = expat.ErrorString(error.code) or ""
        if message in ("junk after document element", "unbound prefix", "undefined entity"):
            return None
        return error.lineno, message, message == "no element found"
    except ValueError:
        return None
    return None


def _css(text: str) -> Fault | None:
    plain = re.sub(r"url\([^)\n]*\)|(?m:^\s*//.*$)", "", text)
    open_ones = unclosed(plain)
    if open_ones == [] or ("{" not in plain and ":" in plain):
        return None
    last = len(text.rstrip().splitlines())
    return (last, "a bracket is never closed", True) if open_ones else (last, "a bracket is closed that was not open", False)


_SQL_WRONG = re.compile(
    r"\bSELECT\s+FROM\b|,\s*FROM\b|\bWHERE\s*(?:;|$|GROUP\b|ORDER\b|LIMIT\b)|\bFORM\s+\w+\s+WHERE\b|\bSELCT\b|\bINSERT\s+(?!INTO\b|OR\b|IGNORE\b|OVERWRITE\b|ON\b|ALL\b|BEFORE\b|AFTER\b)\w+\s+VALUES\b|"
    r"\bORDER\s+(?!BY\b|SIBLINGS\b)\w+\s*(?:;|$)|\bGROUP\s+(?!BY\b|_)\w+\s*;|\bDELETE\s+\*\s+FROM\b|\bUPDATE\s+\w+\s+WHERE\b|\bAND\s*(?:;|\))|,\s*\)\s*(?:;|$)|\bCREATE\s+TABEL\b",
    re.IGNORECASE,
)


def _sql(text: str) -> Fault | None:
    plain = re.sub(r"--[^\n]*|'(?:[^']|'')*'|\"[^\"]*\"|/\*[\s\S]*?\*/", lambda found: "x" + "\n" * found[0].count("\n"), text)
    if found := _SQL_WRONG.search(plain):
        return plain.count("\n", 0, found.start()) + 1, f"{' '.join(found[0].split())!r} does not fit here", False
    if plain.count("(") != plain.count(")"):
        return len(text.rstrip().splitlines()), "the brackets do not match", plain.count("(") > plain.count(")")
    return None


_PARSERS: dict[str, Callable[[str], Fault | None]] = {"json": _json, "yaml": _yaml, "toml": _toml, "xml": _xml, "css": _css, "sql": _sql}
