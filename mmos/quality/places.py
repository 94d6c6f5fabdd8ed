"""Names the places of an answer: the line of a block, or of the prose."""

from __future__ import annotations

from mmos.quality.answer import Block, Reading
from mmos.quality.finding import Finding, Severity

WIDEST = 120


def place_of(reading: Reading, line: int) -> str:
    """The place of a line of the answer, which is counted from 1."""
    for block in reading.blocks:
        if block.line <= line < block.line + max(1, len(block.lines)):
            return block.at(line - block.line + 1)
    return f"line {line}"


def finding_in(block: Block, line: int, kind: str, severity: Severity, words: tuple[str, str]) -> Finding:
    """A finding at a line of a block, with what is wrong and the cure as words."""
    quote = block.lines[line - 1].strip()[:WIDEST] if 0 < line <= len(block.lines) else ""
    return Finding(kind, severity, block.at(line), words[0], words[1], quote)
