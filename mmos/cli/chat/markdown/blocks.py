"""Parses Markdown blocks line by line: quotes, lists, paragraphs, headings, code, tables and rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from mmos.cli.chat.markdown.leaves import Code, Lines, Look, Paragraph, heading
from mmos.cli.chat.markdown.styles import BOLD, DIM, ITALIC, UNDERLINE, paint
from mmos.cli.chat.markdown.tables import Table, is_head
from mmos.cli.chat.markdown.wrapping import laid, words, wrap
from mmos.cli.styles import style

_QUOTE = re.compile(r" {0,3}> ?")
_ITEM = re.compile(r"( {0,3})([-*+]|(\d{1,9})[.)])( +|$)")
_HEADING = re.compile(r" {0,3}(#{1,6})(?: +(.*?))??(?: +#+)?$")
_RULE = re.compile(r" {0,3}([-*_])(?: *\1){2,}$")
_UNDERLINE = re.compile(r" {0,3}(={2,}|-{2,})$")
_FENCE = re.compile(r"( *)(`{3,}|~{3,}) *([^`]*)$")
_HEADINGS = (BOLD | UNDERLINE, BOLD, BOLD | ITALIC, BOLD | ITALIC, ITALIC, ITALIC)
_APART_FROM_ABOVE = ("heading", "code", "table", "rule")
_APART_FROM_BELOW = ("code", "table", "rule")


@dataclass
class Container:
    """A quote, or an item of a list."""

    marker: str = ""
    """The item's marker. Empty for a quote."""
    width: int = 2
    lead: int = 0
    shown: bool = False
    """Whether the marker was written already."""


