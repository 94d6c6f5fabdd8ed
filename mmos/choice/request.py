"""Splits a request into its own words, code, and what a program reported."""

from __future__ import annotations

import re
from dataclasses import dataclass

ENDS = frozenset(".,;:?!\n")
"""What ends a clause."""
MOST = 4_000
"""Longer texts are read at both ends. People say what they want before or after what they paste."""
HEAD = 3_000
MOST_PROSE = 2_000
HEAD_PROSE = 1_400
MOST_WORDS = 110
HEAD_WORDS = 75
LONGEST_LINE = 400
"""A longer line is no line of code that somebody wrote."""

_FENCE = re.compile(r"^[ \t]*(?:```+|~~~+)[ \t]*([\w+#.-]*)", re.MULTILINE)
# What a line of code looks like in the usual languages.
_STRICT = re.compile(
    r"""\s*(?:
        (?:async\s+)?def\s+\w+\s*\( | class\s+\w+\s*(?:\([^)]*\))?\s*[:{]\s*$ | from\s+[\w.]+\s+import\s | import\s+[\w.]+\s*;?\s*$
      | \#include\b | \#!/ | using\s+[\w.:]+\s*; | using\s+namespace\b | package\s+[\w.]+\s*;?\s*$ | <\?php | </?[a-zA-Z!][^<>]*>
      | (?:public|private|protected|static|export)\s+.*[({;]\s*$ | func\s+[(\w] .*\{ | fn\s+\w+.*\( | (?:async\s+)?function\b.*\{
      | (?:let|const|var)\s+[\w{\[].*= | SELECT\s.*\sFROM\s | (?:INSERT\s+INTO|CREATE\s+TABLE|DELETE\s+FROM)\s
      | (?:for|while|if|elif|switch)\b.*[:{]\s*$ | (?:else|try|do)\s*[:{]\s*$ | (?:print|printf|puts|echo|console\.log|System\.out\S*)\s*\(
      | [{}()\[\];,]+\s*$ | [\w.\[\]'"]+\s*[-+*/]?=\s*[^=\s].* | @\w+(?:\.\w+)*(?:\(.*\))?\s*$ | [\w.]+\([^()]*\);?\s*$
    )""",
    re.VERBOSE,
)
_CLOSING = re.compile(r".*[;{}]\s*$")
"""What only counts as code below the first line: a sentence may end so, too."""
_INSIDE = re.compile(
    r"(?:\s{2,}|\t)\S|\s*(?://|\#|--|/\*|\*)|\s*(?:return|break|continue|pass|end|import|raise|throw|case|default)\b|\s*\w+\s*\("
)
"""What only counts as code below a line of code."""
# Code within a sentence.
_INLINE = re.compile(
    r"[\w\])\"'][ ]?=[ ]?[\w\[({\"'][^?!]{0,200}[;{})\]]|[;{][^.?!]{0,200}[;}]|\)\s*(?:\{|=>)|\w\[\w{1,40}\][ ]?[-+*/<>=]"
    r"|\bSELECT\b.{1,200}\bFROM\b"
)
# What a program reported: stack traces, errors of compilers and tests, lines of logs.
_REPORT = re.compile(
    r"""^[ \t]*(?:Traceback\ \(most\ recent | File\ ".*",\ line\ \d+ | at\ [\w.$<>]+[ ]?\(.*\) | at\ \S+:\d+:\d+
      | Caused\ by: | goroutine\ \d+
      | panic:\ | Exception\ in\ thread | error\[E\d+\] | npm\ ERR! | FAILED\ \S+::\S+ | Segmentation\ fault | Uncaught\ \w*Error
      | \S+:\d+(?::\d+)?:\ (?:fatal\ )?error: | thread\ '.*'\ panicked | E\ {2,}\w+Error | (?:\w+\.)*\w*(?:Error|Exception):\ \S
      | (?:\d{4}-\d\d-\d\d\S*[ ])?\S*[ ]?(?:ERROR|FATAL|CRITICAL)\b )""",
    re.VERBOSE | re.MULTILINE,
)
_ENDINGS = "md|rst|py|js|ts|tsx|jsx|java|go|rs|rb|cpp|cc|c|h|cs|php|html|css|sql|sh|ya?ml|json|toml|txt|csv|ipynb"
_WORD = re.compile(
    rf"""https?://\S+ | `[^`\n]{{1,80}}` | \[[\w./ -]{{1,30}}\] | [\w./-]{{1,40}}\.(?:{_ENDINGS})\b
      | [A-Za-z_][\w.]{{0,80}}\(\)? | \#?\d[\d.]* | [^\W\d_](?:(?:[\w'’+#-]|::)*[\w+#])? | _\w{{1,80}} | [?!:] | [,.;](?=\s|$) | \n""",
    re.VERBOSE,
)
"""Addresses, quotations, scopes, files, calls, numbers, words, and what ends a clause."""


@dataclass(frozen=True)
class Request:
    """What stands in a text. The words are those of the user, without code."""

    words: tuple[str, ...]
    code: str
    tags: tuple[str, ...]
    """What the fences say about the code, such as `python`."""
    has_code: bool
    has_report: bool
    """Whether it shows what a program reported: a stack trace, a line of an error."""
    asks: bool
    """Whether it ends with, or contains, a question mark outside code."""
    lines: int
    """About how many lines of code it has."""
    prose: str


def read_request(text: str) -> Request:
    excerpt = _ends(text, MOST, HEAD)
    prose, code, tags = _separate(excerpt)
    prose = _ends(prose, MOST_PROSE, HEAD_PROSE)
    words = tuple(_WORD.findall(prose))
    if len(words) > MOST_WORDS:
        words = words[:HEAD_WORDS] + words[HEAD_WORDS - MOST_WORDS :]
    inline = bool(_INLINE.search(prose))
    lines = code.count("\n") + 1 + (text.count("\n") - excerpt.count("\n")) if code else 0  # what was left out counts as code
    return Request(words, code, tags, bool(code) or inline, bool(_REPORT.search(excerpt)), "?" in prose, lines, prose)


def _ends(text: str, most: int, head: int) -> str:
    return text if len(text) <= most else f"{text[:head]}\n{text[head - most :]}"


def _separate(text: str) -> tuple[str, str, tuple[str, ...]]:
    """The words of the user, the code, and the tags of its fences."""
    prose: list[str] = []
    code: list[str] = []
    tags: list[str] = []
    fenced = inside = False
    for number, line in enumerate(text.splitlines()):
        if fence := _FENCE.match(line):
            fenced = not fenced
            inside = False
            if fenced and fence[1]:
                tags.append(fence[1].lower())
        elif fenced:
            code.append(line[:LONGEST_LINE])
        elif _REPORT.match(line):
            inside = False
            prose.append(line)
        elif _is_code(line, number, inside):
            inside = True
            code.append(line[:LONGEST_LINE])
        else:
            inside = inside and not line.strip()
            prose.append(line)
    return "\n".join(prose).strip(), "\n".join(code).strip(), tuple(tags)


def _is_code(line: str, number: int, inside: bool) -> bool:
    if not line.strip() or len(line) > LONGEST_LINE:
        return False
    if (inside and _INSIDE.match(line)) or (number > 0 and _CLOSING.match(line)):
        return True
    return (number > 0 or len(line) < 80) and bool(_STRICT.match(line)) and not line.rstrip().endswith(("?", "."))
