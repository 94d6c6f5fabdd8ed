"""Translates the special tags of some model families into common ones, so that one reader is enough."""

from __future__ import annotations

import re

_MINIMAX = "]<]minimax[>["
_KIMI = re.compile(
    r"""<\|open\|>(?:call\ tool="(?P<call>[^"<>\n]{1,100})"|argument\ key="(?P<key>[^"<>\n]{1,100})"|(?P<part>\w{1,20}))[^<>\n]{0,80}<\|sep\|>
      | <\|close\|>(?P<close>\w{1,20})<\|sep\|>""",
    re.VERBOSE,
)
_CLOSING = {"call": "</invoke>", "argument": "</parameter>", "think": "</think>"}


def in_common_signs(text: str) -> str:
    """The text with common tags. Most texts stay unchanged."""
    if _MINIMAX in text:
        text = text.replace(_MINIMAX, "")
    return _KIMI.sub(_common_tag, text) if "<|sep|>" in text else text


def _common_tag(found: re.Match[str]) -> str:
    if found["call"]:
        return f'<invoke name="{found["call"]}">'
    if found["key"]:
        return f'<parameter name="{found["key"]}">'
    if found["part"]:
        return "<think>" if found["part"] == "think" else ""
    return _CLOSING.get(found["close"], "")
