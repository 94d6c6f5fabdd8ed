"""Markdown as it is written: finished lines for the scrollback, and the open block for as long as it grows."""

from mmos.cli.chat.markdown.stream import MarkdownStream

__all__ = ["MarkdownStream"]
