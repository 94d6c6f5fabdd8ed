"""Finds a tool call that stands in the text of a reply, although the list of its calls is empty."""

from __future__ import annotations

from mmos.diagnosis.signs import Finding, Sign, Text

_WRITTEN = (
    r"\{\s{0,9}'(name|tool|function|tool_name|action)'\s{0,9}:\s{0,9}'[\w.:/-]{1,80}'\s{0,9},\s{0,9}'(arguments|parameters|args|input|tool_input|params|action_input)'\s{0,9}:"
    r"|\{\s{0,9}'(arguments|parameters|args)'\s{0,9}:\s{0,9}\{[^\n]{0,400}\}\s{0,9},\s{0,9}'name'\s{0,9}:\s{0,9}'"
    r"|\{\s{0,9}'type'\s{0,9}:\s{0,9}'function'\s{0,9},\s{0,9}'(name|function)'\s{0,9}:"
    r"|<tool_?calls?>|<\|tool_?calls?(_begin)?\|?>|\[tool_calls\]|<function(_call|=)|<\|python_tag\|>|<invoke\b|```tool_(call|code)"
)
"""A call as models write it in text."""
_EMPTY = (
    r"tool_?calls?'?\)? ?(:|=|is|are|was|==|->) ?'?(\[ ?\]|null|none|nil|undefined|empty|missing)"
    r"|(no|without|empty) '?(structured |native |parsed )?(message\.)?tool_?calls?"
    r"|tool_?calls? (field |array |list |property )?(is |was |stays |remains )?(empty|missing|absent|null|none|not (set|present|populated|filled|detected))"
)
_REAL = r"tool_calls' ?: ?\[ ?\{"
"""A call that the server did find."""
_AS_TEXT = (
    r"(as|in|into|inside|within) (the )?(plain |raw |normal |regular |message )?(text|content|chat|string|markdown|response|reply|answer|body|message)"
    r"|instead of (calling|executing|invoking|running|using)|not (being )?(executed|invoked|parsed|triggered)|(just|only) (prints|outputs|writes|shows|returns)|content'?\s?[:=]"
)
_SIGNS = (
    Sign("TOOL_CALL_IN_CONTENT", (_EMPTY,), beside=_WRITTEN, both=True, confidence=0.92),
    Sign("TOOL_CALL_IN_CONTENT", (_WRITTEN,), beside=_AS_TEXT, both=True, unless=_REAL, confidence=0.8),
    # A line that is a call, where an answer was expected.
    Sign("TOOL_CALL_IN_CONTENT", (rf"^[^\w\n]{{0,12}}({_WRITTEN})",), unless=rf"'role' ?: ?'tool'|{_REAL}", confidence=0.7),
)  # fmt: skip


def in_content(text: Text) -> Finding | None:
    return next((found for sign in _SIGNS if (found := text.find(sign))), None)
