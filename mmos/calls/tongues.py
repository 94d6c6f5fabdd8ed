"""Translates the special tags of some model families into common ones, so that one reader is enough."""

from __future__ import annotations

import re

_MINIMAX = "]<]minimax[>["
_KIMI = re.compile(
    r"""<\|open\|>(?:call\ tool="(?P<call>[^"<>\n]{1,100})"|argument\ key="(?P<key>[^"<>\n]{1,100})"|(?P<part>\w{1,20}))[^<>\n]{0,80}<\|sep\|>
      | <\|close\|>(?P<close>\w{1,20})<\|sep\|>""",
    re.VERBOSE,
)
_CLOSED = {"call": "</invoke>", "argument": "</parameter>", "think": "</think>"}


def in_common_signs(text: str) -> str:
    """The same text; nearly every one comes back as it is."""
    if _MINIMAX in text:
        text = text.replace(_MINIMAX, "")
    return _KIMI.sub(_told, text) if "<|sep|>" in text else text


def _told(found: re.Match[str]) -> str:
    if found["call"]:
        return f'<invoke name="{found["call"]}">'
    if found["key"]:
        return f'<parameter name="{found["key"]}">'
    if found["part"]:
        return "<think>" if found["part"] == "think" else ""
    return _CLOSED.get(found["close"], "")
