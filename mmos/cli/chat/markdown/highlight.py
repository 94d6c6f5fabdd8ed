"""Highlights code line by line: comments, strings, numbers and keywords, with state for constructs that span lines."""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass
from functools import cache

from mmos.cli.chat.markdown.styles import BOLD, CYAN, DIM, GREEN, MAGENTA, RED, Span

_PYTHON = """and as assert async await break case class continue def del elif else except finally for from global if import in is lambda match
nonlocal not or pass raise return try while with yield None True False self begin do done elsif end ensure esac fi function local module
require rescue then unless until echo export set unset source end require include extend FROM RUN COPY WORKDIR ENV CMD ENTRYPOINT EXPOSE"""

_BRACES = """abstract as async await auto bool boolean break byte case catch chan char class const constexpr continue crate debugger default defer
delete do double else enum export extends false final finally float fn for foreach from fun func function go goto if impl implements import in
instanceof int interface internal is let long loop map match mod move mut namespace new nil null nullptr of operator override package private
protected pub public range readonly ref return select self short sizeof static str string struct super switch template this throw throws trait
true try type typedef typename typeof undefined union unsafe unsigned use using val var virtual void volatile when where while yield"""

_SQL = """add all alter and as asc begin between by case check column commit constraint create cross database default delete desc distinct drop else
end exists foreign from full group having if in index inner insert into is join key left like limit not null offset on or order outer primary
references returning right rollback select set table then union unique update using values view when where with"""


@dataclass(frozen=True)
class _Family:
    """Languages with the same syntax."""

    words: str
    comment: str = ""
    """Pattern for the start of a comment that ends with the line."""
    spanning: tuple[tuple[str, str, int], ...] = ()
    """Constructs over several lines: how they start, how they end, how they are shown."""
    same_case: bool = True
    names: str = ""
    """Pattern for highlighted names: keys, tags, variables."""


_COMMENT, _TEXT, _NUMBER, _WORD, _NAME = DIM, GREEN, CYAN, MAGENTA, BOLD
_C = (("/*", "*/", _COMMENT), ("`", "`", _TEXT))

_FAMILIES = {
    "python": _Family(_PYTHON, "#", (('"""', '"""', _TEXT), ("'''", "'''", _TEXT)), names=r"@\w[\w.]*"),
    "shell": _Family(_PYTHON, r"(?<![\w$&{])#", names=r"\$\w+|\$\{[^}]*\}|(?<=\s)--?[a-z][\w-]*"),
    "braces": _Family(_BRACES, "//", _C, names=r"[@#]\w+"),
    "sql": _Family(_SQL, "--", (("/*", "*/", _COMMENT),), same_case=False),
    "keys": _Family("true false null yes no", "#", names=r"^\s*(?:- )?[\w.\"'-]+(?=\s*[:=])|^\s*\[[^\]]*\]"),
    "json": _Family("true false null", names=r'"(?:\\.|[^"\\])*"(?=\s*:)'),
    "tags": _Family("", spanning=(("<!--", "-->", _COMMENT),), names=r"</?[A-Za-z][\w:-]*|/?>"),
    "diff": _Family(""),
}

_LANGUAGES = {
    "python": "python py py3 python3 pyi starlark bzl ruby rb perl r julia elixir nim gdscript",
    "shell": "sh bash zsh fish shell console shell-session make makefile dockerfile docker cmake awk tcl powershell ps1",
    "braces": "c h cpp c++ cc hpp cs csharp c# java js javascript jsx mjs ts typescript tsx go golang rust rs kotlin kt swift scala dart php css "
    "scss less proto protobuf groovy solidity zig objc objective-c glsl hlsl v verilog",
    "sql": "sql sqlite mysql postgresql postgres plsql psql lua haskell hs ada elm",
    "keys": "yaml yml toml ini conf cfg properties env dotenv editorconfig",
    "json": "json jsonc json5 jsonl ndjson",
    "tags": "html xml xhtml svg vue svelte xsl rss",
    "diff": "diff patch udiff",
}


class Highlighter:
    """Highlights the lines of one piece of code in order."""

    def __init__(self, language: str) -> None:
        self._family = _family(language.casefold())
        self._open: tuple[str, int] | None = None
        """The end and the style of the open construct."""

    @property
    def knows(self) -> bool:
        return bool(self._family)

    def copy(self) -> Highlighter:
        return copy(self)

    def line(self, text: str) -> list[Span]:
        if self._family == "diff":
            return [(text, {"+": GREEN, "-": RED, "@": MAGENTA}.get(text[:1], 0))]
        if not self._family or not text:
            return [(text, 0)]
        spans: list[Span] = []
        place = 0
        while place < len(text):
            place = self._rest(text, place, spans) if self._open else self._next(text, place, spans)
        return spans

    def _rest(self, text: str, place: int, spans: list[Span]) -> int:
        """Take an open construct up to its end or the end of the line."""
        ending, style = self._open or ("", 0)
        end = text.find(ending, place)
        if end < 0:
            spans.append((text[place:], style))
            return len(text)
        self._open = None
        spans.append((text[place : end + len(ending)], style))
        return end + len(ending)

    def _next(self, text: str, place: int, spans: list[Span]) -> int:
        match = _pattern(self._family).search(text, place)
        if match is None:
            spans.append((text[place:], 0))
            return len(text)
        if match.start() > place:
            spans.append((text[place : match.start()], 0))
        kind, found = match.lastgroup, match.group()
        family = _FAMILIES[self._family]
        if kind == "spanning":
            spans.append((found, next(style for begin, _, style in family.spanning if begin == found)))
            self._open = next((end, style) for begin, end, style in family.spanning if begin == found)
        elif kind == "word":
            known = found if family.same_case else found.casefold()
            spans.append((found, _WORD if known in _words(self._family) else 0))
        else:
            spans.append((found, {"comment": _COMMENT, "text": _TEXT, "number": _NUMBER, "name": _NAME}[kind or ""]))
        return match.end()


@cache
def _family(language: str) -> str:
    return next((family for family, names in _LANGUAGES.items() if language in names.split()), "")


@cache
def _words(family: str) -> frozenset[str]:
    return frozenset(_FAMILIES[family].words.split())


@cache
def _pattern(name: str) -> re.Pattern[str]:
    family = _FAMILIES[name]
    spanning = "|".join(re.escape(begin) for begin, _, _ in family.spanning)
    parts = [
        f"(?P<spanning>{spanning})" if spanning else "",
        f"(?P<comment>{family.comment}.*)" if family.comment else "",
        f"(?P<name>{family.names})" if family.names else "",
        r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""",
        r"(?P<number>\b\d[\w.]*)",
        r"(?P<word>[^\W\d]\w*)",
    ]
    return re.compile("|".join(part for part in parts if part))
