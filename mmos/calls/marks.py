"""The tags that model families put around their calls and their thinking."""

from __future__ import annotations

import re
from dataclasses import dataclass

OPEN = re.compile(
    r"""(?!<<<)(?:
    <(?!end_|\w{1,60}+\|>)[|｜]?(?:[A-Za-z]\w{0,60}[:_])?(?:tool|function|plugin|action|invoke)s?[_▁ -]?(?:calls?|uses?|code|sections?)?
        (?:[_▁-](?:section[_▁])?(?:begin|start))?(?:\s{1,100}+name\s{0,100}+=\s{0,100}+["'][^"'<>\n]{1,100}+["'])?[|｜]?>
    | <[|｜](?:DSML[|｜]\s?)?(?:function|tool)[_▁]calls?[|｜]?>
    | <start_function_call> | <\|?tool_call_start\|?> | <\|START_ACTION\|> | <\|action_start\|>(?:\s{0,100}+<\|plugin\|>)?
    | <\|?python_(?:tag|start)\|?> | \[(?:TOOL_CALLS?|tool_calls?|FUNCTION_CALLS?)\] | \bfunctools(?=\s{0,100}+\[) | >>>(?=[\w.]{1,100}+\n\s{0,100}+\{) | <<function>> | \bfunction<[|｜]tool[▁_]sep[|｜]>
    | <(?:\w{1,60}+:)?(?:function|invoke|tool)\s{0,100}+[=/]\s{0,100}+["']?[\w.\-:/\\]{1,100}["']?\s{0,100}+(?:/?>|(?:,|\[\]|\()?\s{0,100}+(?=\{)) | <(?:[\w|｜]{1,12}[:|｜])?invoke\s{1,100}+name\s{0,100}+=\s{0,100}+["'][^"'<>\n]{1,100}+["'][^<>\n]{0,60}+>
    | <\|channel\|>(?:(?!\bto=)[^<>\n]){0,40}+\bto=[\w.\-]{1,100}+[^<>\n]{0,40}+(?:<\|constrain\|>\s{0,100}+\w{0,100}+\s{0,100}+)?<\|message\|>
    | (?:\b(?:assistant)?commentary\s{1,2})?\bto=functions\.[\w.\-]{1,100}+\s?(?:<\|channel\|>[^<>\n]{0,40})?
        (?:(?:<\|constrain\|>\s{0,100}+\w{0,100}+\s{0,100}+)?<\|message\|>|(?:<\|constrain\|>\s?|commentary\s)?(?:json|code)?\s?(?=\{))
    )""",
    re.VERBOSE,
)
"""The tags before calls."""

CLOSE = re.compile(
    r"""
    </[|｜]?(?:\w{1,60}[:|｜_])?(?:tool|function|invoke|plugin|action)s?[_▁ -]?(?:calls?|uses?|code|sections?)?[|｜]?>
    | <[|｜](?:tool|function|action)s?[_▁](?:calls?[_▁]?)?(?:section[_▁])?(?:end)[|｜]> | <(?:tool|function)_calls?\|>
    | </[|｜]DSML[|｜]\s?\w{1,100}+>
    | <end_function_call> | <\|END_ACTION\|> | <\|action_end\|> | <\|python_end\|> | \[/(?:TOOL_CALLS?|tool_calls?|FUNCTION_CALLS?)\]
    | <\|call\|> | <\|eom_id\|> | <\|eot_id\|> | <\|im_end\|> | <\|im_start\|>(?:\s{0,100}+assistant\b)? | <\|end\|> | <start_function_response> | <end_of_turn> | <bot_end>
    | <[|｜]end[▁_]of[▁_]sentence[|｜]> | <\|end_of_text\|> | <\|return\|>
    """,
    re.VERBOSE,
)
"""The tags after a call, or after the text of a model. They are no content."""

NAMED = re.compile(r"""(?:=|\bname\s{0,100}+=|<\w{1,60}+/)\s{0,100}+["']?([\w.\-:/\\]{1,100})""")
HARMONY = re.compile(r"\bto=([\w.\-]{1,100})")

HINTS = ("<", "[", "functools", "to=", ">>>")
"""A text without any of these has no tag."""

