"""Makes the text of a line out of its bytes, and the form that it shares with lines of the same kind."""

from __future__ import annotations

import re

LONGEST = 2000
"""Longer lines are cut, with a mark."""
_CODES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?|(?:\x1b|\x9b|\^\[)\[[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_RUNNER_STAMP = re.compile(r"^\ufeff?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z ?")
"""The time that a GitHub runner writes before each line. It is no part of the line."""
_GITLAB_STAMP = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \d\d[OE][ +]")
_SECTION = re.compile(r"^section_(?:start|end):\d+:[\w.-]+(?:\[[^\]]*\])?\r?")
_LAST_WORD = re.compile(r"[\w.+/=-]{1,300}$")
"""Half a secret would not be masked, so a line is not cut within a word."""

_LEAD = re.compile(
    r"""^(?:
      \[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[ ]?[+-]\d\d:?\d\d)?\]?[ ]?
    | \[?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\]?[ ]
    | \#\d+[ ](?:\d+\.\d+[ ])?                                       # a step of docker build
    | \[\d{1,3}:\d\d:\d\d\][ ] | \[\s*\d+\.\d+\][ ]
    | \[pod/[^\]]*\][ ] | [\w./:@-]{1,40}[ ]{0,8}\|[ ](?=\S)        # the name of a container or a package before its output
    )\s*""",
    re.VERBOSE,
)
_VARIED = re.compile(
    r"0x[0-9a-fA-F]+|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b(?=[a-f]*\d)[0-9a-f]{7,64}\b|\d+(?:[.:,]\d+)*"
)
_SPACES = re.compile(r"\s+")


def clean(raw: bytes, length: int | None = None) -> str:
    """What a terminal would show of the line: decoded, without control codes and the stamp of a runner.

    `length` is the length of the line in bytes, if `raw` is only its beginning.
    """
    text = raw[: LONGEST * 4].decode("utf-8", "replace")
    text = _GITLAB_STAMP.sub("", _RUNNER_STAMP.sub("", text), count=1)
    if "\x1b" in text or "^[[" in text or "\x9b" in text:
        text = _CODES.sub("", text)
    text = _SECTION.sub("", text)
    if "\r" in text:
        text = _overwritten(text)
    if not text.isprintable():
        text = _CONTROLS.sub("", text)
    length = length or len(raw)
    if length > len(raw) or len(text) > LONGEST or len(raw) > LONGEST * 4:
        return f"{_LAST_WORD.sub('', text[:LONGEST])} … (the line is longer: {length:,} bytes)"
    return text.rstrip()


def _overwritten(text: str) -> str:
    """The last state of a line that a progress bar wrote again and again."""
    states = [state for state in text.split("\r") if state.strip()]
    return states[-1] if states else ""


def body(text: str) -> str:
    """The line without what a tool wrote before it: a time, the number of a step, the name of a container."""
    lead = _LEAD.match(text)
    return text[lead.end() :] if lead and lead.end() < len(text) else text.strip()


def form(text: str) -> str:
    """What the line has in common with lines that differ only in numbers, times and digests."""
    return _SPACES.sub(" ", _VARIED.sub("0", text)).strip()
