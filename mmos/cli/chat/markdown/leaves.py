"""Formats the content of a block, a paragraph or code, and tells which of its lines are final."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from mmos.cli.chat.markdown.highlight import Highlighter
from mmos.cli.chat.markdown.inline import inline
from mmos.cli.chat.markdown.styles import CODE, DIM, Span
from mmos.cli.chat.markdown.wrapping import Word, chop, laid, words, wrap

LONGEST = 1000
"""Longest open paragraph or line, in characters. The start of a longer one is shown for good."""

NESTING = ("markdown", "md", "mdx")
"""Code in these languages may contain fences."""

_FENCE = re.compile(r" *(`{3,}|~{3,}) *([^`]*)$")
Lines = list[list[Span]]


@dataclass(frozen=True)
class Look:
    """How text is shown: its width in cells, and whether markup becomes styles or stays as written."""

    width: int
    colour: bool
    open_end: bool = False
    """The text is still being written. Open marks count as closed."""

    def spans(self, text: str) -> list[Span]:
        return inline(text, open_end=self.open_end) if self.colour else [(text, 0)]

    def narrowed(self, by: int) -> Look:
        return replace(self, width=self.width - by)


@dataclass
class Paragraph:
    text: str = ""
    rest: list[Word] = field(default_factory=list)
    """The last line that was shown for good. It may continue."""
    has_begun: bool = False

    def copy(self) -> Paragraph:
        return replace(self)

    def add(self, line: str, *, joined: bool = False) -> None:
        """Add a line, or, if `joined`, more of the last line."""
        self.text += line if joined or not self.text else f"\n{line}"

    def overflow(self, look: Look) -> Lines:
        """Give the full lines of a paragraph that is too long to stay open."""
        done: Lines = []
        while len(self.text) > LONGEST:
            cut = max(self.text.rfind(" ", 0, LONGEST), self.text.rfind("\n", 0, LONGEST))
            cut = cut if cut > 0 else LONGEST
            *full, self.rest = wrap([*self.rest, *words(look.spans(self.text[:cut]))], look.width)
            done += [laid(line) for line in full]
            self.text = self.text[cut:]
        return done

    def close(self, look: Look) -> Lines:
        return [laid(line) for line in wrap([*self.rest, *words(look.spans(self.text))], look.width)]

    @property
    def one_line(self) -> bool:
        return not self.rest and "\n" not in self.text


@dataclass
class Code:
    """Fenced code, or indented code without a fence."""

    fence: str = ""
    indent: int = 0
    info: str = ""
    highlighter: Highlighter = field(default_factory=lambda: Highlighter(""))
    has_begun: bool = False
    depth: int = 0
    """Open fences inside it."""
    blanks: int = 0
    """Blank lines that belong to it if more code follows."""

    @classmethod
    def fenced(cls, fence: str, indent: int, info: str) -> Code:
        info = info.strip()
        return cls(fence, indent, info, Highlighter(info.split()[0].strip("{}.") if info else ""))

    def copy(self) -> Code:
        return replace(self, highlighter=self.highlighter.copy())

    def opening(self, look: Look) -> Lines:
        if not look.colour and self.fence:
            return chop([(self.fence + self.info, 0)], look.width)
        return chop([(f"  {self.info}", DIM)], look.width) if self.info else []

    def closing(self, look: Look) -> Lines:
        return [] if look.colour or not self.fence else chop([(self.fence, 0)], look.width)

    def ends_with(self, line: str) -> bool:
        """Whether a line is the closing fence. Fences inside are counted."""
        match = _FENCE.match(line)
        if match is None or not match[1].startswith(self.fence):
            return False
        if match[2]:
            self.depth += self.info.partition(" ")[0].casefold() in NESTING
            return False
        if self.depth:
            self.depth -= 1
            return False
        return True

    def show(self, line: str, look: Look) -> Lines:
        """Format one line of the code."""
        free = len(line) - len(line.lstrip(" "))
        text = line[min(free, self.indent) :].rstrip()
        if not look.colour:
            return chop([(text, 0)], look.width)
        spans = self.highlighter.line(text) if self.highlighter.knows else [(text, CODE)]
        return [[("  ", 0), *part] for part in chop(spans, look.width - 2)]


def heading(text: str, level: int, look: Look, style: int) -> Lines:
    if not look.colour:
        return [laid(line) for line in wrap(words([(f"{'#' * level} {text}", 0)]), look.width)]
    return [[(part, shown | style) for part, shown in laid(line)] for line in wrap(words(look.spans(text)), look.width)]