_THINKING = r"(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|scratchpad|seed:think|mm:think|analysis|inner_monologue)"
THOUGHT_OPEN = re.compile(
    rf"<\|?{_THINKING}\|?> | \[THINK\] | ◁think▷ | <\|START_THINKING\|> | <\|begin_of_thought\|> | <\|channel>(?:thought\b)? | <\|channel\|>\s{{0,100}}+analysis\s{{0,100}}+<\|message\|>",
    re.VERBOSE | re.IGNORECASE,
)
THOUGHT_CLOSE = re.compile(
    rf"</\|?{_THINKING}\|?> | \[/THINK\] | ◁/think▷ | <\|END_THINKING\|> | <\|end_of_thought\|> | <channel\|> | <\|end\|>",
    re.VERBOSE | re.IGNORECASE,
)
_ALONE = re.compile(
    r"</(?:mm:)?think(?:ing)?>|\[/THINK\]|◁/think▷|<\|end\|>\s{0,100}+<\|start\|>\s{0,100}+assistant(?=\s{0,100}+<\|channel\|>)"
)
WRAPPING = re.compile(
    r"<\|channel\|>commentary to=assistant|<channel\|>|<\|START_RESPONSE\|>|<\|END_RESPONSE\|>|<\|START_TEXT\|>|<\|END_TEXT\|>|<\|start\|>assistant|<\|channel\|>\s{0,100}+final\s{0,100}+(?:<\|constrain\|>\s{0,100}+\w{0,100}+\s{0,100}+)?<\|message\|>"
    r"|<\|channel\|>\s{0,100}+commentary\s{0,100}+<\|message\|>|<\|end\|>|<\|return\|>|<\|im_end\|>|<\|eot_id\|>|<end_of_turn>|<[|｜]end[▁_]of[▁_]sentence[|｜]>"
    r"|\]<\]minimax\[>\[|<\|(?:open|close)\|>|<[|｜]tool▁outputs?▁(?:begin|end)[|｜]>|<start_function_response>"
)
"""Marks that a model family puts around plain text. They are no content."""


@dataclass(frozen=True)
class Thoughts:
    """The parts of a text that are thinking, and whether the last of them has no end."""

    spans: tuple[tuple[int, int], ...] = ()
    open: bool = False


def thoughts(text: str) -> Thoughts:
    """Find the thinking: at the beginning of the text, or between tags. A closing tag alone ends thinking that the prompt opened."""
    if "<" not in text and "THINK]" not in text and "◁" not in text:
        return Thoughts()
    spans: list[tuple[int, int]] = []
    place, alone = 0, _alone(text)
    while True:
        begin = THOUGHT_OPEN.search(text, place)
        if alone and not spans and (begin is None or begin.start() > alone.start()):
            spans.append((0, alone.end()))
            place = alone.end()
            continue
        if begin is None:
            return Thoughts(tuple(spans))
        if _in_code(text, begin):
            place = begin.end()
            continue
        end = THOUGHT_CLOSE.search(text, begin.end())
        if end is not None:
            spans.append((begin.start(), end.end()))
            place = end.end()
            continue
        if text[: begin.start()].strip() and not spans:
            return Thoughts(tuple(spans))  # a mention in the middle of an answer, without a closing tag
        return Thoughts((*spans, (begin.start(), len(text))), open=True)


def _alone(text: str) -> re.Match[str] | None:
    """The first closing tag without an opening tag."""
    found = _ALONE.search(text)
    if found is None or _in_code(text, found):
        return None
    before = text[: found.start()]
    mentioned = before[-1:] == " " and before.strip() and re.match(r" [a-z]", text[found.end() : found.end() + 2])
    return None if mentioned else found


def _in_code(text: str, found: re.Match[str]) -> bool:
    """Whether a tag is between backticks or quotes. Then the text is about the tag."""
    line = text[max(text.rfind("\n", max(0, found.start() - 400), found.start()) + 1, found.start() - 400, 0) : found.start()]
    return line.count("`") % 2 == 1 or bool(line.count('"') % 2 and text[found.end() : found.end() + 1] == '"')
