"""Finds what the parts of a text are called: headings of documents, classes and functions of programs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LONGEST_NAME = 120
"""Of a heading, in characters. A longer line is a sentence, and a path has to stay short."""
_JOINED = " > "

MARKUP = frozenset({"markdown", "html", "docx", "pdf", "notebook"})
"""What is or becomes Markdown."""
DATA = frozenset({"csv", "json", "log", "toml", "xml", "yaml", "ini", "sql", "diff", "tex"})
"""What has neither headings nor functions that MMOS knows."""

_MARKDOWN = re.compile(
    r"^ {0,3}(?:(?P<fence>`{3,}|~{3,})|(?P<marks>#{1,6})[ \t]++(?P<name>[^\n]*+)|(?P<above>[^\s#>|`~+*-][^\n]*+)\n {0,3}(?P<line>=++|-{2,}+)[ \t]*+$)",
    re.MULTILINE,
)
_ALONE = re.compile(r"(?:\A|^[ \t]*+\n)(?P<marks>#{1,6})[ \t]++(?P<name>[^\n]*+)\n[ \t]*+$", re.MULTILINE)
"""A Markdown heading in a plain text: with empty lines around it, because `#` may also begin a comment."""
_FRONT = re.compile(r"\A---[ \t]*+\n(?:[^\n]*+\n){0,200}?---[ \t]*+$", re.MULTILINE)
"""The front matter of a page: YAML between two lines of three signs."""
_RST = re.compile(r"^(?P<name>\S[^\n]*+)\n(?P<line>(?P<sign>[=\-~^\"'`#*+.:_])(?P=sign)+)[ \t]*+$", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)|<[^>\n]*>")
_CLOSING = re.compile(r"[ \t]+#+[ \t]*$|[ \t]*\{[#:.][^}\n]*\}[ \t]*$")
_LINE = re.compile(r"^(?P<indent>[ \t]*)(?P<words>[^\s][^\n]*)", re.MULTILINE)
_DEFINES = re.compile(
    r"(?:(?:export|default|declare|public|private|protected|internal|static|final|abstract|sealed|partial|async|unsafe|open|override|inline|virtual|const|data|case|pub(?:\([^)]*\))?)\s+)*"
    r"(?:(?:class|interface|struct|enum|trait|module|namespace|protocol|object|record|extension|def|fn|fun|sub|function\*?|type)\s+(?:self\.)?(?P<one>[A-Za-z_$][\w$.:?!]*)"
    r"|impl(?:<[^>]*>)?\s+(?:[\w:<>,' ]+\s+for\s+)?(?P<two>[A-Za-z_]\w*)"
    r"|func\s+(?:\([^)]*\)\s*)?(?P<three>[A-Za-z_]\w*)"
    r"|(?:const|let|var)\s+(?P<four>[A-Za-z_$][\w$]*)\s*=\s*(?:async\s*)?(?:function\b|\([^)]*\)\s*=>|\w+\s*=>))"
)
_SIGNED = re.compile(
    r"(?:[A-Za-z_][\w<>\[\],.*&:~]*[ \t]+)+[*&]*(?P<name>[A-Za-z_~][\w:~]*)[ \t]*\([^;={}\n]*(?:\)[^;=\n]*\{?[ \t]*$|,[ \t]*$)"
)
"""A function or method of C, C++, Java or C#: a type, a name and parentheses, without an end of statement."""
_SIGNING = frozenset({"c", "cpp", "csharp", "java", "kotlin", "dart", "php", "scala", "javascript", "typescript"})
_STATEMENTS = frozenset(
    [
        "if",
        "for",
        "while",
        "switch",
        "return",
        "else",
        "catch",
        "do",
        "new",
        "throw",
        "delete",
        "await",
        "yield",
        "case",
        "goto",
        "using",
        "sizeof",
        "assert",
        "elif",
        "except",
        "with",
    ]
)
_CLOSES = (")", "}", "]", "end", "{", "else", "#", "//", "/*", "*", "@")


@dataclass(frozen=True)
class Section:
    """A part of a text that begins at `start` and ends where the next one begins."""

    start: int
    path: str = ""


def outline(text: str, language: str) -> list[Section]:
    """The sections of a text in their order. Together they are the whole text."""
    if language in MARKUP:
        found: Iterable[Section] = _nested(_markdown(text))
    elif language == "rst":
        found = _nested(_rst(text))
    elif language in {"text", ""}:
        found = _nested((one.start("marks"), len(one["marks"]), _plain(one["name"])) for one in _ALONE.finditer(text))
    else:
        found = () if language in DATA else _defined(text, language)
    return [Section(0), *found]


def _nested(headings: Iterable[tuple[int, int, str]]) -> Iterator[Section]:
    """Headings with their levels, as sections with the names of all headings above them."""
    above: list[tuple[int, str]] = []
    for start, level, name in headings:
        while above and above[-1][0] >= level:
            above.pop()
        if name:
            above.append((level, name))
        yield Section(start, _JOINED.join(one for _, one in above))


def _markdown(text: str) -> Iterator[tuple[int, int, str]]:
    fence, front = "", _FRONT.match(text)
    for found in _MARKDOWN.finditer(text, front.end() if front else 0):
        if marks := found["fence"]:
            if not fence:
                fence = marks
            elif marks.startswith(fence):
                fence = ""
        elif fence:
            continue
        elif found["marks"]:
            yield found.start(), len(found["marks"]), _plain(found["name"])
        elif len(found["above"]) <= LONGEST_NAME:
            yield found.start(), 1 if found["line"].startswith("=") else 2, _plain(found["above"])


def _rst(text: str) -> Iterator[tuple[int, int, str]]:
    """The levels of reStructuredText are the signs below the headings, in the order in which they appear."""
    levels: list[str] = []
    for found in _RST.finditer(text):
        if len(found["line"]) + 1 < len(found["name"].rstrip()) or len(found["name"]) > LONGEST_NAME:
            continue
        if found["sign"] not in levels:
            levels.append(found["sign"])
        yield found.start(), levels.index(found["sign"]), _plain(found["name"])


def _plain(name: str) -> str:
    """A heading without the signs of Markdown."""
    name = _CLOSING.sub("", _LINK.sub(lambda one: one[1] or "", name[: 4 * LONGEST_NAME]))
    return name.replace("`", "").replace("**", "").strip()[:LONGEST_NAME].strip()


def _defined(text: str, language: str) -> Iterator[Section]:
    """The classes and functions of a program. How far a line is indented says what it belongs to."""
    above: list[tuple[int, str]] = []
    for line in _LINE.finditer(text):
        indent, words = len(line["indent"].expandtabs(4)), line["words"]
        if words.startswith(_CLOSES):
            continue
        ended = False
        while above and above[-1][0] >= indent:
            above.pop()
            ended = True
        if name := _name(words, language):
            above.append((indent, name))
        if name or ended:
            yield Section(line.start(), _JOINED.join(one for _, one in above))


def _name(words: str, language: str) -> str:
    if len(words) > 4 * LONGEST_NAME:
        return ""
    if found := _DEFINES.match(words):
        return next(filter(None, found.groups()), "").rstrip(":.")[:LONGEST_NAME]
    if language in _SIGNING and words.split(None, 1)[0] not in _STATEMENTS and (found := _SIGNED.match(words)):
        return "" if found["name"] in _STATEMENTS else found["name"]
    return ""
