"""Texts that mix the signs of all families of tool calls, made from a seed: any length, repeated, nested, cut off."""

from __future__ import annotations

import random
from collections.abc import Callable

from bench.calls_hostile import SIGNS

Maker = Callable[[int], str]
"""Makes a text of about so many characters."""

UNITS = (
    *SIGNS, *"{}[]()<>\"'`~\\:;,=.-_*#/|+&!?$@%^ \n\t\raA10fx“”‘’«»„｜▁◁▷😀é\u00a0\u2028\x00", "  ", "\n\n", " \n", "~~~", "```", "``", "''", '"""', "'''",
    "f(", "f()", "f(a=", "f(a='x", "f(a='x=[", 'f(a="', "f{", "f {", "f:", "f ->", "f\n{", "f\\_", "search", "search(query=", "search: {", "get", "get_", "get weather", "getWeather",
    "'x=[", "x=[", "a=", "a='", 'a="', '"a":', "'a':", "a: ", '{"a":', "{'a':", "{a:", '"a", ', "'a', ", "**", "**{", "//", "/*", "*/", "# ", "-> ", "and ", "or ", "1.5e3", "-1", "true", "null,", "...",
    "<a", "<a>", "</a>", "<a b='", "<|", "|>", "<｜", "｜>", "<|channel|>analysis<|message|>", "<|channel|>commentary to=functions.f ", "<|constrain|>json", "<|message|>", "<|end|>",
    "<|start|>assistant", "<|call|>", "<|sep|>", "<|open|>", "<|close|>", "commentary", "assistantcommentary ", "to=functions.f ", "to=", "functools[", "functools ",
    "<tools>", "</tools>", "<function>", "</function>", "<invoke>", "</invoke>", "<parameter=a>", "</parameter>", '<parameter name="a">', "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>",
    "<name>", "<name>f</name>", "<arguments>", "</arguments>", "<f>", "</f>", "<a>1</a>", "<args>", "[TOOL_CALLS]", "[/TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "[TOOL_CALLS]f[ARGS]{",
    "<|python_tag|>", "<|START_ACTION|>", "<start_function_call>", "<end_function_call>", "<escape>", '<|"|>', "<tool_sep>", "<｜tool▁sep｜>", "<｜tool▁calls▁begin｜>",
    "<｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n", "functions.f:0<|tool", "<<function>>f(", ">>>f\n{", ">>>", "[THINK]", "[/THINK]", "◁think▷", "<|channel>", "<channel|>",
    "`<think>`", "`</think>`", "\nUser: ", "Observation:", "</s>", "<|im_end|>", "<|im_start|>user", "### Instruction", "\nAction: f\nAction Input: ", "Action Input:", "\nArguments:",
    "> ", "- ", "1. ", "return ", "print(", "for example ", "you can ", "Here is: ", "The tool `f(a='x')` ", "~~~f(a='x=[", "```json\n", "```tool_code\n", "```tool_call\n{", "\n```", "\n~~~\n",
    "\\n", '\\"', "\\\\", "\\u12", "\\ud800", '{\\"a\\":', '["f(a=1)", ', '["f(', "['f(a=\"", '"{"', '"{\\"', "'{", "{{", "}}", "[[", "]]", "((", "))", "{[(", ")]}", "},{", "{},", "[],",
    '{"name": "f", "arguments": {', '{"name": "f", "arguments": {"a": "x"}}', '{"tool_calls": [', '"name": "f", "arguments": {', '{"function": ', '{"f": {', '"arguments": "{',
    '<tool_call>{"name": "f", "arguments": {"a": "', "<tool_call>f(", "<tool_call>f", "<function=f>", "<function=f><parameter=a>x</parameter>", "<function=f>{", "]<]minimax[>[",
)  # fmt: skip


def mixture(seed: int) -> Maker:
    """One way to fill any length. The same seed makes the same text."""
    chance = random.Random(seed)

    def word(most: int) -> str:
        return "".join(chance.choice(UNITS) for _ in range(chance.randint(1, most)))

    first, second, begin, end = word(3), word(2), word(4), word(3)
    times, gap = chance.choice([1, 2, 10, 100]), chance.choice([3, 20, 200, 1500])
    pool = [word(1) for _ in range(chance.randint(2, 12))]

    def soup(size: int) -> str:
        order = random.Random(seed)
        return "".join(order.choice(pool) for _ in range(size // 4))

    makers: list[Maker] = [
        lambda size: first * (size // len(first)),
        lambda size: _pair(first, second, size // times) * times,
        lambda size: begin + first * (size // len(first)) + end,
        lambda size: begin + first * (size // len(first) // 2) + end + second * (size // len(second) // 2),
        lambda size: _pair(first, second, size),
        lambda size: (begin + second * gap) * (size // (len(begin) + gap * len(second)) + 1),
        soup,
    ]
    return chance.choice(makers)


def _pair(first: str, second: str, size: int) -> str:
    return first * (size // len(first) // 2 + 1) + second * (size // len(second) // 2 + 1)