class Blocks:
    """Holds the open blocks and the finished lines."""

    def __init__(self, look: Look) -> None:
        self.look = look
        self.out: list[str] = []
        self._around: list[Container] = []
        self._leaf: Paragraph | Code | Table | None = None
        self._blank = False
        """Whether there is a blank line above the next block."""
        self._above = ""
        """The kind of the block above. Empty at the start."""

    def fork(self) -> Blocks:
        """Copy the state, to try how more text would look."""
        other = Blocks(replace(self.look, open_end=True))
        other._around = [replace(container) for container in self._around]
        other._leaf = self._leaf.copy() if self._leaf is not None else None
        other._blank, other._above = self._blank, self._above
        return other

    # ---------------------------------------------------------------- lines that come in

    def begin(self, text: str) -> None:
        """Take the start of a line that is too long to wait for its end. `more` follows."""
        self.line(text)
        if isinstance(self._leaf, Paragraph):
            self._leaf.text += text[len(text.rstrip()) :]

    def line(self, text: str) -> None:
        text = text.expandtabs(4).rstrip()
        rest, depth = self._within(text)
        if depth < len(self._around):
            if isinstance(self._leaf, Paragraph) and rest.strip() and not self._begins_block(rest):
                self._paragraph(rest.strip())  # a paragraph may continue without the markers of its quote or list
                return
            self._leave(depth)
        if isinstance(self._leaf, Code) and self._code(self._leaf, rest):
            return
        if not rest:
            self._close()
            self._blank = True
            return
        self._block(self._enter(rest))

    def more(self, text: str, *, last: bool) -> None:
        """Take more of a line that was too long to wait for its end."""
        text = text.expandtabs(4)
        if isinstance(self._leaf, Code):
            self._put(self._leaf.show(text, self._look()), "code", goes_on=True)
            return
        if not isinstance(self._leaf, Paragraph):
            self._close()
            self._leaf = Paragraph()
        self._paragraph(text.rstrip() if last else text, joined=True)

    def finish(self) -> None:
        self._leave(0)
        self._close()

    def _within(self, text: str) -> tuple[str, int]:
        """Strip the markers of open quotes and items from a line. Return the rest and how many of them it is inside."""
        for depth, container in enumerate(self._around):
            if not container.marker:
                match = _QUOTE.match(text)
                if match is None:
                    return text, depth
                text = text[match.end() :]
                continue
            free = len(text) - len(text.lstrip(" "))
            fenced = isinstance(self._leaf, Code) and bool(self._leaf.fence)
            if text and free < container.width and not fenced:
                return text, depth
            text = text[min(free, container.width) :]
        return text, len(self._around)

    def _begins_block(self, rest: str) -> bool:
        item = _ITEM.match(rest)
        return bool(item and rest[item.end() :]) or any(pattern.match(rest) for pattern in (_QUOTE, _HEADING, _RULE, _FENCE))

    def _enter(self, rest: str) -> str:
        """Open the quotes and items that start on this line."""
        while not _RULE.match(rest):
            if (match := _QUOTE.match(rest)) is not None:
                container, rest = Container(), rest[match.end() :]
            elif (match := _ITEM.match(rest)) is not None and self._may_begin(match, rest):
                spaces = len(match[4]) if 0 < len(match[4]) < 5 and rest[match.end() :] else 1
                width = len(match[1]) + len(match[2]) + spaces
                container, rest = Container(match[2], width, len(match[1])), rest[width:]
            else:
                break
            self._close()
            self._around.append(container)
        return rest

    def _may_begin(self, item: re.Match[str], rest: str) -> bool:
        """Whether a number is a marker. Inside a paragraph it may be a word."""
        return not isinstance(self._leaf, Paragraph) or bool(rest[item.end() :] and item[3] in (None, "1"))

    # ---------------------------------------------------------------- their content

    def _code(self, code: Code, rest: str) -> bool:
        """Take a line of open code. False if no code is open."""
        if code.fence:
            if code.ends_with(rest):
                self._put(code.closing(self._look()), "code", goes_on=True)
                self._leaf = None
            else:
                self._put(code.show(rest, self._look()), "code", goes_on=True)
            return True
        if not rest:
            code.blanks += 1
            return True
        if not rest.startswith("    "):
            self._leaf, self._blank = None, self._blank or code.blanks > 0
            return False
        lines = [*[[] for _ in range(code.blanks)], *code.show(rest, self._look())]
        code.blanks = 0
        self._put(lines, "code", goes_on=code.has_begun)
        code.has_begun = True
        return True

    def _block(self, rest: str) -> None:
        leaf = self._leaf
        if isinstance(leaf, Table) and "|" in rest:
            self._row(leaf, rest)
        elif isinstance(leaf, Paragraph) and leaf.one_line and (match := _UNDERLINE.match(rest)) is not None:
            self._leaf = None
            self._heading(leaf.text, 1 if match[1][0] == "=" else 2)
        elif isinstance(leaf, Paragraph) and "|" in rest and is_head(leaf.text.rpartition("\n")[2], rest):
            self._table(leaf, rest)
        elif not self._other(rest):
            if isinstance(leaf, Table):
                self._close()
            self._paragraph(rest.strip())

    def _other(self, rest: str) -> bool:
        """Start a block that is recognised by its first line."""
        if (match := _FENCE.match(rest)) is not None and (len(match[1]) < 4 or self._listed):
            self._close()
            self._leaf = code = Code.fenced(match[2], len(match[1]), match[3])
            self._put(code.opening(self._look()), "code")
        elif (match := _HEADING.match(rest)) is not None:
            self._close()
            self._heading((match[2] or "").strip(), len(match[1]))
        elif _RULE.match(rest):
            self._close()
            self._put([[("─" * self._look().width if self.look.colour else rest.strip()[: self._look().width], DIM)]], "rule")
        elif rest.startswith("    ") and rest.strip() and self._leaf is None and not self._listed:
            self._leaf = Code(indent=4)
            self._code(self._leaf, rest)
        else:
            return False
        return True

    @property
    def _listed(self) -> bool:
        return any(container.marker for container in self._around)

    def _heading(self, text: str, level: int) -> None:
        self._put(heading(text, level, self._look(), _HEADINGS[level - 1]), "heading")

    def _paragraph(self, text: str, *, joined: bool = False) -> None:
        if not isinstance(self._leaf, Paragraph):
            self._leaf = Paragraph()
        paragraph = self._leaf
        paragraph.add(text, joined=joined)
        if lines := paragraph.overflow(self._look()):
            self._put(lines, "paragraph", goes_on=paragraph.has_begun)
            paragraph.has_begun = True

    def _table(self, paragraph: Paragraph, rule: str) -> None:
        above, _, head = paragraph.text.rpartition("\n")
        if above:
            paragraph.text = above
            self._close()
        self._leaf = Table.of(head, rule, colour=self.look.colour)

    def _row(self, table: Table, rest: str) -> None:
        table.add(rest)
        if table.settled:
            self._take(table)

    def _take(self, table: Table) -> None:
        opened = table.opened
        self._put(table.take(self._look().width), "table", goes_on=opened)

    # ---------------------------------------------------------------- lines that go out

    def _close(self) -> None:
        """Finish the open block."""
        leaf, self._leaf = self._leaf, None
        if isinstance(leaf, Paragraph):
            self._put(leaf.close(self._look()), "paragraph", goes_on=leaf.has_begun)
        elif isinstance(leaf, Table) and (leaf.rows or not leaf.opened):
            self._take(leaf)
        elif isinstance(leaf, Code):
            self._blank = self._blank or leaf.blanks > 0

    def _leave(self, depth: int) -> None:
        """Close quotes and items. An empty item also gets a line."""
        if depth < len(self._around):
            self._close()
            if any(container.marker and not container.shown for container in self._around):
                self._put([[]], "paragraph")
            del self._around[depth:]

    def _look(self) -> Look:
        return self.look.narrowed(min(sum(container.width for container in self._around), self.look.width // 2))

    def _put(self, lines: Lines, kind: str, *, goes_on: bool = False) -> None:
        colour = self.look.colour
        first, rest = self._prefixes()
        if not goes_on:
            apart = self._blank or kind in _APART_FROM_ABOVE or self._above in _APART_FROM_BELOW
            if self._above and apart:
                self.out.append("")
            self._blank, self._above = False, kind
        if len(first) > (limit := self.look.width // 2):
            if first.strip() and first != rest:  # no room for the markers beside the text: write them above it
                self.out += [paint(laid(line), colour=colour) for line in wrap(words([(first.strip(), 0)]), self.look.width)]
            first = rest = rest[len(rest) - limit :]
        if not lines:
            return
        for container in self._around:
            container.shown = True
        for line in lines:
            self.out.append((_bars(first, colour) + paint(line, colour=colour)).rstrip(" "))
            first = rest

    def _prefixes(self) -> tuple[str, str]:
        """Make the prefix of a block's first line and of its other lines."""
        first = rest = ""
        for container in self._around:
            if not container.marker:
                bar = "▌ " if self.look.colour else "> "
                first, rest = first + bar, rest + bar
                continue
            sign = "•" if self.look.colour and container.marker in "-*+" else container.marker
            marker = "" if container.shown else " " * container.lead + sign
            first, rest = first + marker.ljust(container.width), rest + " " * container.width
        return first, rest


def _bars(prefix: str, colour: bool) -> str:
    return prefix.replace("▌", style("▌", "dim")) if colour else prefix
