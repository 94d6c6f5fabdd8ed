"""Formats streamed Markdown for the terminal: gives finished lines for the scrollback, and the open block while it grows."""

from mmos.cli.chat.markdown.stream import MarkdownStream

__all__ = ["MarkdownStream"]
